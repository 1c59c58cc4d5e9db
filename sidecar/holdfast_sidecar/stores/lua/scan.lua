-- Members of ordered sets. Per item: KEYS set; ARGV lowest, highest, most members.
local found = {}
for n = 1, #KEYS do
  found[n] = redis.call('ZRANGEBYLEX', KEYS[n], ARGV[3 * n - 1], ARGV[3 * n], 'LIMIT', '0', ARGV[3 * n + 1])
end
return found
