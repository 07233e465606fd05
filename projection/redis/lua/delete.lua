-- Remove a graph's read models, if they still stand where the list of their keys was made.
-- KEYS[1]    state (HASH); KEYS[2..] all other keys
-- ARGV[1,2]  version and hash of the checkpoint
-- Returns    1: removed; 0: the checkpoint has moved, nothing was removed
local at = redis.call('HMGET', KEYS[1], 'version', 'hash')
if (at[1] or '0') ~= ARGV[1] or (at[2] or '') ~= ARGV[2] then
  return 0
end
for i = 1, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
return 1
