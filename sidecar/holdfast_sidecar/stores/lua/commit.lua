-- Guarded transactions, each by itself and in order. Answers per item 0 applied, 1 fenced, 2 conflict.
-- Per item: KEYS fence, instance, activities, reminders, due, index;
-- ARGV 12 heads (epoch, expected version, id, flags, index text, length of all lists, lengths of the six), then the lists:
-- fields to set (metadata, its value, etag, its value, ...), fields to delete, activities to delete, activities to set,
-- reminders to delete, reminders to put.
-- Nothing of an item is written before both guards have passed, and a server that refuses writes refuses the first.
-- Upvalues, string comparisons and slices of ARGV instead of tables: this is the hot path of the server.
local RESET_HISTORY, CLEAR_ACTIVITIES = 2, 4
local DELETE = '1' -- flags of an item that goes: nothing else counts then
local HEADS = 12
local SLICE = 4000 -- arguments of one command: Lua's stack ends at 8000; even, because fields travel in pairs
local STAMP = 21 -- digits of a time
local NEVER = '-'
local call, unpack, band = redis.call, unpack, bit.band

local function each(command, key, first, last)
  for from = first, last, SLICE do
    call(command, key, unpack(ARGV, from, math.min(from + SLICE - 1, last)))
  end
end

local function each_of(command, key, list)
  for from = 1, #list, SLICE do
    call(command, key, unpack(list, from, math.min(from + SLICE - 1, #list)))
  end
end

-- What one instance adds to the index; text is status digit, created, completed, name.
local function entries(id, text)
  local status, created = text:sub(1, 1), text:sub(2, 1 + STAMP)
  local completed, name = text:sub(2 + STAMP, 1 + 2 * STAMP), text:sub(2 + 2 * STAMP)
  local list = { 'c' .. created .. id, 's' .. status .. created .. id,
    'n' .. #name .. ':' .. name .. status .. created .. id, 'i' .. id }
  if completed:sub(1, 1) ~= NEVER then list[5] = 'e' .. status .. completed .. id end
  return list
end

local function reindex(key, id, old, new)
  local gone, fresh = {}, {}
  if old then
    for _, member in ipairs(entries(id, old)) do gone[member] = true end
  end
  if new then
    for _, member in ipairs(entries(id, new)) do
      if gone[member] then
        gone[member] = nil
      else
        fresh[#fresh + 1], fresh[#fresh + 2] = '0', member
      end
    end
  end
  local rest = {}
  for member in pairs(gone) do rest[#rest + 1] = member end
  each_of('ZREM', key, rest)
  each_of('ZADD', key, fresh)
end

local function drop_reminders(reminders, due, id)
  local rows, gone = call('HGETALL', reminders), {}
  for n = 1, #rows, 2 do gone[#gone + 1] = rows[n + 1]:sub(1, STAMP) .. id .. '\0' .. rows[n] end
  each_of('ZREM', due, gone)
  call('DEL', reminders)
end

-- The old rows that the new history does not reach.
local function drop_history(key, old, new)
  local gone = {}
  for row = new:match('^%d+ (%d+)'), old:match('^%d+ (%d+)') - 1 do
    gone[#gone + 1] = string.format('history-%06d', row)
  end
  each_of('HDEL', key, gone)
end

local function delete_reminders(reminders, due, id, first, last)
  for at = first, last do
    local old = call('HGET', reminders, ARGV[at])
    if old then
      call('ZREM', due, old:sub(1, STAMP) .. id .. '\0' .. ARGV[at])
      call('HDEL', reminders, ARGV[at])
    end
  end
end

-- Pairs of name and due .. data.
local function put_reminders(reminders, due, id, first, last)
  for at = first, last, 2 do
    local name, row = ARGV[at], ARGV[at + 1]
    local old, at_due = call('HGET', reminders, name), row:sub(1, STAMP)
    if old and old:sub(1, STAMP) ~= at_due then call('ZREM', due, old:sub(1, STAMP) .. id .. '\0' .. name) end
    call('ZADD', due, '0', at_due .. id .. '\0' .. name)
    call('HSET', reminders, name, row)
  end
end

local function delete(k, id, text)
  drop_reminders(KEYS[k + 3], KEYS[k + 4], id)
  reindex(KEYS[k + 5], id, text, false)
  call('UNLINK', KEYS[k + 1], KEYS[k + 2])
end

-- Setting comes first, because the first write is the one that a full server refuses: it must be one that needs room.
local function write(k, at, old_etag, old_text)
  local id, text, instance = ARGV[at + 2], ARGV[at + 4], KEYS[k + 1]
  local first = at + HEADS
  local last = first + ARGV[at + 6] - 1
  each('HSET', instance, first, last)
  if old_text ~= text then
    call('HSET', instance, 'index', text)
    reindex(KEYS[k + 5], id, old_text, text)
  end
  if ARGV[at + 3] ~= '0' then
    local flags = tonumber(ARGV[at + 3])
    if band(flags, RESET_HISTORY) ~= 0 and old_etag then drop_history(instance, old_etag, ARGV[first + 3]) end
    if band(flags, CLEAR_ACTIVITIES) ~= 0 then call('UNLINK', KEYS[k + 2]) end
  end
  for list = 7, 11 do
    if ARGV[at + list] ~= '0' then
      first = last + 1
      last = last + ARGV[at + list]
      if list == 7 then
        each('HDEL', instance, first, last)
      elseif list == 8 then
        each('HDEL', KEYS[k + 2], first, last)
      elseif list == 9 then
        each('HSET', KEYS[k + 2], first, last)
      elseif list == 10 then
        delete_reminders(KEYS[k + 3], KEYS[k + 4], id, first, last)
      else
        put_reminders(KEYS[k + 3], KEYS[k + 4], id, first, last)
      end
    end
  end
end

local fences, outcomes = {}, {}

local function fence_of(key)
  local fence = fences[key]
  if not fence then
    fence = tonumber(call('GET', key) or '0')
    fences[key] = fence
  end
  return fence
end

local at, k = 2, 1
for n = 1, tonumber(ARGV[1]) do
  if fence_of(KEYS[k]) > tonumber(ARGV[at]) then
    outcomes[n] = 1
  else
    local old = call('HMGET', KEYS[k + 1], 'etag', 'index')
    if (old[1] and old[1]:match('^%d+') or '0') ~= ARGV[at + 1] then
      outcomes[n] = 2
    else
      if ARGV[at + 3] == DELETE then
        delete(k, ARGV[at + 2], old[2])
      else
        write(k, at, old[1], old[2])
      end
      outcomes[n] = 0
    end
  end
  at, k = at + HEADS + ARGV[at + 5], k + 6
end
return outcomes
