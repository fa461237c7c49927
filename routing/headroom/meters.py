"""What was used lately. Two ways to say lately: the last so many seconds, or since the day, week or month began.

`Rolling` is exact for use that is `grain_s` apart: it counts until one window after it happened, to the instant. What comes closer
together shares a bucket that leaves when its newest part does. So with naive(w) the plain sum over the last w seconds:

    naive(window) <= used <= naive(window + grain)        and never more than GRAINS + 2 buckets

It errs towards caution: less than everything is never counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from routing.headroom.calendar import Epoch, ends_at, started_at
from routing.headroom.types import WINDOW_S, Window

GRAINS = 128
"""Buckets per window: a minute is exact to half a second, a month to six hours, in 5 KB."""


class Piece(NamedTuple):
    """Use that leaves a window at once; the form in which meters are stored."""

    age_s: float
    """Since its newest part."""
    span_s: float
    """From its oldest part to its newest."""
    amount: int


class Meter(Protocol):
    total: int
    """As of the last look: never less than `used`."""

    def add(self, amount: int, now_s: float) -> None: ...

    def used(self, now_s: float) -> int: ...

    def frees_at_s(self, amount: int, now_s: float) -> float | None:
        """When at least `amount` of what is used now will have left; None when there is not so much in it."""

    def since(self, start_s: float) -> int:
        """What was used from `start_s` on, to the grain."""

    def resets_at_s(self, now_s: float) -> float:
        """When all that is used now will have left; `now_s` when that is nothing."""

    def pieces(self, now_s: float) -> list[Piece]: ...

    def restore(self, pieces: Iterable[Piece], now_s: float) -> None:
        """In place of what it has."""


class _Bucket:
    __slots__ = ("amount", "newest_s", "oldest_s")

    def __init__(self, oldest_s: float, newest_s: float, amount: int) -> None:
        self.oldest_s = oldest_s
        self.newest_s = newest_s
        self.amount = amount


class Rolling:
    __slots__ = ("_buckets", "grain_s", "total", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self.grain_s = window_s / GRAINS
        self._buckets: deque[_Bucket] = deque()
        self.total = 0

    def add(self, amount: int, now_s: float) -> None:
        """Times may come a little out of order; what is late counts as newest."""
        buckets = self._buckets
        self.total += amount
        if buckets and now_s - buckets[-1].oldest_s < self.grain_s:
            last = buckets[-1]
            last.amount += amount
            last.newest_s = max(last.newest_s, now_s)
            return
        buckets.append(_Bucket(now_s, now_s, amount))
        self._expire(now_s)

    def used(self, now_s: float) -> int:
        buckets = self._buckets
        if buckets and buckets[0].newest_s + self.window_s <= now_s:
            self._expire(now_s)
        return self.total

    def frees_at_s(self, amount: int, now_s: float) -> float | None:
        self._expire(now_s)
        for bucket in self._buckets:
            amount -= bucket.amount
            if amount <= 0:
                return bucket.newest_s + self.window_s
        return None

    def since(self, start_s: float) -> int:
        return sum(bucket.amount for bucket in self._buckets if bucket.newest_s >= start_s)

    def resets_at_s(self, now_s: float) -> float:
        self._expire(now_s)
        return self._buckets[-1].newest_s + self.window_s if self._buckets else now_s

    def pieces(self, now_s: float) -> list[Piece]:
        self._expire(now_s)
        return [Piece(now_s - each.newest_s, each.newest_s - each.oldest_s, each.amount) for each in self._buckets]

    def restore(self, pieces: Iterable[Piece], now_s: float) -> None:
        ordered = sorted(pieces, key=lambda piece: -piece.age_s)
        self._buckets = deque(_Bucket(now_s - age_s - span_s, now_s - age_s, amount) for age_s, span_s, amount in ordered)
        self.total = sum(bucket.amount for bucket in self._buckets)
        self._expire(now_s)

    def _expire(self, now_s: float) -> None:
        buckets, gone_s = self._buckets, now_s - self.window_s
        while buckets and buckets[0].newest_s <= gone_s:
            self.total -= buckets.popleft().amount


class Periodic:
    """Since the calendar's day, week or month began."""

    __slots__ = ("_ends_wall_s", "_epoch", "_newest_s", "_window", "total")

    def __init__(self, window: Window, epoch: Epoch) -> None:
        self._window = window
        self._epoch = epoch
        self.total = 0
        self._newest_s = 0.0
        self._ends_wall_s = 0.0

    def add(self, amount: int, now_s: float) -> None:
        self._turn(now_s)
        self.total += amount
        self._newest_s = now_s

    def used(self, now_s: float) -> int:
        self._turn(now_s)
        return self.total

    def frees_at_s(self, amount: int, now_s: float) -> float | None:
        self._turn(now_s)
        return self._ends_wall_s - self._epoch.offset_s if amount <= self.total else None

    def since(self, start_s: float) -> int:
        """Knows no parts: an even rate since the period began."""
        newest_s = max(self._newest_s, start_s)
        began_s = started_at(self._window, newest_s + self._epoch.offset_s) - self._epoch.offset_s
        elapsed_s = newest_s - began_s
        return round(self.total * min(1.0, (newest_s - start_s) / elapsed_s)) if elapsed_s > 0 else self.total

    def resets_at_s(self, now_s: float) -> float:
        self._turn(now_s)
        return self._ends_wall_s - self._epoch.offset_s

    def pieces(self, now_s: float) -> list[Piece]:
        self._turn(now_s)
        return [Piece(max(0.0, now_s - self._newest_s), 0.0, self.total)] if self.total else []

    def restore(self, pieces: Iterable[Piece], now_s: float) -> None:
        """Only what belongs to the period that is on."""
        self.total = 0
        self._turn(now_s)
        began_s = started_at(self._window, now_s + self._epoch.offset_s) - self._epoch.offset_s
        for age_s, _, amount in pieces:
            if now_s - age_s >= began_s:
                self.add(amount, now_s - age_s)
        self._turn(now_s)

    def _turn(self, now_s: float) -> None:
        wall_s = now_s + self._epoch.offset_s
        if wall_s >= self._ends_wall_s:
            self.total = 0
            self._ends_wall_s = ends_at(self._window, wall_s)


def meter_for(window: Window, *, calendar: bool, epoch: Epoch) -> Meter:
    return Periodic(window, epoch) if calendar else Rolling(WINDOW_S[window])
