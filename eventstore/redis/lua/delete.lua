-- Delete one stream and its operations, and tell its subscribers.
-- KEYS[1]    stream; KEYS[2] operations
-- ARGV[1]    command that publishes on the stream's channel, PUBLISH or SPUBLISH; ARGV[2] that channel
-- Returns    the number of keys removed
-- Publishes  "deleted"
local removed = redis.call('DEL', KEYS[1], KEYS[2])
redis.pcall(ARGV[1], ARGV[2], 'deleted')
return removed
