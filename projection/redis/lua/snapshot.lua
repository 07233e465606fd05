-- Keep a snapshot, if the log holds its version with its hash.
-- KEYS[1]    events, the log (STREAM, entry id "<version>-0", fields event and hash)
-- KEYS[2]    index of snapshots (ZSET, score version)
-- KEYS[3]    the snapshot (STRING)
-- ARGV[1,2]  its version and hash; ARGV[3] its member of the index; ARGV[4] its data
-- Returns    1: kept, in the place of any other of that version; 0: the log does not hold it, nothing was written
local id = ARGV[1] .. '-0'
local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
if not entry or entry[2][3] ~= 'hash' or entry[2][4] ~= ARGV[2] then
  return 0
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], ARGV[1], ARGV[1])
redis.call('SET', KEYS[3], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[3])
return 1
