-- Write a folded batch into a graph's read models, if they still stand where the fold started and the log holds what
-- the batch leads to.
-- KEYS[1]    state (HASH)
-- KEYS[2]    events, the log (STREAM, entry id "<version>-0", fields event and hash)
-- KEYS[3..]  what else is written to; among it, where a key is removed and then written to, one that does not exist, so that
--            the script is refused as a whole while its slot moves
-- ARGV[1,2]  version and hash of the start; ARGV[3,4] version and hash of the end
-- ARGV[5..9] the end's checksum, lastModified, lastOperationId, number of nodes, number of edges
-- ARGV[10]   the graph's conflict policy, '' for none
-- ARGV[11..] writes (writes.lua)
-- Returns    1: written, now or before; 0: the read models stand elsewhere; -1: the log does not hold the end.
--            Nothing is written for 0 and -1
local state = redis.call('HMGET', KEYS[1], 'version', 'hash', 'stalled')
local version, hash = state[1] or '0', state[2] or ''
if version ~= ARGV[1] or hash ~= ARGV[2] then
  if version == ARGV[3] and hash == ARGV[4] then
    return 1
  end
  return 0
end

-- The head may be further by now, and the log may have been deleted and begun anew since it was read: only the entry
-- itself can tell.
local id = ARGV[3] .. '-0'
local entry = redis.call('XRANGE', KEYS[2], id, id)[1]
if not entry or entry[2][3] ~= 'hash' or entry[2][4] ~= ARGV[4] then
  return -1
end

write(11)
if state[3] then
  redis.call('HDEL', KEYS[1], 'stalled')
end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'hash', ARGV[4], 'checksum', ARGV[5], 'lastModified', ARGV[6],
  'lastOperationId', ARGV[7], 'nodes', ARGV[8], 'edges', ARGV[9])
if ARGV[10] ~= '' then
  redis.call('HSET', KEYS[1], 'policy', ARGV[10])
end
return 1
