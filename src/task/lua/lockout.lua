#!lua flags=allow-oom
-- Failed logins of an account and of an address. How many ms it is locked; 0: it
-- is not. What is tried while it is locked counts neither way, and tells nothing.
-- KEYS: account, address
-- ARGV: "look", "right" or "wrong", how many of each lock it (0: none), for ms
local wait = 0
for i = 1, 2 do
	local most = tonumber(ARGV[i + 1])
	if most > 0 and tonumber(redis.call('GET', KEYS[i]) or 0) >= most then
		wait = math.max(wait, redis.call('PTTL', KEYS[i]), 1)
	end
end
if wait > 0 or ARGV[1] == 'look' then return wait end
if ARGV[1] == 'right' then
	redis.call('DEL', KEYS[1])
	return 0
end
for i = 1, 2 do
	local most = tonumber(ARGV[i + 1])
	if most > 0 then
		local n = redis.call('INCR', KEYS[i])
		-- The last one begins the time anew.
		if n == 1 or n == most then redis.call('PEXPIRE', KEYS[i], ARGV[4]) end
	end
end
return 0
