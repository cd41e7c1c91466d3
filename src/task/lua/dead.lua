#!lua flags=allow-oom
-- The workers that were declared dead in the last hour; older ones are
-- forgotten.
-- KEYS: dead
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1] - 3600)
return redis.call('ZRANGE', KEYS[1], 0, -1)
