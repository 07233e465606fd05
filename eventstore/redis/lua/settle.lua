-- Take a stream off the active ones, unless it was marked again.
-- KEYS[1]    active (ZSET, stream -> Unix milliseconds)
-- ARGV[1]    stream; ARGV[2] the mark it had
-- Returns    1 if it was taken off, else 0
local mark = redis.call('ZSCORE', KEYS[1], ARGV[1])
if mark and tonumber(mark) == tonumber(ARGV[2]) then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
