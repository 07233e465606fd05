-- Put staged read models in the place of those that are served, together with the checkpoint, if these stand where they
-- are expected, and the log holds what this leads to.
-- KEYS[1]    state (HASH)
-- KEYS[2]    events, the log (STREAM, entry id "<version>-0", fields event and hash)
-- KEYS[3]    a key that does not exist, so that the script is refused as a whole while its slot moves
-- KEYS[4..]  the staged keys; then in the same order the keys in whose place they go; then keys to remove; then what
--            else is written to
-- ARGV[1,2]  version and hash of where the read models are expected; ARGV[3,4] version and hash of the end
-- ARGV[5..9] the end's checksum, lastModified, lastOperationId, number of nodes, number of edges
-- ARGV[10]   the graph's conflict policy, '' for none
-- ARGV[11]   number of staged keys; ARGV[12] number of keys to remove
-- ARGV[13..] writes (writes.lua), which lead from what was staged to the end
-- Returns    1: done; 0: the read models stand elsewhere; -1: the log does not hold the end; -2: the read models have come
--            further; -3: what was staged is gone. Nothing is written but for 1
local version, hash = position(KEYS[1])
if version ~= ARGV[1] or hash ~= ARGV[2] then
  return 0
end

local function held(at, as)
  local id = at .. '-0'
  local entry = redis.call('XRANGE', KEYS[2], id, id)[1]
  return entry and entry[2][3] == 'hash' and entry[2][4] == as
end
if not held(ARGV[3], ARGV[4]) then
  return -1
end
local further = #version > #ARGV[3] or #version == #ARGV[3] and version > ARGV[3]
if further and held(version, hash) then -- else they are of another history
  return -2
end

-- each calls a command with keys from to to, as many at once as unpack takes; it returns the sum of the answers.
local function each(command, from, to)
  local sum = 0
  for first = from, to, 1000 do
    sum = sum + redis.call(command, unpack(KEYS, first, math.min(first + 999, to)))
  end
  return sum
end
local staged, removed = tonumber(ARGV[11]), tonumber(ARGV[12])
if each('EXISTS', 4, 3 + staged) < staged then
  return -3
end

each('UNLINK', 4 + staged, 3 + 2 * staged + removed)
for i = 4, 3 + staged do
  redis.call('RENAME', KEYS[i], KEYS[i + staged])
  redis.call('PERSIST', KEYS[i + staged])
end
write(13)
redis.call('UNLINK', KEYS[1])
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'hash', ARGV[4], 'checksum', ARGV[5], 'lastModified', ARGV[6],
  'lastOperationId', ARGV[7], 'nodes', ARGV[8], 'edges', ARGV[9])
if ARGV[10] ~= '' then
  redis.call('HSET', KEYS[1], 'policy', ARGV[10])
end
return 1
