-- Rows of reminders. Per item: KEYS reminders; ARGV name.
local found = {}
for n = 1, #KEYS do found[n] = redis.call('HGET', KEYS[n], ARGV[1 + n]) end
return found
