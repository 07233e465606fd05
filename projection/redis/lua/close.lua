-- Add a letter to the closed ones, unless one of the newest is the same.
-- KEYS[1]    deadletters:closed (STREAM)
-- ARGV[1]    how many to keep, about; ARGV[2] the letter's id
-- ARGV[3..]  further fields and values
-- Returns    1: added; 0: it was there
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 200)) do
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'id' and entry[2][i + 1] == ARGV[2] then
      return 0
    end
  end
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'id', ARGV[2], unpack(ARGV, 3))
return 1
