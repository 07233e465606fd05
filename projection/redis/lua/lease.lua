-- Take or renew a lease.
-- KEYS[1]  lease (STRING, the holder's name)
-- ARGV[1]  who asks for it; ARGV[2] for how many milliseconds
-- Returns  1: it is theirs; 0: it is another's
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
