-- Repair the index of operations of one stream. A key of another type in its place is removed.
-- KEYS[1]    stream; KEYS[2] operations
-- ARGV[1]    number of operations to remove; then for each: id, the version that it has if it is to go
-- ARGV[..]   for each event to add: version, hash, number of operations, their ids
-- Returns    the number of operations removed and added
local stream, operations = KEYS[1], KEYS[2]
local changed, at = 0, 2
local found = redis.pcall('HLEN', operations)
if type(found) == 'table' and found.err then
  redis.call('UNLINK', operations)
end
for _ = 1, tonumber(ARGV[1]) do
  if redis.call('HGET', operations, ARGV[at]) == ARGV[at + 1] then
    changed = changed + redis.call('HDEL', operations, ARGV[at])
  end
  at = at + 2
end
while at <= #ARGV do
  local id, hash, ids = ARGV[at] .. '-0', ARGV[at + 1], tonumber(ARGV[at + 2])
  local entry = redis.call('XRANGE', stream, id, id, 'COUNT', 1)[1]
  for i = at + 3, at + 2 + ids do
    if entry and entry[2][4] == hash then
      redis.call('HSET', operations, ARGV[i], ARGV[at])
      changed = changed + 1
    end
  end
  at = at + 3 + ids
end
return changed
