#!lua flags=allow-oom
-- Take ARGV[2] out of a bucket, if they are there. What is used is counted in
-- parts, ARGV[4] of which make one; each millisecond gives ARGV[3] of them back
-- (include/base/rate.h). Answer: 1 or 0, and the parts that are used then.
-- KEYS: the user's buckets; ARGV: which one, cost, count, per_ms, burst
local name, per = ARGV[1], tonumber(ARGV[4])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local old = redis.call('HMGET', KEYS[1], name, name .. ':at', name .. ':per')
local used, passed = tonumber(old[1] or 0), now - (old[2] or now)
if old[3] and tonumber(old[3]) ~= per then
	used = math.floor(used / old[3] * per)
end
if passed > 0 then used = math.max(0, used - passed * ARGV[3]) end
local after = used + ARGV[2] * per
if after > ARGV[5] * per then return { 0, used } end
redis.call('HSET', KEYS[1], name, after, name .. ':at', now, name .. ':per', per)
-- Until it is full again, and an hour: what is only a cache is evicted first.
local ttl = math.ceil(after / ARGV[3]) + 3600000
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
return { 1, after }
