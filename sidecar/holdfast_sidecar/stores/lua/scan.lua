-- Members of an ordered set that start with one of several prefixes, without the prefix, each prefix by itself in order.
-- Per item: KEYS set; ARGV '[' or '(', low, high (not included), most members of one prefix, number of prefixes, prefixes.
-- They are not merged here: Lua compares text by the server's locale, not by bytes.
local found, at = {}, 2
for n = 1, #KEYS do
  local bracket, low, high, most, count = unpack(ARGV, at, at + 4)
  local positions = {}
  for prefix_at = at + 5, at + 4 + count do
    local prefix = ARGV[prefix_at]
    local members = redis.call('ZRANGEBYLEX', KEYS[n], bracket .. prefix .. low, '(' .. prefix .. high, 'LIMIT', '0', most)
    for _, member in ipairs(members) do positions[#positions + 1] = member:sub(#prefix + 1) end
  end
  found[n] = positions
  at = at + 5 + count
end
return found
