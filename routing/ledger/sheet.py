"""All that one source said in one edition, kept small: a column of doubles per metric, NaN where it says nothing.

What is the same for all its figures (source, edition, licence) is kept once; what is special about one figure is in `details`, and
figures that can not win (quarantined, another effort, too few samples) in `asides`. Ten thousand subjects with sixty figures each
are 5 MB this way, and 150 MB as objects.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from routing.ledger.metrics import METRICS
from routing.ledger.readings import LIVE, MIN_SAMPLES, Reading, source_named
from routing.ledger.terms import Terms

NAN = float("nan")

Column = Sequence[float]
Details = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Subject → metric → members of `Reading` that differ from the sheet's own."""


@dataclass(frozen=True, slots=True)
class Sheet:
    source: str
    subjects: Sequence[str]
    columns: Mapping[str, Column]
    """Metric → one figure per subject."""
    version: str = ""
    updated_at: str = ""
    licence: str = ""
    confidence: float = 0.5
    details: Details = field(default_factory=dict)
    asides: Mapping[str, Sequence[Reading]] = field(default_factory=dict)
    """Subject → readings that can not win."""
    terms: Mapping[str, Terms] = field(default_factory=dict)
    """Subject → the conditions of its price."""

    def reading(self, row: int, metric: str) -> Reading | None:
        """The figure of a subject, with everything about it; None where the sheet has none."""
        column = self.columns.get(metric)
        if column is None or isnan(column[row]):
            return None
        subject = self.subjects[row]
        own = self.details.get(subject, {}).get(metric, {})
        plain = Reading(subject, metric, column[row], self.source, self.version, self.updated_at, self.confidence, self.licence)
        return plain._replace(**own) if own else plain

    @property
    def size(self) -> int:
        """How many figures may win."""
        return sum(1 for column in self.columns.values() for value in column if not isnan(value))


def sheets_of(readings: Iterable[Reading], terms: Mapping[str, Terms] | None = None) -> list[Sheet]:
    """One sheet per source and edition. Of several readings of a subject and metric the best counts (its highest effort); the others
    are kept as asides. `terms` go to every sheet that prices their subject."""
    batches: dict[tuple[str, str], list[Reading]] = {}
    for reading in readings:
        batches.setdefault((reading.source, reading.version), []).append(reading)
    return [_sheet(source, version, batch, terms or {}) for (source, version), batch in batches.items()]


def _sheet(source: str, version: str, batch: Sequence[Reading], terms: Mapping[str, Terms]) -> Sheet:
    best, asides = _best(batch)
    rows = {subject: row for row, subject in enumerate(dict.fromkeys(subject for subject, _ in best))}
    for subject in asides:
        rows.setdefault(subject, len(rows))
    common = source_named(source)
    updated_at = max((reading.updated_at for reading in batch), default="")
    confidence = max((reading.confidence for reading in batch), default=0.0) or common.confidence
    licence = next((reading.licence for reading in batch if reading.licence), common.licence)
    plain = Reading("", "", 0.0, source, version, updated_at, confidence, licence)
    columns: dict[str, array[float]] = {}
    details: dict[str, dict[str, dict[str, Any]]] = {}
    for (subject, metric), reading in best.items():
        column = columns.get(metric)
        if column is None:
            column = columns[metric] = array("d", [NAN]) * len(rows)
        column[rows[subject]] = reading.value
        own = _special(reading, plain)
        if own:
            details.setdefault(subject, {})[metric] = own
    priced = {subject: found for subject, found in terms.items() if (subject, "price_input") in best}
    return Sheet(source, list(rows), columns, version, updated_at, licence, confidence, details, asides, priced)


def _best(batch: Iterable[Reading]) -> tuple[dict[tuple[str, str], Reading], dict[str, list[Reading]]]:
    """Subject and metric → the reading that counts; subject → those that do not."""
    best: dict[tuple[str, str], Reading] = {}
    others: list[Reading] = []
    for reading in map(_judged, batch):
        key = reading.subject, reading.metric
        known = best.get(key)
        if reading.refused or (known is not None and not _is_better(reading, known)):
            others.append(reading)
            continue
        if known is not None:
            others.append(known)
        best[key] = reading
    asides: dict[str, list[Reading]] = {}
    for reading in others:
        why = reading.refused or _same_source(best[reading.subject, reading.metric])
        asides.setdefault(reading.subject, []).append(reading._replace(refused=why))
    return best, asides


def _judged(reading: Reading) -> Reading:
    """The reading with its confidence, and refused if it is nothing that a ledger may believe."""
    if not reading.confidence:
        reading = reading._replace(confidence=source_named(reading.source).confidence)
    if reading.refused:
        return reading
    metric = METRICS.get(reading.metric)
    if metric is None:
        return reading._replace(refused="there is no such metric")
    if not metric.accepts(reading.value):
        return reading._replace(refused=f"quarantined: outside {metric.low:g} to {metric.high:g} {metric.unit}")
    if reading.source == LIVE and (reading.samples or 0) < MIN_SAMPLES:
        return reading._replace(refused=f"only {reading.samples or 0} samples, {MIN_SAMPLES} are needed")
    return reading


def _is_better(one: Reading, other: Reading) -> bool:
    """Newer first; within a date the better figure, which is the one of the higher effort."""
    if one.updated_at != other.updated_at:
        return one.updated_at > other.updated_at
    return (one.value < other.value) if METRICS[one.metric].lower_is_better else (one.value > other.value)


def _same_source(winner: Reading) -> str:
    what = f" at effort {winner.effort}" if winner.effort else ""
    return f"the same source has {winner.value:g}{what}"


_SPECIAL = ("updated_at", "confidence", "licence", "effort", "samples", "agreeing", "where")


def _special(reading: Reading, plain: Reading) -> dict[str, Any]:
    return {name: getattr(reading, name) for name in _SPECIAL if getattr(reading, name) != getattr(plain, name)}
