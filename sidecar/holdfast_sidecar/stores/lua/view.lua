-- What queries show. Per item: KEYS instance; ARGV '1' for the rows of input and output too.
local TERMINAL = { ['1'] = true, ['3'] = true, ['4'] = true, ['5'] = true }

-- The start is the first inbox row while the history is empty, then history row 1; the end is the last row of history.
local function rows(key, etag, status)
  local length, inbox_first = etag:match('^%d+ (%d+) (%d+)$')
  if length == '0' then return redis.call('HGET', key, string.format('inbox-%06d', inbox_first)), false end
  local last = TERMINAL[status] and redis.call('HGET', key, string.format('history-%06d', length - 1))
  return redis.call('HGET', key, 'history-000001'), last or false
end

local found = {}
for n = 1, #KEYS do
  local row = redis.call('HMGET', KEYS[n], 'metadata', 'customStatus', 'etag', 'index')
  if row[1] and ARGV[1 + n] == '1' then
    found[n] = { row[1], row[2], rows(KEYS[n], row[3], row[4]:sub(1, 1)) }
  else
    found[n] = row[1] and { row[1], row[2] } or false
  end
end
return found
