#!lua flags=allow-oom
-- Lists as long as numbers say: a scaler measures lengths. They and the mark
-- that somebody counts are forgotten when nobody does any more.
-- KEYS: mark, lists; ARGV: TTL in ms, a length for each list
for i = 2, #KEYS do
	local have, want = redis.call('LLEN', KEYS[i]), tonumber(ARGV[i])
	if have > want then
		redis.call('LTRIM', KEYS[i], have - want, -1)
	end
	while have < want do
		local some = {}
		for j = 1, math.min(want - have, 1000) do some[j] = '' end
		have = redis.call('RPUSH', KEYS[i], unpack(some))
	end
	redis.call('PEXPIRE', KEYS[i], ARGV[1])
end
redis.call('SET', KEYS[1], #KEYS - 1, 'PX', ARGV[1])
return #KEYS - 1
