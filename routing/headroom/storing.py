"""What outlives the process. The journal's rows are the truth: `replay` makes the counters anew from them, at the start and whenever prices
are corrected. `snapshot` and `restore` are the quick way between two clean stops. What open attempts held is not kept: they are over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from routing.facts import FailureKind
from routing.headroom.book import Book, amounts_used
from routing.headroom.counters import CounterKey
from routing.headroom.limits import ANY, Limit, Scope, key_of
from routing.headroom.meters import Piece, meter_for
from routing.headroom.pacing import paced
from routing.headroom.types import Unit, Window
from routing.types import Usage


class Subject(NamedTuple):
    """Whose use one attempt was. The fields are named in the order of `limits.Scope`, without ALL."""

    provider_id: str
    replica_id: str
    logical_model_id: str
    client: str | None = None
    policy: str | None = None
    harness: str | None = None
    session: str | None = None


class Use(NamedTuple):
    """One attempt of the journal."""

    subject: Subject
    age_s: float
    """Since its end."""
    usage: Usage | None
    cost_usd: float | None
    """As it was stored, or derived anew from a corrected price."""
    failure: FailureKind | None = None
    requests: int | None = None
    """Where it stands for several attempts that nobody can tell apart; `usage` and `cost_usd` are then their sums."""


class StoredCounter(NamedTuple):
    key: str
    unit: str
    window: str
    calendar: bool
    pieces: tuple[Piece, ...]


_FIELD = {
    Scope.PROVIDER: 0,
    Scope.REPLICA: 1,
    Scope.MODEL: 2,
    Scope.CLIENT: 3,
    Scope.POLICY: 4,
    Scope.HARNESS: 5,
    Scope.SESSION: 6,
}


def replay(book: Book, uses: Iterable[Use], now_s: float) -> None:
    """Counters = Σ `uses`, of every limit that is configured. Oldest first; what is older than a counter's window leaves it by itself.

    Whatever was counted before is forgotten, so every attempt that has ended must be among them. What is held stays held.
    """
    for counter in book.counters.values():
        counter.meter = meter_for(counter.id.window, calendar=counter.id.calendar, epoch=book.epoch)
        counter.settled = counter.estimated = 0
    limits = [*book.limits.limits, *(soft for limit in book.limits.limits if (soft := paced(limit)) is not None)]
    for use in uses:
        used = amounts_used(use.usage, use.cost_usd, use.failure)
        if use.requests is not None:
            used = used._replace(requests=use.requests)
        is_estimated = use.usage is not None and not use.usage.reported
        for key in dict.fromkeys(_keys(limits, use.subject)):
            counter = book.counter(key)
            counter.settle(0, int(used[counter.slot]), now_s - use.age_s, is_estimated=is_estimated)
    book.advance(now_s)


def snapshot(book: Book, now_s: float) -> list[StoredCounter]:
    """Everything that was counted, as plain values with ages instead of times."""
    return [
        StoredCounter(counter.id.key, counter.id.unit.value, counter.id.window.value, counter.id.calendar, tuple(pieces))
        for counter in book.counters.values()
        if (pieces := counter.meter.pieces(now_s))
    ]


def restore(book: Book, stored: Iterable[StoredCounter], now_s: float, away_s: float) -> None:
    """`away_s`: seconds since the snapshot."""
    for each in stored:
        counter = book.counter(CounterKey(each.key, Unit(each.unit), Window(each.window), each.calendar))
        counter.meter.restore([piece._replace(age_s=piece.age_s + away_s) for piece in each.pieces], now_s)
    book.advance(now_s)


def _keys(limits: Iterable[Limit], subject: Subject) -> Iterator[CounterKey]:
    for limit in limits:
        id_ = ANY if limit.scope is Scope.ALL else subject[_FIELD[limit.scope]]
        if id_ is not None and limit.window is not Window.REQUEST and (limit.scope is Scope.ALL or limit.id in (ANY, id_)):
            yield CounterKey(key_of(limit.scope, id_), limit.unit, limit.window, limit.calendar)
