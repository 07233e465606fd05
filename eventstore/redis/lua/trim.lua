-- Drop the oldest events of one stream, and their operations from the index.
-- KEYS[1]    stream; KEYS[2] operations; KEYS[3] base
-- ARGV[1]    first version to be dropped; ARGV[2] last; ARGV[3] hash of the last
-- ARGV[4]    number of operations; ARGV[5..] their ids, then the version of each
-- Returns    {1, 0}                what was to be dropped is gone, now or since an earlier call
--            {0, version, why}     nothing was dropped: "oldest" event is of that version; "base" is; "other" event stands
--                                  there, or none; "newest" is that one
-- XTRIM and HDEL are not refused for want of memory, and everything else that may fail comes before them.
local stream, operations, base = KEYS[1], KEYS[2], KEYS[3]
local first, last, ids = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local firstId, chunk = 5, 2000 -- unpack has its limits

local function versionOf(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

local entry = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
local begins = entry and versionOf(entry) or 0
local oldest = begins
if entry and entry[2][1] == 'base' then -- stands before the oldest event
  oldest = oldest + 1
end
local reaches = tonumber(redis.call('HGET', base, 'version') or 0)
if oldest > last then
  return {1, 0}
end
if oldest < first then
  return {0, oldest, 'oldest'}
end
if oldest > first and reaches < oldest - 1 then
  return {0, first, 'other'}
end
if reaches < last then
  return {0, reaches, 'base'}
end
local id = string.format('%d-0', last)
entry = redis.call('XRANGE', stream, id, id, 'COUNT', 1)[1]
if not entry or entry[2][4] ~= ARGV[3] then
  return {0, last, 'other'}
end
local newest = versionOf(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1])
if newest == last then
  return {0, last, 'newest'}
end

local drop = {}
for from = 0, ids - 1, chunk do
  local to = math.min(from + chunk, ids)
  local versions = redis.call('HMGET', operations, unpack(ARGV, firstId + from, firstId + to - 1))
  for i = 1, #versions do
    if versions[i] and versions[i] == ARGV[firstId + ids + from + i - 1] then
      drop[#drop + 1] = ARGV[firstId + from + i - 1]
    end
  end
end
if redis.call('XLEN', stream) == newest - begins + 1 then -- no hole: the Redis inside the process is quick at this one
  redis.call('XTRIM', stream, 'MAXLEN', string.format('%d', newest - last))
else
  redis.call('XTRIM', stream, 'MINID', string.format('%d-0', last + 1))
end
for from = 1, #drop, chunk do
  redis.call('HDEL', operations, unpack(drop, from, math.min(from + chunk - 1, #drop)))
end
return {1, 0}
