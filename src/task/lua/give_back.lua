#!lua flags=allow-oom
-- Ids (ARGV, in order) from a processing list back to the head of a queue.
-- Only what is in the list moves, so that doing it twice does no harm.
-- KEYS: processing, queue
local n = 0
for i = #ARGV, 1, -1 do
	if redis.call('LREM', KEYS[1], 1, ARGV[i]) > 0 then
		redis.call('LPUSH', KEYS[2], ARGV[i])
		n = n + 1
	end
end
return n
