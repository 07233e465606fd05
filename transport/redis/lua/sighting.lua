-- Note what one connection of a client has of a graph.
-- KEYS[1]    what is known of the client (HASH, field "<graph> <user>", value one line for each connection,
--            "<connection> <Unix ms> …", the one heard of last at the end)
-- ARGV[1]    the field; ARGV[2] the connection; ARGV[3] its line
-- ARGV[4]    Unix ms: lines from before are forgotten; ARGV[5] how many lines are kept at most
-- ARGV[6]    how many fields are kept at most; ARGV[7] ms that the key lives on
-- Returns    1: noted; 0: there are too many fields already, nothing is written
local key, field, oldest = KEYS[1], ARGV[1], tonumber(ARGV[4])

local function recent(value, except)
  local lines = {}
  for line in string.gmatch(value, '[^\n]+') do
    local connection, at = string.match(line, '^(%S+) (%d+)')
    if connection and connection ~= except and tonumber(at) >= oldest then
      lines[#lines + 1] = line
    end
  end
  return lines
end

local known = redis.call('HGET', key, field)
if not known and redis.call('HLEN', key) >= tonumber(ARGV[6]) then
  local all, left = redis.call('HGETALL', key), 0
  for i = 1, #all, 2 do
    if #recent(all[i + 1]) == 0 then
      redis.call('HDEL', key, all[i])
    else
      left = left + 1
    end
  end
  if left >= tonumber(ARGV[6]) then
    return 0
  end
end

local lines = recent(known or '', ARGV[2])
lines[#lines + 1] = ARGV[3]
local first = math.max(1, #lines - tonumber(ARGV[5]) + 1)
redis.call('HSET', key, field, table.concat(lines, '\n', first))
redis.call('PEXPIRE', key, ARGV[7])
return 1
