-- Note in a graph's checkpoint that projection has stopped behind it.
-- KEYS[1]    state (HASH)
-- ARGV[1,2]  version and hash of the checkpoint; ARGV[3] the reason, or '' to look only
-- ARGV[4]    version that stopped it
-- Returns    0: the checkpoint has moved, nothing was written; 1: done, and there is no dead letter of that version
--            yet; 2: done, and there is one
local at = redis.call('HMGET', KEYS[1], 'version', 'hash', 'letter')
if (at[1] or '0') ~= ARGV[1] or (at[2] or '') ~= ARGV[2] then
  return 0
end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'stalled', ARGV[3], 'letter', ARGV[4])
end
if at[3] == ARGV[4] then
  return 2
end
return 1
