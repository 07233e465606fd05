-- Take tokens out of a bucket that processes share.
-- KEYS[1]    bucket (STRING: the Unix microseconds at which it will be full; no key: it is full)
-- ARGV[1]    tokens a second
-- ARGV[2]    tokens that a full bucket holds
-- ARGV[3]    tokens needed: all of them or, if the bucket holds fewer, none; more than it can hold take a full one and
--            leave a debt, of a minute at most
-- ARGV[4]    further tokens, as many of them as there are
-- ARGV[5]    the Unix microseconds, or '' for this server's clock
-- Returns    {tokens taken, microseconds until the bucket will be full}
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local need, extra = tonumber(ARGV[3]), tonumber(ARGV[4])
local now = tonumber(ARGV[5])
if not now then
  local clock = redis.call('TIME')
  now = clock[1] * 1000000 + clock[2]
end

local token = 1000000 / rate
-- No debt is deeper than a minute. A clock that was put back, or a server with another one, is not to block a bucket.
local missing = math.min(math.max(0, (tonumber(redis.call('GET', KEYS[1])) or now) - now), burst * token + 61000000)
local level = burst - missing / token
if math.min(need, burst) > level + 0.000001 then
  return {0, missing}
end
local taken = need + math.max(0, math.min(extra, math.floor(level - need + 0.000001)))
if taken > 0 then
  missing = math.ceil(missing + taken * token)
  redis.call('SET', KEYS[1], string.format('%d', now + missing), 'PX', math.ceil(missing / 1000))
end
return {taken, missing}
