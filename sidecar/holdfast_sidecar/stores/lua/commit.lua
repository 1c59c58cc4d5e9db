-- Guarded transactions, each by itself and in order. Answers per item 0 applied, 1 fenced, 2 conflict.
-- Per item: KEYS fence, instance, activities, reminders, due, index;
-- ARGV 11 heads (epoch, expected version, id, flags, index text, lengths of six lists), then the six lists:
-- fields to delete, fields to set, activities to delete, to set, reminders to delete, to put.
-- Nothing of an item is written before both guards have passed, and a server that refuses writes refuses the first.
local DELETE, RESET_HISTORY, CLEAR_ACTIVITIES, CLEAR_REMINDERS = 1, 2, 4, 8
local SLICE = 4000 -- arguments of one command: Lua's stack ends at 8000; even, because fields travel in pairs
local NEVER = '-'

local function each(command, key, first, last)
  for from = first, last, SLICE do
    redis.call(command, key, unpack(ARGV, from, math.min(from + SLICE - 1, last)))
  end
end

local function each_of(command, key, list)
  for from = 1, #list, SLICE do
    redis.call(command, key, unpack(list, from, math.min(from + SLICE - 1, #list)))
  end
end

-- What one instance adds to the index; text is status digit, created (21), completed (21), name.
local function entries(id, text)
  local status, created, completed, name = text:sub(1, 1), text:sub(2, 22), text:sub(23, 43), text:sub(44)
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
  local rows, gone = redis.call('HGETALL', reminders), {}
  for n = 1, #rows, 2 do gone[#gone + 1] = rows[n + 1]:sub(1, 21) .. id .. '\0' .. rows[n] end
  each_of('ZREM', due, gone)
  redis.call('DEL', reminders)
end

local function drop_history(key, length)
  local gone = {}
  for row = 0, length - 1 do gone[row + 1] = string.format('history-%06d', row) end
  each_of('HDEL', key, gone)
end

local function delete_reminders(reminders, due, id, first, last)
  for at = first, last do
    local old = redis.call('HGET', reminders, ARGV[at])
    if old then
      redis.call('ZREM', due, old:sub(1, 21) .. id .. '\0' .. ARGV[at])
      redis.call('HDEL', reminders, ARGV[at])
    end
  end
end

-- Pairs of name and due (21) .. data.
local function put_reminders(reminders, due, id, first, last)
  for at = first, last, 2 do
    local name, row = ARGV[at], ARGV[at + 1]
    local old, at_due = redis.call('HGET', reminders, name), row:sub(1, 21)
    if old and old:sub(1, 21) ~= at_due then redis.call('ZREM', due, old:sub(1, 21) .. id .. '\0' .. name) end
    redis.call('ZADD', due, '0', at_due .. id .. '\0' .. name)
    redis.call('HSET', reminders, name, row)
  end
end

local fences, outcomes, at = {}, {}, 2

local function fence_of(key)
  local fence = fences[key]
  if not fence then
    fence = tonumber(redis.call('GET', key) or '0')
    fences[key] = fence
  end
  return fence
end

local function apply(k, old, lists, ends)
  local instance, activities, reminders, due, index = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 4], KEYS[k + 5]
  local id, flags, text = ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4]
  local deletes = bit.band(flags, DELETE) ~= 0
  -- The first write of a script is the one that a full server refuses: it must be one that needs room.
  if not deletes then redis.call('HSET', instance, 'index', text) end
  if deletes or bit.band(flags, CLEAR_REMINDERS) ~= 0 then drop_reminders(reminders, due, id) end
  if deletes or bit.band(flags, CLEAR_ACTIVITIES) ~= 0 then redis.call('UNLINK', activities) end
  if deletes then
    reindex(index, id, old[2], false)
    redis.call('UNLINK', instance)
    return
  end
  if old[2] ~= text then reindex(index, id, old[2], text) end
  if bit.band(flags, RESET_HISTORY) ~= 0 and old[1] then drop_history(instance, tonumber(old[1]:match('^%d+ (%d+)'))) end
  each('HDEL', instance, lists[1], ends[1])
  each('HSET', instance, lists[2], ends[2])
  each('HDEL', activities, lists[3], ends[3])
  each('HSET', activities, lists[4], ends[4])
  delete_reminders(reminders, due, id, lists[5], ends[5])
  put_reminders(reminders, due, id, lists[6], ends[6])
end

for n = 1, tonumber(ARGV[1]) do
  local k = (n - 1) * 6 + 1
  local lists, ends, from = {}, {}, at + 11
  for list = 1, 6 do
    lists[list] = from
    from = from + tonumber(ARGV[at + 4 + list])
    ends[list] = from - 1
  end
  if fence_of(KEYS[k]) > tonumber(ARGV[at]) then
    outcomes[n] = 1
  else
    local old = redis.call('HMGET', KEYS[k + 1], 'etag', 'index')
    if (old[1] and old[1]:match('^%d+') or '0') ~= ARGV[at + 1] then
      outcomes[n] = 2
    else
      apply(k, old, lists, ends)
      outcomes[n] = 0
    end
  end
  at = from
end
return outcomes
