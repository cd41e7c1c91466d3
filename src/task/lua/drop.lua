#!lua flags=allow-oom
-- Take an id (ARGV[2]) out of a queue that has no more than ARGV[1] entries.
-- KEYS: queue
if redis.call('LLEN', KEYS[1]) > tonumber(ARGV[1]) then return 0 end
return redis.call('LREM', KEYS[1], 1, ARGV[2])
