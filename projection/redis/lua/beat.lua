-- Say that a projector is at work, and which ones are.
-- KEYS[1]    projectors (ZSET, member -> Unix milliseconds of its last beat by the server's clock)
-- ARGV[1]    the member; ARGV[2] milliseconds without a beat after which a member is gone
-- Returns    the members, this one among them
-- The clock may be another one since the last call, after a failover: what lies ahead of it is gone too, and comes back
-- with its next beat.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local gone = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now - gone))
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%d', now + gone), '+inf')
redis.call('ZADD', KEYS[1], string.format('%d', now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], 2 * gone)
return redis.call('ZRANGE', KEYS[1], 0, -1)
