"""A decision for people: what was asked for, why this one, all candidates with their factors, and what stood against the others.

Takes the record as `routing.explain.told` has it, whichever command asks. Older journals hold records with fewer members: what is
missing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from config.commands._journal import shown
from config.commands._when import iso

Fact = tuple[str, str]


def print_facts(facts: Iterable[Fact], out: Console) -> None:
    for label, text in facts:
        out.print(f"{label:<10} {shown(text)}", soft_wrap=True)


def print_tables(decision: Mapping[str, Any], out: Console) -> None:
    """The candidates best first, and the rejected ones with their reasons."""
    if decision.get("candidates"):
        out.print(_candidates(decision["candidates"], decision.get("weights") or {}))
    if decision.get("rejected_candidates"):
        out.print(_rejected(decision["rejected_candidates"]))


def decision_facts(decision: Mapping[str, Any]) -> Iterator[Fact]:
    """In labelled lines: the demand as it was understood, then the choice."""
    yield from demand_facts(decision.get("demand") or {})
    target, reasons = decision.get("target") or {}, decision.get("selected_because") or ()
    if target and not reasons:  # the first reason is the target
        yield "target", f"{target.get('kind')} {target.get('id')}: {target.get('because')}"
    for number, reason in enumerate(reasons):
        yield "" if number else "because", reason
    if decision.get("panic"):
        yield "panic", "every candidate was ejected, the least bad one was chosen anyway"
    if decision.get("spilled_from"):
        direction = {"up": "upward", "down": "downward"}.get(decision.get("escalation") or "", "away")
        yield "spilled", f"{direction} from tier {decision['spilled_from']}, in which nobody could take this"
    for note in decision.get("notes") or ():
        yield "note", note
    if decision.get("retry_after_s") is not None:
        yield "retry", f"after {seconds(decision['retry_after_s'])}"


def demand_facts(demand: Mapping[str, Any]) -> Iterator[Fact]:
    """What the request was taken for. Nothing is said of a model that was named: it was not classified."""
    if demand.get("tier") is not None or demand.get("role") is not None:
        words = [demand.get("role"), demand.get("tier"), demand.get("use_case")]
        figures = [f"{name} {demand[name]:.2f}" for name in ("difficulty", "confidence") if demand.get(name) is not None]
        yield "classified", ", ".join([" ".join(str(word) for word in words if word), *figures])
    for reason in demand.get("classified_because") or ():
        yield "", reason
    wishes = dict(_wishes(demand))
    if wishes:
        yield "wishes", ", ".join(f"{name} {value}" for name, value in wishes.items())
    if demand.get("input_tokens") is not None:
        yield "size", f"~{demand['input_tokens']:,} input tokens, ~{demand.get('output_tokens') or 0:,} output tokens expected"


def _wishes(demand: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name in ("policy", "objective"):
        if demand.get(name):
            yield name, demand[name]
    if demand.get("local_preference"):
        yield "local", demand["local_preference"]
    if demand.get("capabilities"):
        yield "needs", "+".join(demand["capabilities"])
    if demand.get("excluded_providers"):
        yield "without", "+".join(demand["excluded_providers"])


def _candidates(candidates: Sequence[Mapping[str, Any]], weights: Mapping[str, float]) -> Table:
    """Factors with a vote first, heaviest first; those of weight 0 are shown all the same."""
    names = dict.fromkeys(name for candidate in candidates for name in candidate.get("factors") or {})
    ordered = sorted(names, key=lambda name: -weights.get(name, 0.0))
    table = Table(title="Candidates", title_justify="left", box=box.SIMPLE, pad_edge=False)
    table.add_column("replica", overflow="fold")
    table.add_column("score", justify="right")
    for name in ordered:
        weight = f"\n× {weights[name]:g}" if name in weights else ""
        table.add_column(shown(name) + weight, justify="right")
    for candidate in candidates:
        factors = candidate.get("factors") or {}
        table.add_row(shown(candidate["replica_id"]), _figure(candidate.get("score")), *(_figure(factors.get(name)) for name in ordered))
    return table


def _rejected(rejected: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Rejected", title_justify="left", box=box.SIMPLE, pad_edge=False)
    for heading in ("replica", "reason", "detail", "until"):
        table.add_column(heading, overflow="fold")
    for reject in rejected:
        until = reject.get("until")
        moment = iso(until) if isinstance(until, int | float) else until
        table.add_row(*map(shown, (reject["id"], reject["reason"], reject.get("detail") or None, moment)))
    return table


def seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value * 1000:,.1f} ms" if value < 1 else f"{value:,.2f} s"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
