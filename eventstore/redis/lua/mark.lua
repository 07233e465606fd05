-- Mark a stream as active now. Marks of one stream only grow, so an unchanged mark means that none came since.
-- KEYS[1]    active (ZSET, stream -> Unix milliseconds by the server's clock)
-- ARGV[1]    stream
-- Returns    the mark
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
local mark = math.max(now, last + 1)
redis.call('ZADD', KEYS[1], string.format('%d', mark), ARGV[1])
return mark
