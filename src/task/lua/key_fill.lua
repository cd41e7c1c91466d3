-- Remember whose a key is, if the promise that we left here when we began to
-- look is still there: it goes when the key is revoked.
-- KEYS: entry; ARGV: our promise, the entry ("": there is none), TTL in ms
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
