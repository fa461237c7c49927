"""Every limit as it stands now, for people: what is left, how sure that is, how long it will last at the present rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from routing.headroom.book import Book
from routing.headroom.counters import Ceiling
from routing.headroom.limits import OnExceed, Scope, key_of, told
from routing.headroom.places import Place
from routing.headroom.reports import Report
from routing.headroom.types import WINDOW_S, Confidence, ReportedScope, Unit, Window

RATE_OVER = 8
"""The present rate is that of the last eighth of the window: of the last 38 minutes for five hours."""


class LimitView(NamedTuple):
    """Amounts in `unit`; times in seconds."""

    key: str
    """`provider:openai`, `replica:openai/gpt`, `all`, `key:alice` …"""
    name: str
    """The provider's word for it, or where a person wrote it."""
    unit: Unit
    window: Window | None
    """None where a provider did not say, or has a window of its own length."""
    window_s: float | None
    most: float | None
    used: float | None
    held: float
    others: float
    left: float
    share: float | None
    """Left of the whole, in [0, 1]."""
    frees_in_s: float | None
    """Until all of it is there again, if nobody used it."""
    lasts_s: float | None
    """Until nothing is left at the present rate; None when the rate is nothing or not known."""
    confidence: Confidence
    age_s: float
    """Since the figure was told; 0.0 for what donut counts itself."""
    on_exceed: OnExceed | None
    """None for what a provider enforces."""
    is_paced: bool = False
    """The soft limit that keeps another to its pace."""


def views(book: Book, now_s: float) -> list[LimitView]:
    """All limits that were ever looked at, each once, in a stable order."""
    found = [_ceiling_view(ceiling, now_s) for counter in book.counters.values() for ceiling in counter.ceilings]
    seen: set[int] = set()
    for place in book.places.values():
        for report in place.all_reports():
            if id(report) not in seen:
                seen.add(id(report))
                found.append(_report_view(report, place, now_s))
    return sorted(found, key=lambda view: (view.key, view.name, view.unit.value))


def tightest(book: Book, replica_id: str, now_s: float) -> LimitView | None:
    """The limit of a replica with the least left; None for one that has none."""
    place = book.places.get(replica_id)
    if place is None:
        return None
    return min(_of_place(place, now_s), key=lambda view: 1.0 if view.share is None else view.share, default=None)


def _of_place(place: Place, now_s: float) -> Iterator[LimitView]:
    for ceiling in place.ceilings:
        if ceiling.stops:
            yield _ceiling_view(ceiling, now_s)
    for report in place.all_reports():
        if now_s < report.ends_s:
            yield _report_view(report, place, now_s)


def _ceiling_view(ceiling: Ceiling, now_s: float) -> LimitView:
    counter, limit, unit = ceiling.counter, ceiling.limit, ceiling.limit.unit
    left = ceiling.left(now_s)
    return LimitView(
        key=counter.id.key,
        name=ceiling.source,
        unit=unit,
        window=limit.window,
        window_s=WINDOW_S[limit.window],
        most=told(unit, ceiling.most),
        used=told(unit, counter.meter.used(now_s)),
        held=told(unit, counter.held),
        others=told(unit, counter.others),
        left=told(unit, left),
        share=min(1.0, max(0.0, left / ceiling.most)),
        frees_in_s=max(0.0, counter.meter.resets_at_s(now_s) - now_s),
        lasts_s=_lasts_s(ceiling, left, now_s),
        confidence=counter.confidence,
        age_s=0.0,
        on_exceed=limit.on_exceed,
        is_paced=ceiling.is_soft,
    )


def _lasts_s(ceiling: Ceiling, left: int, now_s: float) -> float | None:
    lately_s = WINDOW_S[ceiling.limit.window] / RATE_OVER
    if not lately_s:
        return None
    used = ceiling.counter.meter.since(now_s - lately_s)
    return max(0.0, left) * lately_s / used if used > 0 else None


def _report_view(report: Report, place: Place, now_s: float) -> LimitView:
    unit = report.key.unit
    left = max(0, report.left(now_s))
    is_accounts = report.key.scope is ReportedScope.ACCOUNT
    age_s = max(0.0, now_s - report.at_s)
    return LimitView(
        key=key_of(Scope.PROVIDER, place.account.id) if is_accounts else key_of(Scope.REPLICA, place.id),
        name=report.key.name,
        unit=unit,
        window=next((window for window, length_s in WINDOW_S.items() if length_s == report.window_s), None),
        window_s=report.window_s,
        most=told(unit, report.most) if report.most is not None else None,
        used=told(unit, report.most - left) if report.most is not None else None,
        held=told(unit, report.held),
        others=0.0,
        left=told(unit, left),
        share=report.share(now_s),
        frees_in_s=max(0.0, report.until_s - now_s),
        lasts_s=left * age_s / report.spent if report.spent > 0 and age_s > 0 else None,
        confidence=Confidence.HEADER,
        age_s=age_s,
        on_exceed=None,
    )
