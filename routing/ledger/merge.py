"""Who wins: many sheets become one column per metric, and any single cell can say how it came about.

The rule, per figure: sources in their order of priority; of one source the newest edition; never a figure of another edition than the one
in force where a metric's scale changes with its editions (a person's word apart: nobody publishes editions of that). The columns are
merged all at once, which is quick; `explain` judges one cell by the same rule, in words. `tests/test_ledger_merge.py` holds the two
against each other.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import NamedTuple

from routing.ledger.metrics import METRICS, Metric
from routing.ledger.readings import MANUAL, PRIORITY, SHIPPED, Reading, version_order
from routing.ledger.sheet import NAN, Sheet

COVERAGE_MIN = 0.5
"""A new edition comes into force once it has this share of the widest one's subjects: a source that has re-run three models must not make
the other six hundred unknown."""


class Candidate(NamedTuple):
    """One reading, and why it won or lost."""

    reading: Reading
    won: bool
    why: str


class Figure(NamedTuple):
    """What the ledger believes, and everything that speaks for and against it. `value` is None when nothing may be believed."""

    subject: str
    metric: str
    value: float | None
    why: str
    candidates: tuple[Candidate, ...]
    """The winner first."""

    @property
    def winner(self) -> Reading | None:
        return self.candidates[0].reading if self.candidates and self.candidates[0].won else None


class Rules(NamedTuple):
    """By which the sources are ranked."""

    priority: tuple[str, ...] = PRIORITY
    editions: Mapping[str, str] = {}
    """Versioned metric → the edition in force."""

    def rank(self, source: str) -> int:
        """Lower wins. A source that nobody ranked comes after those, and before what was shipped."""
        if source in self.priority:
            return 2 * self.priority.index(source)
        return 2 * self.priority.index(SHIPPED) - 1 if SHIPPED in self.priority else 2 * len(self.priority)


def ranked(sheets: Iterable[Sheet], rules: Rules) -> list[Sheet]:
    """Best first: by source, then the newest edition, then the newest date."""
    newest = sorted(sheets, key=lambda sheet: (version_order(sheet.version), sheet.updated_at), reverse=True)
    return sorted(newest, key=lambda sheet: rules.rank(sheet.source))


def editions_in_force(sheets: Sequence[Sheet]) -> dict[str, str]:
    """Versioned metric → its newest edition with enough coverage."""
    coverage: dict[str, Counter[str]] = {}
    for sheet in sheets:
        for name, column in sheet.columns.items():
            metric = METRICS.get(name)
            if metric is not None and metric.is_versioned and sheet.source != MANUAL:
                coverage.setdefault(name, Counter())[sheet.version] += sum(1 for value in column if not isnan(value))
    found: dict[str, str] = {}
    for name, counts in coverage.items():
        enough = COVERAGE_MIN * max(counts.values())
        found[name] = max((version for version, count in counts.items() if count >= enough), key=version_order)
    return found


def is_in_force(sheet: Sheet, metric: str, rules: Rules) -> bool:
    known: Metric | None = METRICS.get(metric)
    if known is None or not known.is_versioned or sheet.source == MANUAL:
        return True
    return sheet.version == rules.editions.get(metric, sheet.version)


def merged_columns(sheets: Sequence[Sheet], rows: Mapping[str, int], rules: Rules) -> dict[str, array[float]]:
    """Metric → one figure per subject (NaN: nothing is known). `sheets` best first, as `ranked` has them.

    From the worst to the best, each writes over what was there. A sheet whose rows are the ledger's own is copied whole.
    """
    blank = array("d", [NAN]) * len(rows)
    columns: dict[str, array[float]] = {}
    for sheet in reversed(sheets):
        targets = [rows[subject] for subject in sheet.subjects]
        is_aligned = targets == list(range(len(rows)))
        for name, column in sheet.columns.items():
            if not is_in_force(sheet, name, rules):
                continue
            below = columns.get(name)
            if below is None and is_aligned:
                columns[name] = array("d", column)
                continue
            if below is None:
                below = columns[name] = blank[:]
            for row, value in zip(targets, column, strict=True):
                if value == value:  # noqa: PLR0124 - the quickest way to ask for NaN, 600,000 times
                    below[row] = value
    return columns


def explain(subject: str, metric: str, readings: Sequence[Reading], asides: Sequence[Reading], rules: Rules) -> Figure:
    """The verdict on one cell. `readings` best first, as `ranked` has their sheets; `asides` could not win anyway."""
    known = METRICS.get(metric)
    versioned = known is not None and known.is_versioned
    edition = rules.editions.get(metric) if versioned else None
    winner: Reading | None = None
    candidates: list[Candidate] = []
    for reading in readings:
        if edition is not None and reading.source != MANUAL and reading.version != edition:
            why = f"of edition {reading.version or 'unknown'}, and {edition or 'unknown'} is in force: editions are never mixed"
            candidates.append(Candidate(reading, False, why))
        elif winner is None:
            winner = reading
            candidates.insert(0, Candidate(reading, True, ""))
        else:
            candidates.append(Candidate(reading, False, _why_lost(reading, winner)))
    candidates += [Candidate(reading, False, reading.refused) for reading in asides]
    if winner is None:
        return Figure(subject, metric, None, "nothing that may be believed" if candidates else "nobody has it", tuple(candidates))
    why = _why_won(winner, candidates)
    candidates[0] = Candidate(winner, True, why)
    return Figure(subject, metric, winner.value, why, tuple(candidates))


def _why_lost(reading: Reading, winner: Reading) -> str:
    if reading.source == winner.source:
        return f"older than {winner.updated_at or winner.version or 'the other'} of the same source"
    return f"{reading.source} comes after {winner.source}"


def _why_won(winner: Reading, candidates: Sequence[Candidate]) -> str:
    others = list(dict.fromkeys(each.reading.source for each in candidates if not each.won and each.reading.source != winner.source))
    if winner.agreeing:
        told = f"{' and '.join(winner.agreeing)} {'agree' if len(winner.agreeing) > 1 else 'says so'}"
        return f"{told}; {', '.join(others)} comes after" if others else told
    if others:
        return f"{winner.source} comes before {', '.join(others)}"
    return "the only source" if len(candidates) == 1 else f"the newest of {winner.source}"
