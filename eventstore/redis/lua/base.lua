-- Keep the base of one stream: the state up to one of its events.
-- KEYS[1]    stream; KEYS[2] base (HASH version, hash, data)
-- ARGV[1]    version of the base; ARGV[2] its hash; ARGV[3] its data
-- Returns    1 if it is kept, or a newer one of the same history stays
--            0 if the stream holds no such event, and the base is not that already; nothing was written
local stream, base = KEYS[1], KEYS[2]

local function holds(version, hash)
  local id = version .. '-0'
  local entry = redis.call('XRANGE', stream, id, id, 'COUNT', 1)[1]
  return entry ~= nil and entry[2][4] == hash
end

local known = redis.call('HMGET', base, 'version', 'hash')
if known[1] == ARGV[1] and known[2] == ARGV[2] then
  redis.call('HSET', base, 'data', ARGV[3])
  return 1
end
if not holds(ARGV[1], ARGV[2]) then
  return 0
end
if known[1] and tonumber(known[1]) > tonumber(ARGV[1]) and holds(known[1], known[2]) then
  return 1
end
redis.call('HSET', base, 'version', ARGV[1], 'hash', ARGV[2], 'data', ARGV[3])
return 1
