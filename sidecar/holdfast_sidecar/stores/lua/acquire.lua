-- Raises fences. Per item: KEYS fence; ARGV epoch. Answers 1 for each fence that was not already higher.
-- One that stands at the epoch is written all the same: WAIT waits for writes of its own connection only.
local held = {}
for n = 1, #KEYS do
  local epoch = tonumber(ARGV[1 + n])
  local fence = tonumber(redis.call('GET', KEYS[n]) or '0')
  if fence > epoch then
    held[n] = 0
  else
    redis.call('SET', KEYS[n], ARGV[1 + n])
    held[n] = 1
  end
end
return held
