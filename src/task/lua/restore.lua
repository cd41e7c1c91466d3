#!lua flags=allow-oom
-- The server lost its data, or some of it: what a worker runs (ARGV) stands in
-- its processing list again, once each.
-- KEYS: processing
for i = 1, #ARGV do redis.call('LREM', KEYS[1], 0, ARGV[i]) end
if #ARGV > 0 then redis.call('RPUSH', KEYS[1], unpack(ARGV)) end
return redis.call('LRANGE', KEYS[1], 0, -1)
