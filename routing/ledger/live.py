"""What donut measured itself, as readings: medians of the journal's recent windows, the newer ones weighing more.

A window's weight is its decay: what a replica did last week says a quarter of what it did today. `samples` is the weighted count of
attempts, and below `MIN_SAMPLES` a reading loses to every other source (`sheet.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from routing.ledger.readings import LIVE, MIN_SAMPLES, Reading

DAY_S = 86_400.0


class Span(NamedTuple):
    """A window back from now, and what an attempt in it counts."""

    from_s: float
    until_s: float
    weight: float


SPANS = (Span(DAY_S, 0.0, 1.0), Span(7 * DAY_S, DAY_S, 0.25))


class Did(NamedTuple):
    """How one subject did in one window. None: nothing of that kind was seen."""

    attempts: int
    success_rate: float | None = None
    ttft_s: float | None = None
    ttft_p95_s: float | None = None
    end_to_end_s: float | None = None
    speed_tps: float | None = None
    cache_hit_share: float | None = None


FIGURES = ("success_rate", "ttft_s", "ttft_p95_s", "end_to_end_s", "speed_tps", "cache_hit_share")


def live_readings(windows: Sequence[tuple[float, Mapping[str, Did]]], at: str) -> list[Reading]:
    """(weight, subject → what it did) per window → readings. `at`: ISO time in UTC."""
    subjects = dict.fromkeys(subject for _, rows in windows for subject in rows)
    return [reading for subject in subjects for reading in _of(subject, windows, at)]


def _of(subject: str, windows: Sequence[tuple[float, Mapping[str, Did]]], at: str) -> list[Reading]:
    found = []
    for name in FIGURES:
        known = [
            (weight * rows[subject].attempts, value)
            for weight, rows in windows
            if subject in rows and (value := getattr(rows[subject], name)) is not None and rows[subject].attempts > 0
        ]
        total = sum(share for share, _ in known)
        if total > 0:
            value = sum(share * value for share, value in known) / total
            found.append(Reading(subject, name, value, LIVE, updated_at=at, confidence=_confidence(total), samples=round(total)))
    return found


def _confidence(samples: float) -> float:
    """From a half at twenty samples toward one: the error of a median shrinks with the root of their number."""
    return round(1.0 - 0.5 * min(1.0, math.sqrt(MIN_SAMPLES / samples)), 3)
