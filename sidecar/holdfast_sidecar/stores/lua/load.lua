-- All of each instance in one snapshot. Per item: KEYS instance, activities, reminders, fence; ARGV '1' to be sure.
-- Sure means that replicas have what is seen. WAIT waits for writes of its own connection only, so one is made: the fence
-- as it is.
local found = {}
for n = 1, tonumber(ARGV[1]) do
  local k = 4 * n - 3
  local state = redis.call('HGETALL', KEYS[k])
  if #state == 0 then
    found[n] = false
  else
    found[n] = { state, redis.call('HGETALL', KEYS[k + 1]), redis.call('HGETALL', KEYS[k + 2]) }
  end
  if ARGV[1 + n] == '1' then redis.call('SET', KEYS[k + 3], redis.call('GET', KEYS[k + 3]) or '0') end
end
return found
