"""Who is ejected or rate limited, told to the other workers and learned from them with each beat. No I/O.

What is shared is until when, not why it was believed: failures are counted by each process for itself, and each sends its own probe when
the time is over. A probe that succeeds anywhere takes the entry out, and everybody takes the replica back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from routing.facts import HealthReset, HealthTold
from routing.fleet import Fleet
from routing.health import Health, HealthState

NEWS_S = 0.1
"""A deadline that is later by less is the same one: clocks are read twice."""
REASON_MOST = 200
"""Characters."""

EXCHANGE = """
-- KEYS[1] the prefix; ARGV[1] JSON: `v` the version that the worker has seen, `put` [[replica, ejected until, limited until, reason] …],
-- `heal` [replica …]. Answers the version, and the entries when it is another one.
local P, m = KEYS[1], cjson.decode(ARGV[1])
local entries, version = P .. 'health', P .. 'health-version'
local is_changed = false
for _, put in ipairs(m.put) do
    local old = redis.call('HGET', entries, put[1])
    local new = {put[2], put[3], put[4]}
    if old then
        local before = cjson.decode(old)
        new[1], new[2] = math.max(new[1], before[1]), math.max(new[2], before[2])
    end
    redis.call('HSET', entries, put[1], cjson.encode(new))
    is_changed = true
end
for _, replica in ipairs(m.heal) do
    if redis.call('HDEL', entries, replica) == 1 then is_changed = true end
end
-- A new store, or one that has lost everything, must not begin with a version that somebody has seen.
if is_changed or redis.call('EXISTS', version) == 0 then
    local time = redis.call('TIME')
    redis.call('SET', version, time[1] .. '.' .. string.format('%06d', time[2]))
end
redis.call('EXPIRE', entries, 86400)
local now = redis.call('GET', version)
if now == m.v then return {now} end
return {now, redis.call('HGETALL', entries)}
"""


class Deadlines(NamedTuple):
    """Epoch seconds; 0.0: none."""

    ejected_until_s: float
    limited_until_s: float

    def is_later_than(self, other: Deadlines) -> bool:
        return self.ejected_until_s > other.ejected_until_s + NEWS_S or self.limited_until_s > other.limited_until_s + NEWS_S


NONE = Deadlines(0.0, 0.0)


class HealthShare:
    def __init__(self) -> None:
        self._version = ""
        self._epoch: bytes | None = None
        self._known: dict[str, Deadlines] = {}
        """What the store has, as far as it was seen or told."""
        self._put: dict[str, Deadlines] = {}
        self._healed: list[str] = []
        """Both of the message under way."""

    def message(self, fleet: Fleet, epoch: bytes | None, now_s: float, wall_s: float) -> dict[str, Any]:
        """What the others do not know yet. `epoch`: of the store; a new one has lost what it knew, and that heals nobody."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._version = ""
            self._known.clear()
        unwell = {replica_id: _deadlines(fleet.state(replica_id).health, now_s, wall_s) for replica_id in fleet.unwell}
        self._put = {id_: mine for id_, mine in unwell.items() if mine.is_later_than(self._known.get(id_, NONE))}
        self._healed = [replica_id for replica_id in self._known if _is_well(fleet.state(replica_id).health)]
        put = [[id_, *mine, _reason(fleet.state(id_).health)] for id_, mine in self._put.items()]
        return {"v": self._version, "put": put, "heal": self._healed}

    def learn(self, answer: Sequence[Any], fleet: Fleet, now_s: float, wall_s: float) -> list[HealthTold | HealthReset]:
        """What the others have found out; and the message that this answers has arrived."""
        self._known |= self._put
        for replica_id in self._healed:
            del self._known[replica_id]
        self._version = answer[0].decode()
        if len(answer) == 1:
            return []
        flat = answer[1]
        entries = {flat[n].decode(): orjson.loads(flat[n + 1]) for n in range(0, len(flat), 2)}
        healed = [HealthReset(replica_id) for replica_id in self._known if replica_id not in entries]
        self._known = {replica_id: Deadlines(*entry[:2]) for replica_id, entry in entries.items()}
        return [*healed, *_news(entries, fleet, now_s, wall_s)]


def _news(entries: Mapping[str, Sequence[Any]], fleet: Fleet, now_s: float, wall_s: float) -> list[HealthTold]:
    ahead_s = wall_s - now_s
    found = []
    for replica_id, (ejected_until_s, limited_until_s, reason) in entries.items():
        theirs = Deadlines(ejected_until_s, limited_until_s)
        if max(theirs) > wall_s and theirs.is_later_than(_deadlines(fleet.state(replica_id).health, now_s, wall_s)):
            found.append(HealthTold(replica_id, ejected_until_s - ahead_s, limited_until_s - ahead_s, str(reason)))
    return found


def _deadlines(state: HealthState, now_s: float, wall_s: float) -> Deadlines:
    """Those that are still ahead."""
    ejected_s = state.ejected_until_s if state.health is Health.EJECTED else 0.0
    return Deadlines(*(wall_s + until_s - now_s if until_s > now_s else 0.0 for until_s in (ejected_s, state.limited_until_s)))


def _reason(state: HealthState) -> str:
    return (state.reason or state.limit_reason)[:REASON_MOST]


def _is_well(state: HealthState) -> bool:
    """Healed by an answer or by a person. A time that has passed heals nobody."""
    return state.health is Health.HEALTHY and not state.limited_until_s
