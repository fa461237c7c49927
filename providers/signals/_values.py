"""Figures as vendors write them, and limits that are told by two or three headers each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from providers.signals import Limits, Names
from providers.waits import LONGEST_S, rfc3339_s, seconds_until, until
from routing.headroom.types import ReportedLimit, ReportedScope, Unit

MINUTE_S = 60.0
FIVE_HOURS_S = 18_000.0
DAY_S = 86_400.0
WEEK_S = 604_800.0

MOST_AMOUNT = 1e15
"""No allowance is larger; a larger figure means "no limit" in the tongues that have no word for it (2^63-1, 1e18)."""


def number(value: bytes | None) -> float | None:
    """An amount in a header. None for what is none: negative, endless, absurdly large, or no number."""
    if value is None:
        return None
    try:
        amount = float(value)
    except ValueError:
        return None
    return amount if 0.0 <= amount <= MOST_AMOUNT else None


def amount_in(value: object) -> float | None:
    """The same in JSON, where a number may also be written as a string."""
    if isinstance(value, str):
        return number(value.encode("ascii", "replace"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MOST_AMOUNT else None


def share_left(used_percent: float | None) -> float | None:
    """What is left in [0, 1] when `used_percent` of it is used; overuse leaves nothing."""
    return None if used_percent is None else max(0.0, 1.0 - used_percent / 100.0)


def duration(value: bytes, wall_s: float) -> float | None:
    """Seconds until a reset that is told as a wait: `6m0s`, `20ms`, `7.66s`, `33011.382867`.

    Minutes, seconds and milliseconds are read here because nearly all are of that kind; the rest goes the long way, 2 µs more.
    """
    del wall_s
    number_, unit, rest = value.partition(b"m")
    try:
        if not unit:
            seconds: float | None = float(value.removesuffix(b"s"))
        elif rest == b"s":
            seconds = float(number_) / 1000.0
        else:
            seconds = float(number_) * 60.0 + float(rest.removesuffix(b"s"))
    except ValueError:
        seconds = seconds_until(value.decode("latin-1"))
    return seconds if seconds is not None and 0.0 <= seconds <= LONGEST_S else None


def rfc3339(value: bytes, wall_s: float) -> float | None:
    """Seconds until a reset that is told as a moment: `2026-11-21T12:00:30Z`."""
    return until(rfc3339_s(value.decode("latin-1").strip()), wall_s)


def epoch(value: bytes, wall_s: float) -> float | None:
    """Seconds until a reset that is told in seconds or milliseconds since 1970."""
    return until(number(value), wall_s)


class Row(NamedTuple):
    """One limit and the headers that tell it. A header that the vendor does not have is `b""`."""

    name: str
    unit: Unit
    most: bytes
    left: bytes
    resets: bytes = b""
    window_s: float | None = None
    scope: ReportedScope = ReportedScope.MODEL
    until: Callable[[bytes, float], float | None] = duration


def marks_of(rows: tuple[Row, ...]) -> frozenset[bytes]:
    """A reset alone says nothing, so the marks are the amounts."""
    return frozenset(name for row in rows for name in (row.most, row.left))


def reader(rows: tuple[Row, ...]) -> Callable[[Names, float], Limits]:
    """Reads each row of which an amount is there."""

    def read_names(names: Names, wall_s: float) -> Limits:
        limits = []
        for name, unit, most_in, left_in, resets_in, window_s, scope, until_ in rows:
            most, left = number(names.get(most_in)), number(names.get(left_in))
            if most is None and left is None:
                continue
            resets = names.get(resets_in)
            resets_in_s = None if resets is None else until_(resets, wall_s)
            limits.append(ReportedLimit(name, unit, scope, window_s, most, left, None, resets_in_s))
        return tuple(limits)

    return read_names
