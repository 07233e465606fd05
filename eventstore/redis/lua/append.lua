-- Append events to one stream if its head is still the expected one and none of their operations is known.
-- KEYS[1]    stream (STREAM, entry id "<version>-0", fields event and hash)
-- KEYS[2]    operations (HASH, operation id -> version)
-- ARGV[1]    expected version; ARGV[2] its hash, '' for version 0, '*' and the number of entries if the caller knows that
--            it is the head's
-- ARGV[3]    number of events, at least one; ARGV[4] number of operations
-- ARGV[5]    command that publishes on the stream's channel, PUBLISH or SPUBLISH; ARGV[6] that channel
-- ARGV[7]    channel of all appends, '' to tell nobody; ARGV[8] the message for it
-- ARGV[9..]  for each event, oldest first: event, hash; then the operations' ids; then the version of each
-- Returns    {1, new version}
--            {0, actual version}                   the stream is elsewhere, or there with another hash; nothing was written
--            {2, version, v1, v2 ...}              an operation is known, nothing was written: the version of each, or 0
--            {3, version}                          the stream has lost its end: it had that version, and holds it no more
-- Publishes  "<version of the first event> <number>\n", then "<hash> <event>\n" for each
-- A script does not roll back: all that may refuse comes before the first XADD, and a failing PUBLISH is passed over.
local stream, operations = KEYS[1], KEYS[2]
local expected, events, ids = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local firstEvent = 9
local firstId = firstEvent + 2 * events
local chunk = 2000 -- unpack has its limits

local length = string.match(ARGV[2], '^%*(%d+)$')
if not length or redis.call('XLEN', stream) ~= tonumber(length) then
  local head = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1] or {'0-0', {'event', '', 'hash', ''}}
  if head[1] ~= ARGV[1] .. '-0' or head[2][4] ~= ARGV[2] then
    return {0, tonumber(string.match(head[1], '^%d+'))}
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
  local event, hash = ARGV[firstEvent + 2 * i], ARGV[firstEvent + 1 + 2 * i]
  local id = string.format('%d-0', expected + 1 + i)
  local added
  if expected + i == 0 then
    added = redis.pcall('XADD', stream, id, 'event', event, 'hash', hash)
  else
    added = redis.pcall('XADD', stream, 'NOMKSTREAM', id, 'event', event, 'hash', hash)
  end
  if type(added) ~= 'string' then
    if i == 0 and added and string.sub(added.err, 1, 4) ~= 'ERR ' then
      return added -- out of memory, read only and the like; ERR is about the id
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

redis.pcall(ARGV[5], ARGV[6], table.concat(message))
if ARGV[7] ~= '' then
  redis.pcall('PUBLISH', ARGV[7], ARGV[8])
end
return {1, expected + events}
