#!lua flags=allow-oom
-- Take or extend a lease. 1: taken, 2: extended, 0: somebody else's.
-- KEYS: lease; ARGV: me, TTL in ms
local holder = redis.call('GET', KEYS[1])
if not holder then
	redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
	return 1
elseif holder == ARGV[1] then
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
	return 2
end
return 0
