-- Remove a graph's read models and snapshots, if the read models still stand where the list of their keys was made.
-- KEYS[1]    state (HASH); KEYS[2] index of snapshots (ZSET); then the snapshots; then all other keys
-- ARGV[1,2]  version and hash of the checkpoint
-- ARGV[3..]  the snapshots' members of the index; one that is not there any more has been replaced, and stays
-- Returns    1: removed; 0: the checkpoint has moved, nothing was removed
local version, hash = position(KEYS[1])
if version ~= ARGV[1] or hash ~= ARGV[2] then
  return 0
end
local snapshots = #ARGV - 2
for i = 1, snapshots do
  if redis.call('ZREM', KEYS[2], ARGV[2 + i]) == 1 then
    redis.call('UNLINK', KEYS[2 + i])
  end
end
redis.call('UNLINK', KEYS[1])
for i = 3 + snapshots, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
return 1
