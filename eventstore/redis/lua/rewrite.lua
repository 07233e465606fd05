-- Put new content in the place of one stream, if that still stands where it did.
-- KEYS[1..3] stream, operations, base; KEYS[4..6] the same of the new content; KEYS[7] a key that says it was done
-- ARGV[1]    expected version; ARGV[2] its hash
-- ARGV[3]    version of the new head; ARGV[4] its hash
-- ARGV[5]    '1' if the new content begins with a base; ARGV[6] milliseconds to remember that it was done
-- ARGV[7]    command that publishes on the stream's channel, PUBLISH or SPUBLISH; ARGV[8] that channel
-- ARGV[9]    channel of all appends; ARGV[10] the message for it
-- Returns    1 done, now or by an earlier call
--            0 the stream stands elsewhere; nothing was changed
--            2 the new content is not, or no longer, there; nothing was changed
-- Publishes  "rewritten" if the old head is part of the new content, else "deleted"
-- A key that is no stream, and a stream without anything that looks like an event, stand at version 0. The newest entries
-- that do not look like one are passed over.
local stream, staged, done = KEYS[1], KEYS[4], KEYS[7]

if redis.call('EXISTS', done) == 1 then
  return 1
end

local function event(entry)
  return string.match(entry[1], '^%d+-0$') and #entry[2] == 4 and entry[2][3] == 'hash'
    and (entry[2][1] == 'event' or entry[2][1] == 'base')
end

local version, hash, from = '0', '', '+'
while true do
  local entries = redis.pcall('XREVRANGE', stream, from, '-', 'COUNT', 100)
  if entries.err and string.sub(entries.err, 1, 9) ~= 'WRONGTYPE' then
    return entries
  end
  local last = not entries.err and entries[#entries]
  if not last then
    break
  end
  for _, entry in ipairs(entries) do
    if event(entry) then
      version, hash, last = string.match(entry[1], '^%d+'), entry[2][4], nil
      break
    end
  end
  if not last then
    break
  end
  from = '(' .. last[1]
end
if version ~= ARGV[1] or hash ~= ARGV[2] then
  return 0
end

local head = redis.call('XREVRANGE', staged, '+', '-', 'COUNT', 1)[1]
if not head or head[1] ~= ARGV[3] .. '-0' or head[2][4] ~= ARGV[4]
  or (ARGV[5] == '1') ~= (redis.call('EXISTS', KEYS[6]) == 1) then
  return 2
end
local message = 'deleted'
local same = version ~= '0' and redis.call('XRANGE', staged, version .. '-0', version .. '-0', 'COUNT', 1)[1]
if version == '0' or same and same[2][4] == hash then
  message = 'rewritten'
end

for i = 1, 3 do
  redis.call('UNLINK', KEYS[i])
  if redis.call('EXISTS', KEYS[i + 3]) == 1 then
    redis.call('RENAME', KEYS[i + 3], KEYS[i])
    redis.call('PERSIST', KEYS[i])
  end
end
if ARGV[5] == '1' then
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  if first[2][1] == 'base' and first[1] ~= head[1] then
    redis.call('XDEL', stream, first[1])
  end
end
redis.pcall('SET', done, ARGV[3], 'PX', ARGV[6])
redis.pcall(ARGV[7], ARGV[8], message)
redis.pcall('PUBLISH', ARGV[9], ARGV[10])
return 1
