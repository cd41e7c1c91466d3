#!lua flags=allow-oom
-- Declare a worker dead, unless it has just given a sign of life.
-- KEYS: heartbeat, workers, dead; ARGV: worker
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], redis.call('TIME')[1], ARGV[1])
return 1
