-- Carry out the writes that stand in ARGV from place at on: in order, each a command, the place of its key in KEYS, the
-- number of its further arguments, and these; where they are more than 1000, the command is given them in parts. This
-- stands in front of the scripts that write.
local function write(at)
  local last = #ARGV
  while at < last do
    local command, key, first, count = ARGV[at], KEYS[tonumber(ARGV[at + 1])], at + 3, tonumber(ARGV[at + 2])
    at = first + count
    if count <= 1000 then
      redis.call(command, key, unpack(ARGV, first, at - 1))
    else
      for from = first, at - 1, 1000 do -- unpack has its limits
        redis.call(command, key, unpack(ARGV, from, math.min(from + 1000, at) - 1))
      end
    end
  end
end

