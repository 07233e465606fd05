-- Look at the beginning of one stream.
-- KEYS[1]    stream; KEYS[2] base (HASH version, hash, data)
-- Returns    {version of the base or 0, entry}, without an entry if the stream is empty
return {redis.call('HGET', KEYS[2], 'version') or '0', redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]}
