-- Find the lowest version that a client of a graph has, and forget the clients that were not heard of for long.
-- KEYS[1]    connections (HASH, field "<client> <connection>", value "<version> <Unix ms>")
-- KEYS[2]    versions (HASH, client -> version)
-- ARGV[1]    Unix ms: connections last heard of before are forgotten, and clients with their last one
-- Returns    the version as text, or nothing if there is no client
local all, lowest, text, here = redis.call('HGETALL', KEYS[1]), nil, false, {}
for i = 1, #all, 2 do
  local version, at = string.match(all[i + 1], '^(%d+) (%d+)$')
  if not version or tonumber(at) < tonumber(ARGV[1]) then
    redis.call('HDEL', KEYS[1], all[i])
  else
    here[string.match(all[i], '^%S+')] = true
    if not lowest or tonumber(version) < lowest then
      lowest, text = tonumber(version), version
    end
  end
end
for _, client in ipairs(redis.call('HKEYS', KEYS[2])) do
  if not here[client] then
    redis.call('HDEL', KEYS[2], client)
  end
end
return text
