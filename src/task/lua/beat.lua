#!lua flags=allow-oom
-- A worker's heartbeat. 0: it was declared dead and needs a new name.
-- KEYS: heartbeat, workers, dead; ARGV: worker, what it says, TTL in ms
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[1])
return 1
