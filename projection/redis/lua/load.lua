-- Read several hashes and sets of one graph at one moment.
-- KEYS[1..]  hashes, then sets
-- ARGV[1]    how many hashes; none: all are hashes
-- Returns    for each the flat list of its fields and values, or of its members, empty if it does not exist; for a key of
--            another type the text of the error
local hashes = tonumber(ARGV[1]) or #KEYS
local contents = {}
for i = 1, #KEYS do
  local content = redis.pcall(i <= hashes and 'HGETALL' or 'SMEMBERS', KEYS[i])
  contents[i] = content.err or content
end
return contents
