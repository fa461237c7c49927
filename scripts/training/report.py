"""What cross-validation found, as a table for people: every answer is of a classifier that had never seen the question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from routing.types import TIER_ORDER, Classification
from scripts.training.figures import apgr, macro_f1
from scripts.training.rows import Example

Judged = Sequence[tuple[Example, Classification]]


def report(judged: Judged) -> str:
    """The table. Sets without the labels of a section are left out of it."""
    by_source: dict[str, list[tuple[Example, Classification]]] = {}
    for example, found in judged:
        by_source.setdefault(example.source, []).append((example, found))
    return "\n".join([*_routes(by_source), "", *_tiers(by_source), "", *_use_cases(by_source)])


def _routes(by_source: dict[str, list[tuple[Example, Classification]]]) -> Iterator[str]:
    yield f"{'ROUTE':24s}{'n':>6s}  APGR"
    figures = []
    for source, rows in sorted(by_source.items()):
        mine = [(example, found) for example, found in rows if example.gain is not None]
        if mine:
            score = np.array([found.difficulty for _, found in mine])
            weak, strong = (np.array([example.gold[name] for example, _ in mine], dtype=float) for name in ("weak", "strong"))
            figures.append(apgr(score, weak, strong))
            yield f"{source:24s}{len(mine):6d}  {figures[-1]:.3f}{_note(mine)}"
    if figures:
        yield f"{'mean of sets':32s}{np.mean(figures):.3f}"


def _tiers(by_source: dict[str, list[tuple[Example, Classification]]]) -> Iterator[str]:
    yield f"{'TIER':24s}{'n':>6s}    acc  macro-F1  under%  over%"
    for source, rows in sorted(by_source.items()):
        mine = [(example, found) for example, found in rows if example.gold.get("tier") is not None]
        if mine:
            gold = np.array([example.gold["tier"] for example, _ in mine])
            said = np.array([TIER_ORDER.index(found.tier) for _, found in mine])
            under, over = 100 * np.mean(said < gold), 100 * np.mean(said > gold)
            f1 = macro_f1(gold.tolist(), said.tolist())
            yield f"{source:24s}{len(mine):6d}  {np.mean(said == gold):.3f}     {f1:.3f}   {under:5.1f}  {over:5.1f}{_note(mine)}"


def _use_cases(by_source: dict[str, list[tuple[Example, Classification]]]) -> Iterator[str]:
    yield f"{'USE CASE':24s}{'n':>6s}    acc  macro-F1"
    for source, rows in sorted(by_source.items()):
        gold = [str(example.use_case) for example, _ in rows if example.gold["kind"] == "usecase"]
        said = [str(found.use_case) for example, found in rows if example.gold["kind"] == "usecase"]
        if gold:
            right = sum(a == b for a, b in zip(gold, said, strict=True)) / len(gold)
            yield f"{source:24s}{len(gold):6d}  {right:.3f}     {macro_f1(gold, said):.3f}"


def _note(rows: Judged) -> str:
    return "" if any(example.may_train and example.is_text for example, _ in rows) else "   (nothing of it is trained on)"
