#!lua flags=allow-oom
-- Move up to ARGV[1] ids from the head of a queue to a processing list.
-- KEYS: queue, processing
local ids = redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)
if #ids > 0 then
	redis.call('LTRIM', KEYS[1], #ids, -1)
	redis.call('RPUSH', KEYS[2], unpack(ids))
end
return ids
