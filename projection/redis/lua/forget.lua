-- Remove snapshots of a graph.
-- KEYS[1]    index of snapshots (ZSET); KEYS[2..] the snapshots (STRING)
-- ARGV[1..]  their members of the index; one that is not there any more has been replaced, and stays
-- Returns    how many were removed
local removed = 0
for i = 1, #ARGV do
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('UNLINK', KEYS[1 + i])
    removed = removed + 1
  end
end
return removed
