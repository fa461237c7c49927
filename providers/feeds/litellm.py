"""LiteLLM's price map: prices, conditions, lanes and limits of all providers' models in one JSON file (MIT)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.feeds import Feed, Page, Parsed, Subjects, json_value, mapping, number, priced, text
from routing.ledger.readings import Reading
from routing.ledger.terms import PriceOverride, Terms, minutes_of

NAME = "litellm"
PATH = "/BerriAI/litellm/main/model_prices_and_context_window.json"
PER_MTOK = 1e6
PROVIDERS: Mapping[str, str] = {
    "gemini": "google", "together_ai": "togetherai", "fireworks_ai": "fireworks-ai", "bedrock": "amazon-bedrock",
    "bedrock_converse": "amazon-bedrock", "moonshot": "moonshotai", "dashscope": "alibaba", "github_copilot": "github-copilot",
}  # fmt: skip
"""LiteLLM's word → the ledger's, where they differ."""
COSTS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
}
LIMITS = {"max_input_tokens": "max_input", "max_output_tokens": "max_output"}
LANES = {"batch": "_batches", "flex": "_flex", "priority": "_priority"}
_ABOVE = re.compile(r"^(.+)_above_(\d{1,5})k_tokens$")


def paths(subjects: Subjects, has_key: bool) -> Sequence[str]:
    del subjects, has_key
    return (PATH,)


def parse(page: Page) -> Parsed:
    readings: list[Reading] = []
    terms: dict[str, Terms] = {}
    for name, row in mapping(json_value(page), "the answer").items():
        entry = _entry(name, row, page.subjects) if isinstance(row, Mapping) else None
        if entry is None:
            continue
        readings += _readings(entry, row, page.today)
        found = Terms((*_by_length(row), *_by_hour(row.get("off_peak_pricing"))), _lanes(row))
        if found != Terms():
            terms[entry] = found
    return Parsed(readings, terms)


def _entry(name: str, row: Mapping[str, Any], subjects: Subjects) -> str | None:
    """`gemini/gemini-3-pro` is Google's `gemini-3-pro`; `openrouter/openai/gpt-x` is OpenRouter's `openai/gpt-x`."""
    theirs = text(row.get("litellm_provider"))
    provider = PROVIDERS.get(theirs, theirs)
    upstream = name.removeprefix(f"{theirs}/").removeprefix(f"{provider}/")
    return subjects.entry(provider, upstream)


def _readings(entry: str, row: Mapping[str, Any], today: str) -> Iterator[Reading]:
    yield from priced(entry, {f"price_{ours}": _per_mtok(row.get(theirs)) for theirs, ours in COSTS.items()}, NAME, today)
    for theirs, metric in LIMITS.items():
        value = number(row.get(theirs))
        if value:
            yield Reading(entry, metric, value, NAME, updated_at=today)


def _per_mtok(value: object) -> float | None:
    found = number(value)
    return None if found is None else round(found * PER_MTOK, 9)


def _by_length(row: Mapping[str, Any]) -> Iterator[PriceOverride]:
    """`input_cost_per_token_above_200k_tokens` and its like, the shortest limit first: a later override wins."""
    limits: dict[int, dict[str, float]] = {}
    for key, value in row.items():
        found = _ABOVE.match(key)
        price = _per_mtok(value)
        if found is not None and found[1] in COSTS and price is not None and 0 <= price <= 6000:
            limits.setdefault(int(found[2]) * 1000 + 1, {})[COSTS[found[1]]] = price
    for tokens in sorted(limits):
        yield PriceOverride(tuple(limits[tokens].items()), tokens)


def _by_hour(rule: object) -> Iterator[PriceOverride]:
    """Off-peak windows in UTC; days are 1 = Monday."""
    if not isinstance(rule, Mapping):
        return
    prices = ((ours, _per_mtok(rule.get(theirs))) for theirs, ours in COSTS.items())
    figures = tuple((name, price) for name, price in prices if price is not None and 0 <= price <= 6000)
    windows = rule.get("windows", [rule])
    for window in windows if isinstance(windows, list) else ():
        hours = window.get("hours_utc") if isinstance(window, Mapping) else None
        for span in [hours] if isinstance(hours, str) else hours if isinstance(hours, list) else ():
            try:
                start, end = (minutes_of(part) for part in str(span).split("-"))
                days = tuple(sorted(int(day) - 1 for day in window["weekdays"])) if "weekdays" in window else None
            except (ValueError, TypeError):
                continue
            if figures and (days is None or all(0 <= day <= 6 for day in days)):
                yield PriceOverride(figures, None, start, end, days)


def _lanes(row: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """A lane's input price as a share of the plain one, which is taken for all token prices, as the vendors' lanes have it."""
    plain = number(row.get("input_cost_per_token"))
    found = ((lane, number(row.get(f"input_cost_per_token{suffix}"))) for lane, suffix in LANES.items())
    return tuple((lane, round(price / plain, 6)) for lane, price in found if price and plain and 0.01 <= price / plain <= 100)


FEED = Feed(NAME, "https://raw.githubusercontent.com", paths, parse)
