-- Write a folded batch into a graph's read models, if they still stand where the fold started and the log holds what
-- the batch leads to.
-- KEYS[1]    state (HASH)
-- KEYS[2]    events, the log (STREAM)
-- KEYS[3..6] nodes, edges, viewport, stats (HASH)
-- KEYS[7..]  incidence sets (SET), as many as ARGV[7] says; then the sets to remove first
-- ARGV[1,2]  version and hash of the start; ARGV[3,4] version and hash of the end
-- ARGV[5]    1 to remove what is there first; ARGV[6] 1 to remove the old viewport
-- ARGV[7]    number of incidence sets to write
-- ARGV[8..]  lists, each a count and as many arguments: fields of state; nodes to set and to remove; edges to set and
--            to remove; fields of the viewport; fields and increments of stats; then for each incidence set members to
--            add and to remove
-- Returns    1: written, now or before; 0: the read models stand elsewhere; -1: the log does not hold the end.
--            Nothing is written for 0 and -1
local at = redis.call('HMGET', KEYS[1], 'version', 'hash', 'stalled')
local version, hash = at[1] or '0', at[2] or ''
if version ~= ARGV[1] or hash ~= ARGV[2] then
  if version == ARGV[3] and hash == ARGV[4] then
    return 1
  end
  return 0
end

local id = ARGV[3] .. '-0'
local entry = redis.call('XRANGE', KEYS[2], id, id)[1]
local logged = false
if entry then
  for i = 1, #entry[2], 2 do
    logged = logged or (entry[2][i] == 'hash' and entry[2][i + 1] == ARGV[4])
  end
end
if not logged then
  return -1
end

local sets = tonumber(ARGV[7])
if ARGV[5] == '1' then
  redis.call('DEL', KEYS[1], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
  for i = 7 + sets, #KEYS do
    redis.call('DEL', KEYS[i])
  end
end
if ARGV[6] == '1' then
  redis.call('DEL', KEYS[5])
end

local position = 8
-- write passes the next list to command, in parts, as unpack has its limits.
local function write(command, key)
  local last = position + tonumber(ARGV[position])
  for first = position + 1, last, 1000 do
    redis.call(command, key, unpack(ARGV, first, math.min(first + 999, last)))
  end
  position = last + 1
end

if at[3] then
  redis.call('HDEL', KEYS[1], 'stalled')
end
write('HSET', KEYS[1])
write('HSET', KEYS[3])
write('HDEL', KEYS[3])
write('HSET', KEYS[4])
write('HDEL', KEYS[4])
write('HSET', KEYS[5])
local last = position + tonumber(ARGV[position])
for i = position + 1, last, 2 do
  redis.call('HINCRBY', KEYS[6], ARGV[i], ARGV[i + 1])
end
position = last + 1
for i = 7, 6 + sets do
  write('SADD', KEYS[i])
  write('SREM', KEYS[i])
end
return 1
