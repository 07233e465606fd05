-- Add a dead letter, unless one of the newest is the same.
-- KEYS[1]    deadletters (STREAM)
-- ARGV[1..6] graph, version, cause, attempts, payload, timestamp
-- Returns    1: added; 0: it was there
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 200)) do
  local letter = {}
  for i = 1, #entry[2], 2 do
    letter[entry[2][i]] = entry[2][i + 1]
  end
  if letter.graph == ARGV[1] and letter.version == ARGV[2] and letter.payload == ARGV[5] then
    return 0
  end
end
redis.call('XADD', KEYS[1], '*', 'graph', ARGV[1], 'version', ARGV[2], 'cause', ARGV[3],
  'attempts', ARGV[4], 'payload', ARGV[5], 'timestamp', ARGV[6])
return 1
