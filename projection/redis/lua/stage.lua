-- Write a part of staged read models.
-- KEYS[1..]  staged keys
-- ARGV[1]    milliseconds until they go away, unless they are written to again or swapped in
-- ARGV[2..]  writes (writes.lua)
write(2)
for i = 1, #KEYS do
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
end
return 1
