"""What is done inside Redis, in one step: nobody can come between looking and counting.

Everything lies below one prefix, which has a hash tag so that a cluster keeps it on one node:

    c:<counter>      a hash: `t` used in the window, `h` held by open attempts, `f` its oldest bucket, `s` whether it was seeded, and one
                     field per bucket of the window with what was used in it
    held:<worker>    a hash: counter → what open attempts of that worker hold of it, which is taken back when the worker is gone
    seq:<worker>     a hash: the numbers of its latest message `n`, so that one that was given up and lay in a buffer does not undo a later
                     one, and of the latest batch of use `q`, so that one whose answer was lost is not counted twice
    workers          a sorted set: worker → until when it is believed to be alive
    epoch            whatever the first to come wrote; another one than before means that everything was lost

A message is one JSON object: `w` the worker, `ttl` seconds, `n` its number, `q` the batch's number, `c` the counters that it is about, each
[name, oldest bucket that still counts, seconds to keep it, use [[bucket, amount] …], seed [[bucket, amount] …] or false,
what the worker holds or false], and `r` the attempts that want to be admitted, each [[position in c from 1, amount, most or -1] …].

The answer: the epoch; was the worker known; used, held and seeded of each counter; for each attempt 0 or the position of the counter that
refused it.
"""

from __future__ import annotations

PREFIX = "{donut}:"

SYNC = """
local P, m = KEYS[1], cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local mine, seq = P .. 'held:' .. m.w, P .. 'seq:' .. m.w

local function int(number) return string.format('%.0f', number) end

if m.n <= tonumber(redis.call('HGET', seq, 'n') or '0') then return redis.error_reply('out of date') end

-- Who has not been heard of for so long is gone, and so are the attempts that it had open.
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', P .. 'workers', '-inf', now, 'LIMIT', 0, 16)) do
    if worker ~= m.w then
        local held = redis.call('HGETALL', P .. 'held:' .. worker)
        for i = 1, #held, 2 do
            local counter = P .. 'c:' .. held[i]
            if redis.call('EXISTS', counter) == 1 and redis.call('HINCRBY', counter, 'h', '-' .. held[i + 1]) < 0 then
                redis.call('HSET', counter, 'h', '0')
            end
        end
        redis.call('DEL', P .. 'held:' .. worker)
        redis.call('ZREM', P .. 'workers', worker)
    end
end
local epoch = redis.call('GET', P .. 'epoch')
if not epoch then
    epoch = m.w .. time[1] .. time[2]
    redis.call('SET', P .. 'epoch', epoch)
end
local was_known = redis.call('ZSCORE', P .. 'workers', m.w) and 1 or 0
redis.call('ZADD', P .. 'workers', now + m.ttl, m.w)

local is_new = m.q > tonumber(redis.call('HGET', seq, 'q') or '0')
redis.call('HSET', seq, 'n', int(m.n), 'q', int(m.q))
redis.call('EXPIRE', seq, 86400)

local function look(spec)
    local key = P .. 'c:' .. spec[1]
    local found = redis.call('HMGET', key, 't', 'h', 'f', 's')
    local counter = {
        key = key, name = spec[1], keep = spec[3], mine = 0,
        used = tonumber(found[1] or '0'), held = tonumber(found[2] or '0'),
        first = tonumber(found[3] or '-1'), seeded = found[4] and 1 or 0,
    }
    local function leave(bucket, amount)
        counter.used = counter.used - amount
        redis.call('HDEL', key, bucket)
    end
    local alive = spec[2]
    if counter.first >= 0 and counter.first < alive then
        if alive - counter.first > 256 then
            local fields = redis.call('HGETALL', key)
            for i = 1, #fields, 2 do
                local bucket = tonumber(fields[i])
                if bucket and bucket < alive then leave(fields[i], tonumber(fields[i + 1])) end
            end
        else
            for bucket = counter.first, alive - 1 do
                local amount = redis.call('HGET', key, int(bucket))
                if amount then leave(int(bucket), tonumber(amount)) end
            end
        end
        counter.first = alive
    end
    local function came(bucket, amount)
        if bucket < alive then return end
        redis.call('HINCRBY', key, int(bucket), int(amount))
        counter.used = counter.used + amount
        if counter.first < 0 or bucket < counter.first then counter.first = bucket end
    end
    if is_new then
        for _, use in ipairs(spec[4]) do came(use[1], use[2]) end
    end
    if counter.seeded == 0 and spec[5] then
        counter.seeded = 1
        for _, use in ipairs(spec[5]) do
            local missing = use[2] - tonumber(redis.call('HGET', key, int(use[1])) or '0')
            if missing > 0 then came(use[1], missing) end
        end
    end
    if spec[6] then
        local before = tonumber(redis.call('HGET', mine, spec[1]) or '0')
        counter.held = math.max(0, counter.held + spec[6] - before)
        counter.mine = spec[6] - before
    end
    return counter
end

local counters = {}
for i, spec in ipairs(m.c) do counters[i] = look(spec) end

local verdicts = {}
for i, charges in ipairs(m.r) do
    verdicts[i] = 0
    for _, charge in ipairs(charges) do
        local counter = counters[charge[1]]
        if charge[3] >= 0 and charge[2] > 0 and counter.used + counter.held + charge[2] > charge[3] then
            verdicts[i] = charge[1]
            break
        end
    end
    if verdicts[i] == 0 then
        for _, charge in ipairs(charges) do
            local counter = counters[charge[1]]
            counter.held = counter.held + charge[2]
            counter.mine = counter.mine + charge[2]
        end
    end
end

local told = {}
for i, counter in ipairs(counters) do
    redis.call('HSET', counter.key, 't', int(counter.used), 'h', int(counter.held), 'f', int(counter.first))
    if counter.seeded == 1 then redis.call('HSET', counter.key, 's', '1') end
    redis.call('EXPIRE', counter.key, int(counter.keep))
    if counter.mine ~= 0 and redis.call('HINCRBY', mine, counter.name, int(counter.mine)) == 0 then
        redis.call('HDEL', mine, counter.name)
    end
    told[3 * i - 2], told[3 * i - 1], told[3 * i] = counter.used, counter.held, counter.seeded
end
return {epoch, was_known, told, verdicts}
"""
