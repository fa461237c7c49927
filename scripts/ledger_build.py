"""The facts as the ledger's snapshot. Used by `scripts/build-ledger`; pure. `config/ledger/snapshot.py` reads what this writes.

Prices are resolved by the facts' own rule, which `models.json` states: the value that most sources have; where none has a majority the
order litellm, genai-prices, pi-ai, models.dev. Every value that lost is kept with its source, and so is who agreed with the winner.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from routing.ledger.names import bare, spelled
from routing.ledger.plain import sheet_as_plain
from routing.ledger.readings import Reading
from routing.ledger.sheet import sheets_of
from routing.ledger.terms import minutes_of

PRICE_SOURCES = ("litellm", "genai-prices", "pi-ai", "models.dev")
"""In the order that breaks ties; their positions are the bits of who agreed."""
PRICES = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
PRIMARY, RETIRED, NOT_CHAT = 1, 2, 4

SHIPPED_SOURCES = {"epoch.ai": "epoch", "arena.ai": "arena", "aider.chat": "aider"}
SHIPPED_LICENCES = frozenset({"CC-BY-4.0", "Apache-2.0", "MIT mirror; arena.ai page data"})
METRIC_NAMES = {"gpqa_diamond": ("gpqa", 100.0), "aider_polyglot_pass_rate_2": ("aider_polyglot", 1.0)}
"""The facts' name → (metric, factor)."""
EDITIONS = frozenset({"epoch_capabilities_index"})
"""Fitted anew with every edition, as Elo is: the date is the edition."""


def build(
    facts: Mapping[str, Any],
    logical: Mapping[str, Any],
    benchmarks: Iterable[Mapping[str, Any]],
    catalog: Mapping[str, Any],
    *,
    own_name: Callable[[Mapping[str, Any]], str],
    mismatched: Collection[tuple[str, str]],
) -> dict[str, Any]:
    """The snapshot as one JSON value. `catalog` is what `scripts/build-catalog` makes of the same facts: its ids are the ledger's."""
    described = {(offer["provider"], offer["model_id"]): model["id"] for model in logical["models"] for offer in model["providers"] or ()}
    canonical = {model["canonical_id"]: model["id"] for model in logical["models"]}
    ids: dict[str, str] = {}
    for model_id, _ in sorted(catalog["models"].items(), key=lambda item: not item[1].get("curated")):
        ids.setdefault(spelled(model_id).plain, model_id)
    exact = {model_id.lower(): model_id for model_id in catalog["models"]}
    primary = {(provider, row[0]) for provider, rows in catalog["offerings"].items() for row in rows if row[2] & PRIMARY}
    listed = {provider for provider, rows in catalog["offerings"].items() if rows}
    groups: dict[str, list[list[Any]]] = {provider: [] for provider in facts["providers"]}
    for fact in facts["models"]:
        place = fact["provider"], fact["model_id"]
        known = None if place in mismatched else described.get(place) or canonical.get(fact["canonical_id"])
        name = known or own_name(fact)
        model_id = exact.get(name.lower()) or ids.setdefault(spelled(name).plain, bare(name))
        is_primary = place in primary if fact["provider"] in listed else known is not None
        groups[fact["provider"]].append(entry(fact, model_id, is_primary=is_primary, today=facts["generated"]))
    return {
        "version": facts["generated"],
        "licence": "facts from MIT-licensed sources, scores under the licence of their sheet, see ATTRIBUTION.md",
        "price_sources": {name: facts["sources"][name] for name in PRICE_SOURCES},
        "providers": {name: about["billing"] for name, about in facts["providers"].items()},
        "quality": {
            "version": catalog["quality"],
            "figures": {name: row["quality"] for name, row in catalog["models"].items() if "quality" in row},
        },
        "entries": {provider: sorted(rows, key=lambda row: (row[1], row[0])) for provider, rows in groups.items()},
        "sheets": sheets(benchmarks, {**ids, **canonical}),
    }


def entry(fact: Mapping[str, Any], model_id: str, *, is_primary: bool, today: str) -> list[Any]:
    """[upstream, logical id, flags, [window, longest input, longest output], [prices], agreement, terms, losers]; cut off where empty.

    `agreement`: per price a sum of bits, one per source that has the winning value; `losers`: [price, source, value] as positions.
    """
    gone = fact["status"] == "deprecated" or (fact["deprecation_date"] or "9") <= today
    flags = (
        (PRIMARY if is_primary and not gone else 0) | (RETIRED if gone else 0) | (0 if fact["kind"] in ("chat", "embedding") else NOT_CHAT)
    )
    prices, agreement, losers = resolved(fact)
    row: list[Any] = [fact["model_id"], model_id, flags]
    row += [[fact["context_window"], fact["max_input"], fact["max_output"]], prices, agreement, terms(fact), losers]
    while len(row) > 3 and (not row[-1] or row[-1] == [None] * 3):
        row.pop()
    return row


def resolved(fact: Mapping[str, Any]) -> tuple[list[float | None], list[int], list[list[Any]]]:
    """Prices by the rule, who agreed, and what lost."""
    stated = fact["price_per_mtok_usd"] or {}
    # A source that has no figure sometimes writes zero. Only the lanes that say so are free; for the rest zero means unknown.
    if stated.get("input") == 0 and stated.get("output") == 0 and not fact["model_id"].endswith(":free"):
        return [], [], []
    prices: list[float | None] = []
    agreement: list[int] = []
    losers: list[list[Any]] = []
    for position, name in enumerate(PRICES):
        said = {source: values.get(name) for source, values in fact["by_source"].items() if values.get(name) is not None}
        value = majority(said) if name == "cache_write_1h" else stated.get(name)
        prices.append(value)
        agreement.append(sum(1 << PRICE_SOURCES.index(source) for source, figure in said.items() if figure == value))
        if value is not None:
            losers += [[position, PRICE_SOURCES.index(source), figure] for source, figure in said.items() if figure != value]
    while prices and prices[-1] is None:
        prices.pop()
        agreement.pop()
    return prices, agreement, losers


def majority(said: Mapping[str, float]) -> float | None:
    """The value of most sources; in a tie, of the first in order that has one of the most frequent values."""
    if not said:
        return None
    counts = Counter(said.values())
    most = max(counts.values())
    return next(said[source] for source in PRICE_SOURCES if source in said and counts[said[source]] == most)


def terms(fact: Mapping[str, Any]) -> dict[str, Any]:
    """Conditions as `routing.ledger.plain` has them: tiers by prompt length, hours, lanes."""
    overrides: list[dict[str, Any]] = []
    for tier in (fact["price_per_mtok_usd"] or {}).get("tiers") or ():
        figures = {name: tier[name] for name in PRICES if tier.get(name) is not None}
        overrides.append({**figures, "min_prompt_tokens": tier["above_input_tokens"] + 1})
    overrides += off_peak(fact["off_peak"] or {})
    lanes = lane_factors(fact["by_source"].get("litellm") or {})
    return ({"overrides": overrides} if overrides else {}) | ({"lanes": lanes} if lanes else {})


def off_peak(rule: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """LiteLLM's windows: days are 1 = Monday, prices per token."""
    names = {"input": "input_cost_per_token", "output": "output_cost_per_token", "cache_read": "cache_read_input_token_cost"}
    figures = {name: round(rule[key] * 1e6, 9) for name, key in names.items() if rule.get(key) is not None}
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    for window in rule.get("windows", ()):
        hours = window["hours_utc"]
        for span in [hours] if isinstance(hours, str) else hours:
            start, end = (f"{minutes_of(text) // 60:02}{minutes_of(text) % 60:02}" for text in span.split("-"))
            chosen = {"utc_days": [days[day - 1] for day in window["weekdays"]]} if "weekdays" in window else {}
            yield {**figures, "utc_start": start, "utc_end": end, **chosen}


def lane_factors(said: Mapping[str, Any]) -> dict[str, float]:
    """LiteLLM states a lane's input price; its share of the plain one is taken for all token prices, as the vendors' lanes have it."""
    plain = said.get("input")
    if not plain:
        return {}
    lanes = {lane: said.get(f"{lane}_input") for lane in ("batch", "flex", "priority")}
    return {lane: round(value / plain, 6) for lane, value in lanes.items() if value}


def sheets(benchmarks: Iterable[Mapping[str, Any]], ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """One sheet per source and edition, of the rows that may be shipped."""
    readings = []
    for row in benchmarks:
        if row["source"] not in SHIPPED_SOURCES or row["licence"] not in SHIPPED_LICENCES:
            continue
        metric, factor = METRIC_NAMES.get(row["metric"], (row["metric"], 1.0))
        name = row.get("canonical_id")
        plain = spelled(name.rsplit("/", 1)[-1]).plain if name else spelled(row["model"]).steadfast
        subject = ids.get(name or "") or ids.get(plain, plain)
        edition = (row.get("date") or "") if metric in EDITIONS or metric.endswith("_elo") else ""
        effort = str(row.get("effort") or row.get("reasoning_effort") or "")
        votes = row.get("votes")
        readings.append(
            Reading(
                subject,
                metric,
                round(float(row["value"]) * factor, 4),
                SHIPPED_SOURCES[row["source"]],
                edition,
                row.get("date") or "",
                licence=row["licence"],
                effort=effort,
                samples=int(votes) if votes else None,
            )
        )
    readings.sort(key=lambda reading: (reading.source, reading.version, reading.subject, reading.metric, reading.value, reading.effort))
    return [compacted(sheet_as_plain(sheet)) for sheet in sheets_of(readings)]


def compacted(sheet: dict[str, Any]) -> dict[str, Any]:
    """Details that repeat the sheet's own edition are dropped; the loader puts them back."""
    return {key: value for key, value in sheet.items() if value not in ({}, "")}


def dump(snapshot: Mapping[str, Any]) -> bytes:
    """Compact, but a line per entry and subject, so that a diff can be read."""

    def compact(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def lines(pairs: Sequence[str], brackets: str) -> str:
        return f"{brackets[0]}\n" + ",\n".join(pairs) + f"\n{brackets[1]}"

    parts = []
    for key, value in snapshot.items():
        if key == "entries":
            groups = [f"{compact(name)}:{lines([compact(row) for row in rows], '[]')}" for name, rows in value.items() if rows]
            parts.append('"entries":' + lines(groups, "{}"))
        elif key == "sheets":
            parts.append('"sheets":' + lines([compact(sheet) for sheet in value], "[]"))
        else:
            parts.append(f"{compact(key)}:{compact(value)}")
    return ("{" + ",\n".join(parts) + "}\n").encode()
