-- Append events to one stream if it is still at the expected version and none of their operations is known.
-- KEYS[1]    stream (STREAM, entry id "<version>-0", fields event and hash)
-- KEYS[2]    operations (HASH, operation id -> version)
-- ARGV[1]    expected version
-- ARGV[2]    number of events, at least one; ARGV[3] number of operations
-- ARGV[4]    command that publishes on the stream's channel, PUBLISH or SPUBLISH; ARGV[5] that channel
-- ARGV[6]    channel of all appends, '' to tell nobody; ARGV[7] the message for it
-- ARGV[8..]  for each event, oldest first: event, hash; then the operations' ids; then the version of each
-- Returns    {1, new version}
--            {0, actual version}                   the stream is elsewhere, nothing was written
--            {2, version, v1, v2 ...}              an operation is known, nothing was written: the version of each, or 0
--            {3, version}                          the stream has lost its end: it had that version, and holds it no more
-- Publishes  "<version of the first event> <number>\n", then "<hash> <event>\n" for each
-- A script does not roll back: all that may refuse comes before the first XADD, and a failing PUBLISH is passed over.
local stream, operations = KEYS[1], KEYS[2]
local expected, events, ids = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local firstId = 8 + 2 * events
local chunk = 2000 -- unpack has its limits

local function head()
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^%d+')) or 0
end

-- With as many entries as the expected version the head is there, or above: then XADD refuses. A stream whose
-- beginning was trimmed has fewer.
if redis.call('XLEN', stream) ~= expected then
  local actual = head()
  if actual ~= expected then
    return {0, actual}
  end
end

for from = firstId, firstId + ids - 1, chunk do
  local known = redis.call('HMGET', operations, unpack(ARGV, from, math.min(from + chunk, firstId + ids) - 1))
  for i = 1, #known do
    if known[i] then
      local answer = {2, expected}
      for id = firstId, firstId + ids - 1 do
        answer[#answer + 1] = tonumber(redis.call('HGET', operations, ARGV[id]) or 0)
      end
      return answer
    end
  end
end

local message = {string.format('%d %d\n', expected + 1, events)}
for i = 0, events - 1 do
  local event, hash = ARGV[8 + 2 * i], ARGV[9 + 2 * i]
  local id = string.format('%d-0', expected + 1 + i)
  local added
  if expected + i == 0 then
    added = redis.pcall('XADD', stream, id, 'event', event, 'hash', hash)
  else
    added = redis.pcall('XADD', stream, 'NOMKSTREAM', id, 'event', event, 'hash', hash)
  end
  if type(added) ~= 'string' then
    if i == 0 then
      local actual = head()
      if actual ~= expected then
        return {0, actual}
      end
      if added and string.sub(added.err, 1, 4) ~= 'ERR ' then
        return added -- out of memory, read only and the like; ERR is about the id
      end
    end
    return {3, expected + 1 + i}
  end
  local at = #message
  message[at + 1], message[at + 2], message[at + 3], message[at + 4] = hash, ' ', event, '\n'
end

for from = 0, ids - 1, chunk do
  local pairs = {}
  for i = from, math.min(from + chunk, ids) - 1 do
    pairs[#pairs + 1] = ARGV[firstId + i]
    pairs[#pairs + 1] = ARGV[firstId + ids + i]
  end
  redis.call('HSET', operations, unpack(pairs))
end

redis.pcall(ARGV[4], ARGV[5], table.concat(message))
if ARGV[6] ~= '' then
  redis.pcall('PUBLISH', ARGV[6], ARGV[7])
end
return {1, expected + events}
