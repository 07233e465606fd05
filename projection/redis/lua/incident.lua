-- Read the edges at a node at one moment.
-- KEYS[1]    nodes (HASH), KEYS[2] the node's incidence set (SET), KEYS[3] edges (HASH)
-- ARGV[1]    the node's id
-- Returns    {0} if there is no such node, else {1, id, value, id, value ...}
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return {0}
end
local found = {1}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', KEYS[3], id)
end
return found
