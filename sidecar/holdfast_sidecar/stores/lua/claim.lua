-- Writes what the data belongs to, unless it is there. One item: KEYS layout; ARGV field, value, ... Answers what is stored.
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], unpack(ARGV, 2)) end
return { redis.call('HGETALL', KEYS[1]) }
