-- position returns the version and the hash of a state hash: '0' and '' if the key is of another type, or its version is
-- not in the form in which commits write it. This stands in front of the scripts that go over damage.
local function position(key)
  local state = redis.pcall('HMGET', key, 'version', 'hash')
  local version = state[1] or '' -- an error has no first
  if not version:match('^[1-9]%d*$') or #version > 18 then
    return '0', ''
  end
  return version, state[2] or ''
end

