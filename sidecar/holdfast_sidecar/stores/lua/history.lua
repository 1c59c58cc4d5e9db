-- History rows. Per item: KEYS instance; ARGV first row, most rows (0: all).
local SLICE = 4000
local found = {}
for n = 1, #KEYS do
  local first, limit, rows = tonumber(ARGV[2 * n]), tonumber(ARGV[2 * n + 1]), {}
  local etag = redis.call('HGET', KEYS[n], 'etag')
  local last = etag and tonumber(etag:match('^%d+ (%d+)')) - 1 or -1
  if limit > 0 then last = math.min(last, first + limit - 1) end
  for from = first, last, SLICE do
    local fields = {}
    for row = from, math.min(from + SLICE - 1, last) do fields[#fields + 1] = string.format('history-%06d', row) end
    for _, event in ipairs(redis.call('HMGET', KEYS[n], unpack(fields))) do rows[#rows + 1] = event end
  end
  found[n] = rows
end
return found
