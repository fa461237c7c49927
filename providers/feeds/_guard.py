"""What of a feed's answer is believed, held against what was believed before. Pure.

The ledger must never get worse by a refresh: an answer that is not half of what it was is refused as a whole (a truncated file, a page
behind a login); a figure that is far from what everybody knew is put aside with a warning, and the feed's own last good one stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from routing.ledger.metrics import METRICS, PRICE_FIELDS
from routing.ledger.readings import Reading
from routing.ledger.sheet import Sheet, sheets_of
from routing.ledger.terms import Terms

SHRINKS_TO = 0.5
"""Share of the last good state's figures below which an answer is taken for a broken one."""
SHRINKS_FROM = 20
"""Figures: a smaller state may halve by itself."""
PRICE_FACTOR = 20.0
"""Times dearer or cheaper than known from which a price is an error of unit or an attack. The steepest real cut of the last years was
tenfold (issue 6 names a thousandfold as the case to catch; per-1k taken for per-1M is one)."""


class KnownFigures(Protocol):
    """What the ledger believed before: `routing.ledger.book.Book` is one."""

    def value(self, subject: str, metric: str) -> float | None: ...


class Judged(NamedTuple):
    sheets: Sequence[Sheet]
    warnings: Sequence[str]
    """Figures that are not believed, one line each."""


class ShrunkError(Exception):
    """The answer holds far less than the one before, in words."""


def judge(
    readings: Iterable[Reading], terms: Mapping[str, Terms], known: KnownFigures, last: Sequence[Sheet], *, may_shrink: bool = False
) -> Judged:
    """The sheets to believe from now on. `last` is the feed's last good state. Raises ShrunkError."""
    before = _readings_of(last)
    judged: list[Reading] = []
    warnings: list[str] = []
    for reading in readings:
        why = _why_not(reading, known)
        if not why:
            judged.append(reading)
            continue
        warnings.append(f"{reading.subject}: {reading.metric} = {reading.value:g}: {why}")
        judged.append(reading._replace(refused=f"quarantined: {why}"))
        good = before.get((reading.subject, reading.metric))
        if good is not None:
            judged.append(good)
    believed = {(reading.subject, reading.metric) for reading in judged if not reading.refused}
    if not may_shrink and len(before) >= SHRINKS_FROM and len(believed) < SHRINKS_TO * len(before):
        raise ShrunkError(f"{len(believed)} figures where there were {len(before)}: taken for a broken answer")
    safe = {subject: found for subject, found in terms.items() if _terms_are_near(subject, found, known)}
    warnings += [f"{subject}: its conditional prices are far from the plain ones: left out" for subject in terms.keys() - safe.keys()]
    return Judged(sheets_of(judged, safe), warnings)


def _readings_of(sheets: Iterable[Sheet]) -> dict[tuple[str, str], Reading]:
    found: dict[tuple[str, str], Reading] = {}
    for sheet in sheets:
        for row, subject in enumerate(sheet.subjects):
            for metric in sheet.columns:
                reading = sheet.reading(row, metric)
                if reading is not None:
                    found[subject, metric] = reading
    return found


def _why_not(reading: Reading, known: KnownFigures) -> str:
    """Empty: nothing speaks against it."""
    metric = METRICS.get(reading.metric)
    if metric is None:
        return "there is no such metric"
    if not metric.accepts(reading.value):
        return f"outside {metric.low:g} to {metric.high:g} {metric.unit}"
    before = known.value(reading.subject, reading.metric) if reading.metric in PRICE_FIELDS else None
    return _far_from(before, reading.value) if before else ""


def _far_from(before: float, value: float) -> str:
    factor = value / before
    if factor == 0:
        return f"free, and {before:g} until now"
    if factor >= PRICE_FACTOR:
        return f"{factor:,.0f} times the {before:g} that is known"
    return f"1/{1 / factor:,.0f} of the {before:g} that is known" if factor <= 1 / PRICE_FACTOR else ""


def _terms_are_near(subject: str, terms: Terms, known: KnownFigures) -> bool:
    plain = {field: known.value(subject, metric) for metric, field in PRICE_FIELDS.items()}
    for override in terms.overrides:
        for field, value in override.figures:
            before = plain.get(field)
            if before and not 1 / PRICE_FACTOR < value / before < PRICE_FACTOR:
                return False
    return True
