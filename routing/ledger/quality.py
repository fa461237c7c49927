"""One figure from 0 to 1 for how capable a model is, from whatever the ledger believes about it now.

A figure of `quality` itself comes first when a person wrote it. Else the benchmarks of the best source that is believed before the shipped
figure are laid onto the shipped scale: by mean and deviation over the models that have both ("mean-sigma linking", as
scripts/catalog_quality.py does it), or by a fixed scale where too few have. Without such a source the shipped figure stands.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from routing.ledger.book import Book
from routing.ledger.readings import MANUAL, SHIPPED
from routing.types import UseCase

LINKS_MIN = 5
AGREEMENT_MIN = 0.5
"""Pearson's r. Both as in scripts/catalog_quality.py."""

GENERAL = ("intelligence_index", "epoch_capabilities_index", "agentic_index", "coding_index", "arena_text_elo")
"""Best first: the first that a source has is the one that counts."""
BASIS: Mapping[UseCase, Sequence[str]] = {
    UseCase.CHAT: GENERAL,
    UseCase.CODE: (
        "coding_agent_index", "coding_index", "terminal_bench_4", "terminal_bench_2_1", "swe_bench_pro", "swe_bench_verified",
        "livebench_agentic_coding", "livecodebench", "terminal_bench", "helios_success", "arena_code_elo", *GENERAL,
    ),
    UseCase.SEARCH: ("search_accuracy", "arena_search_elo", "long_context_reasoning", *GENERAL),
    UseCase.VISION: ("arena_vision_elo", "mmmu_pro", *GENERAL),
    UseCase.EMBED: (),
}  # fmt: skip

MADE_OF = frozenset({SHIPPED, "epoch", "arena"})
"""Sources whose general figures the shipped quality is made of already, with more care than a single one of them would be."""

FIXED_SCALES: Mapping[str, tuple[float, float]] = {"epoch_capabilities_index": (130.0, 170.0), "intelligence_index": (15.0, 80.0)}
"""Figures that become 0 and 1. Epoch's is the shipped scale itself. The other one is chosen, not measured: since its edition 4 the best
models lie between 50 and 70. It serves until five models have both figures."""


class Rated(NamedTuple):
    """`basis` says what the figure was made of: `intelligence_index 57 of manual`."""

    value: float
    basis: str
    source: str


class Qualities:
    """Answers from one book; what was asked once is remembered."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._links: dict[str, tuple[float, float] | None] = {}
        self._known: dict[tuple[str, UseCase | None], Rated | None] = {}

    def of(self, subject: str, use_case: UseCase | None = None) -> Rated | None:
        """None: nobody has measured it. `use_case` None = in general."""
        key = subject, use_case
        if key not in self._known:
            self._known[key] = self._rate(subject, BASIS.get(use_case, GENERAL) if use_case is not None else GENERAL)
        return self._known[key]

    def _rate(self, subject: str, basis: Sequence[str]) -> Rated | None:
        own = self._book.figure(subject, "quality") if self._book.value(subject, "quality") is not None else None
        winner = own.winner if own is not None else None
        if winner is not None and winner.source == MANUAL:
            return Rated(winner.value, f"quality {winner.value:g} of {MANUAL}", MANUAL)
        linked = self._linked(subject, basis)
        if linked is not None:
            return linked
        return None if winner is None else Rated(winner.value, f"quality {winner.value:g} of {winner.source}", winner.source)

    def _linked(self, subject: str, basis: Sequence[str]) -> Rated | None:
        """From the best source: its figures come before those of any other, whatever they measure."""
        best: tuple[int, int, Rated] | None = None
        for place, metric in enumerate(basis):
            if self._book.value(subject, metric) is None:
                continue
            winner = self._book.figure(subject, metric).winner
            scale = self._link(metric)
            if winner is None or scale is None or (winner.source in MADE_OF and metric in GENERAL):
                continue
            value = round(min(1.0, max(0.0, scale[0] * winner.value + scale[1])), 4)
            rated = Rated(value, f"{metric} {winner.value:g} of {winner.source}", winner.source)
            found = self._book.rules.rank(winner.source), place, rated
            if best is None or found[:2] < best[:2]:
                best = found
        return None if best is None else best[2]

    def _link(self, metric: str) -> tuple[float, float] | None:
        """(slope, offset) onto the shipped scale; None when nothing supports one."""
        if metric not in self._links:
            self._links[metric] = self._fit(metric)
        return self._links[metric]

    def _fit(self, metric: str) -> tuple[float, float] | None:
        theirs, ours = self._book.pairs(metric, "quality")
        if len(theirs) >= LINKS_MIN and len(set(theirs)) > 1 and len(set(ours)) > 1:
            if statistics.correlation(theirs, ours) >= AGREEMENT_MIN:
                slope = statistics.stdev(ours) / statistics.stdev(theirs)
                return slope, statistics.fmean(ours) - slope * statistics.fmean(theirs)
            return None
        fixed = FIXED_SCALES.get(metric)
        return None if fixed is None else (1.0 / (fixed[1] - fixed[0]), -fixed[0] / (fixed[1] - fixed[0]))
