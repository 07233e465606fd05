-- Read several hashes of one graph at one moment.
-- KEYS[1..]  hashes
-- Returns    for each the flat list of its fields and values, empty if it does not exist
local contents = {}
for i = 1, #KEYS do
  contents[i] = redis.call('HGETALL', KEYS[i])
end
return contents
