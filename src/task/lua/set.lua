#!lua flags=allow-oom
-- SET that works when memory is used up.
-- KEYS: key; ARGV: value
return redis.call('SET', KEYS[1], ARGV[1])
