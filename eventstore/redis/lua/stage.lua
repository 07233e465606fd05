-- Add to new content for one stream, in the making beside it.
-- KEYS[1]    staged stream; KEYS[2] staged operations; KEYS[3] staged base; KEYS[4] tokens of the graph's rewrites (SET)
-- ARGV[1]    token; ARGV[2] milliseconds that all of it lives
-- ARGV[3]    version that the events follow; ARGV[4] its hash
-- ARGV[5]    number of events; ARGV[6] number of operations
-- ARGV[7..]  for each event: event, hash; then the operations' ids; then the version of each
--            no events: the beginning of content with a base of that position; ARGV[7] the base's data
-- Returns    1 if it was added, now or by an earlier call; 0 if what was written before is gone
-- What begins with a base begins with an entry of its position, with the fields base (empty) and hash.
local stream, operations, base, tokens = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local after, events, ids = tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6])
local firstEvent, chunk = 7, 2000 -- unpack has its limits
local firstId = firstEvent + 2 * events

local head = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1] or {'0-0', {'', '', '', ''}}
if events == 0 then
  if head[1] == '0-0' then
    redis.call('XADD', stream, ARGV[3] .. '-0', 'base', '', 'hash', ARGV[4])
    redis.call('HSET', base, 'version', ARGV[3], 'hash', ARGV[4], 'data', ARGV[7])
  end
elseif head[1] == ARGV[3] .. '-0' and head[2][4] == ARGV[4] then
  for i = 0, events - 1 do
    redis.call('XADD', stream, string.format('%d-0', after + 1 + i),
      'event', ARGV[firstEvent + 2 * i], 'hash', ARGV[firstEvent + 1 + 2 * i])
  end
  for from = 0, ids - 1, chunk do
    local pairs = {}
    for i = from, math.min(from + chunk, ids) - 1 do
      pairs[#pairs + 1] = ARGV[firstId + i]
      pairs[#pairs + 1] = ARGV[firstId + ids + i]
    end
    redis.call('HSET', operations, unpack(pairs))
  end
elseif head[1] ~= string.format('%d-0', after + events) or head[2][4] ~= ARGV[firstId - 1] then
  return 0
end

redis.call('SADD', tokens, ARGV[1])
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, ARGV[2])
end
return 1
