"""Reported limits as tests write them down: figures that went through arithmetic, to six places."""

from __future__ import annotations

from collections.abc import Iterable

from routing.headroom.types import ReportedLimit

NOON_EPOCH_S = 1795262400.0
"""2026-11-21 12:00:00 UTC, which is what the tests of signals take for now."""


def rounded(limits: Iterable[ReportedLimit]) -> tuple[ReportedLimit, ...]:
    return tuple(limit._replace(left_share=_round(limit.left_share), resets_in_s=_round(limit.resets_in_s)) for limit in limits)


def _round(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 6)
