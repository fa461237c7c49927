"""The results as tables that a person reads."""

from __future__ import annotations

import os
from collections.abc import Sequence

from scripts.harnesses.case import Outcome
from scripts.harnesses.faults import reacts_as_it_should
from scripts.harnesses.install import version_of


def mark(outcome: Outcome) -> str:
    """`green`, with `=` where the bytes were the same on both sides; `RED` with the reason."""
    if outcome.case.fault is not None:
        return "as it should" if reacts_as_it_should(outcome) else "RED"
    if outcome.is_green:
        return "green =" if outcome.is_identical else "green"
    if outcome.is_done and not outcome.case.is_real:
        return "RED refused" if outcome.objections else "RED bytes"
    return "RED"


def cell(outcome: Outcome) -> str:
    return f"{mark(outcome)} {outcome.finished.seconds:.1f} s, {outcome.requests} req"


def table(outcomes: Sequence[Outcome], columns: Sequence[str], *, by_fault: bool = False) -> str:
    """Harness × upstream dialect, or harness × fault; Markdown."""
    rows: dict[str, dict[str, Outcome]] = {}
    for outcome in outcomes:
        case = outcome.case
        label = f"{case.harness.name} {version_of(case.harness)} ({case.harness.dialect})"
        if by_fault:
            label += f" → {case.upstream}"
        rows.setdefault(label, {})[case.fault_name if by_fault else case.upstream] = outcome
    head = ["harness", *columns]
    lines = [[label, *(cell(cells[column]) if column in cells else "" for column in columns)] for label, cells in rows.items()]
    widths = [max(len(line[index]) for line in [head, *lines]) for index in range(len(head))]
    printed = [head, ["-" * width for width in widths], *lines]
    return "\n".join("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in printed)


def troubles(outcome: Outcome) -> str:
    """What is known about a case that is not as it should be."""
    said = outcome.finished.last_word.strip().replace("\n", " ")[-300:]
    code = "still running at the time limit" if outcome.finished.exit_code is None else f"exit code {outcome.finished.exit_code}"
    lines = [f"{outcome.case.name}: {code}; last word: {said or '(nothing)'}"]
    lines += [f"  the upstream refused: {text}" for text in outcome.objections]
    lines += [f"  donut answered {text}" for text in outcome.errors[:3]]
    lines += [f"  no such path upstream: {text}" for text in outcome.strays]
    if outcome.is_identical is False:
        lines.append("  bodies changed on their way, though both sides speak the same dialect")
    return os.linesep.join(lines)
