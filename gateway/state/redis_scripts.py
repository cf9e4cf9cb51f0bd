"""The Lua scripts of the Redis store. Each is one step that Redis does whole or not at all.

All begin with the same lines: they read the head of the chain and refuse with ``behind`` where the store does not hold
what the caller has seen before (the floor: sequence, hash and epoch in ``ARGV[1..3]``). Keys: 1 head, 2 documents by
name, 3 documents by the sequence of their last change, 4 audit by sequence, 5 ends of announcements, 6 their facts.
The documents' own keys begin with ``ARGV[4]``, whose hash tag they share with the others; so does the channel that
hints at commits.
"""

from __future__ import annotations

__all__ = ["SCRIPTS"]

_HEAD = """
local head = redis.call('HMGET', KEYS[1], 'sequence', 'hash', 'epoch', 'format')
if head[4] and head[4] ~= '1' then return {'format', head[4]} end
local sequence, hash, epoch = tonumber(head[1] or '0'), head[2] or string.rep('0', 64), tonumber(head[3] or '0')
local function hash_at(number)
  local kept = redis.call('ZRANGEBYSCORE', KEYS[4], number, number)[1]
  return kept and string.sub(kept, 1, 64)
end
local function document(key) return ARGV[4] .. 'document/' .. key end
local function keep(record_sequence, record_hash, resource, record)
  redis.call('ZADD', KEYS[4], record_sequence, record_hash .. record)
  redis.call('ZADD', ARGV[4] .. 'audit-of/' .. resource, record_sequence, record_sequence)
end
local function put(key, revision, flagged, record_sequence)
  redis.call('HSET', document(key), 'revision', revision)
  if string.sub(flagged, 1, 1) == '1' then
    redis.call('HSET', document(key), 'body', string.sub(flagged, 2))
  else
    redis.call('HDEL', document(key), 'body')
  end
  redis.call('ZADD', KEYS[2], 0, key)
  redis.call('ZADD', KEYS[3], record_sequence, key)
end
local function now(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local floor_sequence = tonumber(ARGV[1])
local is_behind = sequence < floor_sequence or epoch < tonumber(ARGV[3])
if not is_behind and floor_sequence > 0 then
  local there = floor_sequence == sequence and hash or hash_at(floor_sequence)
  is_behind = there and there ~= ARGV[2]
end
if is_behind then return {'behind', sequence, hash, epoch} end
"""

# Not "call": a user who may not publish there loses the hint, and not the commit.
_HINT = "redis.pcall('PUBLISH', ARGV[4] .. 'commits', '')"

_READ = """
local kept = redis.call('HMGET', document(ARGV[5]), 'revision', 'body')
return {'ok', sequence, hash, epoch, {ARGV[5], kept[1], kept[2]}}
"""

_PAGE = """
local found = {}
for _, key in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], ARGV[5], ARGV[6], 'LIMIT', 0, ARGV[7])) do
  local kept = redis.call('HMGET', document(key), 'revision', 'body')
  found[#found + 1] = {key, kept[1], kept[2]}
end
return {'ok', sequence, hash, epoch, found}
"""

_CHANGES = """
local found = {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[5], '+inf', 'LIMIT', ARGV[6], ARGV[7])) do
  local kept = redis.call('HMGET', document(key), 'revision', 'body')
  found[#found + 1] = {key, kept[1], kept[2]}
end
return {'ok', sequence, hash, epoch, found}
"""

_STANDING = "return {'ok', sequence, hash, epoch, false}"

_COMMIT = (
    """
if hash_at(ARGV[6]) == ARGV[8] then return {'ok', sequence, hash, epoch, false} end
if ARGV[5] ~= '' and tonumber(ARGV[5]) < epoch then return {'epoch', ARGV[5]} end
local pending = {}
for at = 11, #ARGV, 3 do
  local key = ARGV[at]
  if not pending[key] then
    local kept = redis.call('HMGET', document(key), 'revision', 'body')
    pending[key] = {tonumber(kept[1] or '0'), kept[2] and true}
  end
  local found = pending[key][2] and pending[key][1] or 0
  if found ~= tonumber(ARGV[at + 1]) then return {'revision', key, ARGV[at + 1], found} end
  pending[key] = {pending[key][1] + 1, string.sub(ARGV[at + 2], 1, 1) == '1'}
end
if tonumber(ARGV[6]) ~= sequence + 1 or ARGV[7] ~= hash then return {'moved'} end
for at = 11, #ARGV, 3 do put(ARGV[at], pending[ARGV[at]][1], ARGV[at + 2], ARGV[6]) end
keep(ARGV[6], ARGV[8], ARGV[9], ARGV[10])
local fence = ARGV[5] ~= '' and ARGV[5] or tostring(head[3] or '0')
redis.call('HSET', KEYS[1], 'sequence', ARGV[6], 'hash', ARGV[8], 'epoch', fence, 'format', '1')
"""
    + _HINT
    + """
return {'ok', tonumber(ARGV[6]), ARGV[8], tonumber(fence), false}
"""
)

_AUDIT = """
local found = {}
if ARGV[7] == '0' then
  found = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. ARGV[5], '+inf', 'LIMIT', 0, ARGV[6])
else
  local index = ARGV[4] .. 'audit-of/' .. ARGV[8]
  for _, number in ipairs(redis.call('ZRANGEBYSCORE', index, '(' .. ARGV[5], '+inf', 'LIMIT', 0, ARGV[6])) do
    found[#found + 1] = redis.call('ZRANGEBYSCORE', KEYS[4], number, number)[1]
  end
end
return {'ok', sequence, hash, epoch, found}
"""

_ENTRIES = """
local found = {}
local page = redis.call('ZRANGE', KEYS[4], ARGV[5], ARGV[6], 'WITHSCORES')
for at = 1, #page, 2 do
  local is_record, record = pcall(cjson.decode, string.sub(page[at], 65))
  local is_indexed = 0
  if is_record and type(record) == 'table' and type(record['resource']) == 'string' then
    is_indexed = redis.call('ZSCORE', ARGV[4] .. 'audit-of/' .. record['resource'], page[at + 1]) and 1 or 0
  end
  found[#found + 1] = {page[at + 1], page[at], is_indexed}
end
return {'ok', sequence, hash, epoch, found}
"""

_ANNOUNCE = """
local time = now(ARGV[5])
for _, ended in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', string.format('%.6f', time), 'LIMIT', 0, 256)) do
  redis.call('ZREM', KEYS[5], ended)
  redis.call('HDEL', KEYS[6], ended)
end
local ends = string.format('%.6f', time + tonumber(ARGV[8]))
-- One that seems to last longer than this was made before the clock went back; its worker may be dead.
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '(' .. ends, '+inf', 'LIMIT', 0, 256)) do
  redis.call('ZADD', KEYS[5], ends, worker)
end
redis.call('ZADD', KEYS[5], ends, ARGV[6])
redis.call('HSET', KEYS[6], ARGV[6], ARGV[7])
return {'ok', sequence, hash, epoch, false}
"""

_RETIRE = """
redis.call('ZREM', KEYS[5], ARGV[5])
redis.call('HDEL', KEYS[6], ARGV[5])
return {'ok', sequence, hash, epoch, false}
"""

_ANNOUNCEMENTS = """
local found = {}
local after = '(' .. string.format('%.6f', now(ARGV[5]))
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], after, '+inf', 'LIMIT', 0, ARGV[6])) do
  found[#found + 1] = {worker, redis.call('HGET', KEYS[6], worker)}
end
return {'ok', sequence, hash, epoch, found}
"""

_LEASE = """
local key = ARGV[4] .. 'lease/' .. ARGV[6]
local time = now(ARGV[5])
local kept = redis.call('HMGET', key, 'holder', 'epoch', 'ends')
local is_mine = kept[1] == ARGV[7]
local left = tonumber(kept[3] or '0') - time
-- One that seems to last longer than any was taken before the clock went back.
if kept[1] and not is_mine and left > 0 and left <= tonumber(ARGV[8]) + 0.001 then
  return {'ok', sequence, hash, epoch, false}
end
local granted = kept[2]
if not is_mine then
  epoch = epoch + 1
  granted = tostring(epoch)
  redis.call('HSET', KEYS[1], 'epoch', granted)
end
redis.call('HSET', key, 'holder', ARGV[7], 'epoch', granted, 'ends', string.format('%.6f', time + tonumber(ARGV[8])))
return {'ok', sequence, hash, epoch, granted}
"""

_RESTORE = (
    """
if sequence ~= tonumber(ARGV[5]) or hash ~= ARGV[6] then return {'moved'} end
local fence = tonumber(ARGV[7]) > epoch and ARGV[7] or tostring(head[3] or '0')
local first_document = 9 + 4 * tonumber(ARGV[8])
for at = 9, first_document - 1, 4 do keep(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]) end
local last_sequence, last_hash = ARGV[first_document - 4], ARGV[first_document - 3]
for at = first_document, #ARGV, 3 do
  local revision = tonumber(redis.call('HGET', document(ARGV[at]), 'revision') or '0')
  if revision < tonumber(ARGV[at + 1]) then put(ARGV[at], ARGV[at + 1], ARGV[at + 2], last_sequence) end
end
redis.call('HSET', KEYS[1], 'sequence', last_sequence, 'hash', last_hash, 'epoch', fence, 'format', '1')
"""
    + _HINT
    + """
return {'ok', tonumber(last_sequence), last_hash, tonumber(fence), false}
"""
)

SCRIPTS = {
    name: _HEAD + body
    for name, body in {
        "read": _READ,
        "page": _PAGE,
        "changes": _CHANGES,
        "standing": _STANDING,
        "commit": _COMMIT,
        "audit": _AUDIT,
        "entries": _ENTRIES,
        "announce": _ANNOUNCE,
        "retire": _RETIRE,
        "announcements": _ANNOUNCEMENTS,
        "lease": _LEASE,
        "restore": _RESTORE,
    }.items()
}
"""Each script by its name."""
