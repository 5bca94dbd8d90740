/**
 * What Redis does in one go, so that two servers cannot claim one session. A session is a hash
 * (`e`: epoch, `f`: number of its first record, `t:HASH`: sealed keys) and a list of records.
 */

/**
 * KEYS: hash, list; ARGV: epoch, ttl, replace, from, seq or -1, record, number of tokens or -1, …
 */
export const PUT = `
local e = redis.call('HGET', KEYS[1], 'e')
local epoch, from, seq = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
if e and tonumber(e) > epoch then return 'fenced' end
if ARGV[3] == '1' then
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'e', epoch, 'f', from)
else
  if not e or tonumber(e) < epoch then return 'missing' end
  local first = tonumber(redis.call('HGET', KEYS[1], 'f'))
  if seq >= 0 and seq ~= first + redis.call('LLEN', KEYS[2]) then return 'missing' end
  if from > first then
    redis.call('LTRIM', KEYS[2], from - first, -1)
    redis.call('HSET', KEYS[1], 'f', from)
  end
end
if seq >= 0 then redis.call('RPUSH', KEYS[2], ARGV[6]) end
local tokens = tonumber(ARGV[7])
if tokens >= 0 then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if field:sub(1, 2) == 't:' then redis.call('HDEL', KEYS[1], field) end
  end
  for i = 8, 7 + 2 * tokens, 2 do redis.call('HSET', KEYS[1], 't:' .. ARGV[i], ARGV[i + 1]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 'kept'`;

/** KEYS: hash, list; ARGV: hash of the token, index in the list of the first record to read. */
export const READ = `
local wrapped = redis.call('HGET', KEYS[1], 't:' .. ARGV[1])
if not wrapped then return false end
local found = redis.call('HMGET', KEYS[1], 'e', 'f')
local next = tonumber(found[2]) + redis.call('LLEN', KEYS[2])
return {found[1], found[2], next, wrapped, redis.call('LRANGE', KEYS[2], ARGV[2], -1)}`;

/** KEYS: hash, list; ARGV: epoch, hash, next hash, next sealed key, after, ttl. */
export const CLAIM = `
local found = redis.call('HMGET', KEYS[1], 'e', 'f', 't:' .. ARGV[2])
if found[1] ~= ARGV[1] or not found[3] then return false end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field:sub(1, 2) == 't:' and field ~= 't:' .. ARGV[2] then
    redis.call('HDEL', KEYS[1], field)
  end
end
redis.call('HSET', KEYS[1], 'e', tonumber(ARGV[1]) + 1, 't:' .. ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return redis.call('LRANGE', KEYS[2], math.max(0, tonumber(ARGV[5]) - tonumber(found[2])), -1)`;

/** KEYS: hash, list; ARGV: epoch, how long the name is remembered. */
export const DROP = `
local e = redis.call('HGET', KEYS[1], 'e')
if not e or tonumber(e) > tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'e', tonumber(ARGV[1]) + 1, 'f', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`;
