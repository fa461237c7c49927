"""A person's figures as a sheet: the source that is believed before all others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from routing.ledger.metrics import OTHER_NAMES
from routing.ledger.names import Match
from routing.ledger.readings import MANUAL, Reading
from routing.ledger.sheet import Sheet, sheets_of

SURE = 0.95
"""From this confidence on, a name that is spelled otherwise is taken for the model; else its figures stand under the name as written."""


def override_sheets(
    overrides: Mapping[str, Mapping[str, float]], known: Collection[str], match: Callable[[str], Match], where: str = ""
) -> list[Sheet]:
    """`known` are the subjects that need no matching; `where` the file that has the overrides."""
    return sheets_of(_readings(overrides, known, match, where))


def _readings(
    overrides: Mapping[str, Mapping[str, float]], known: Collection[str], match: Callable[[str], Match], where: str
) -> Iterator[Reading]:
    for written, figures in overrides.items():
        subject = subject_of(written, known, match)
        for name, value in figures.items():
            metric, factor = OTHER_NAMES.get(name, (name, 1.0))
            yield Reading(subject, metric, value * factor, MANUAL, confidence=1.0, where=where)


def subject_of(written: str, known: Collection[str], match: Callable[[str], Match]) -> str:
    """The subject that a person's spelling means; the spelling itself when nothing is sure."""
    if written in known:
        return written
    found = match(written)
    return found.id if found.id is not None and found.confidence >= SURE and "/" not in written else written


def unknown_subjects(
    overrides: Iterable[str], known: Collection[str], match: Callable[[str], Match]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(name as written, what was probably meant) of overrides that touch nothing donut knows of."""
    for written in sorted(overrides):
        if subject_of(written, known, match) not in known:
            yield written, match(written).suggestions
