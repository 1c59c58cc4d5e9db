-- How many members lie in a span. Per item: KEYS set; ARGV lowest, highest.
local found = {}
for n = 1, #KEYS do found[n] = redis.call('ZLEXCOUNT', KEYS[n], ARGV[2 * n], ARGV[2 * n + 1]) end
return found
