-- All of each instance in one snapshot. Per item: KEYS instance, activities, reminders. No arguments.
local found = {}
for n = 1, #KEYS, 3 do
  local state = redis.call('HGETALL', KEYS[n])
  if #state == 0 then
    found[#found + 1] = false
  else
    found[#found + 1] = { state, redis.call('HGETALL', KEYS[n + 1]), redis.call('HGETALL', KEYS[n + 2]) }
  end
end
return found
