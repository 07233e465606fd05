-- Delete one stream, all that belongs to it, and tell its subscribers.
-- KEYS       stream, operations, base, what is left of rewrites
-- ARGV[1]    command that publishes on the stream's channel, PUBLISH or SPUBLISH; ARGV[2] that channel
-- Returns    the number of keys removed
-- Publishes  "deleted"
local removed = 0
for _, key in ipairs(KEYS) do
  removed = removed + redis.call('UNLINK', key)
end
redis.pcall(ARGV[1], ARGV[2], 'deleted')
return removed
