"""models.dev: every provider's models with prices and limits, by hand and by pull request (MIT)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.feeds import Feed, Page, Parsed, Subjects, json_value, mapping, number, priced, text
from routing.ledger.readings import Reading
from routing.ledger.terms import PriceOverride, Terms

NAME = "models_dev"
COSTS = {"input": "input", "output": "output", "cache_read": "cache_read", "cache_write": "cache_write", "reasoning": "reasoning"}
LIMITS = {"context": "context_window", "input": "max_input", "output": "max_output"}
OVER_200K = "context_over_200k"
LONG_TOKENS = 200_001


def paths(subjects: Subjects, has_key: bool) -> Sequence[str]:
    del subjects, has_key
    return ("/api.json",)


def parse(page: Page) -> Parsed:
    readings: list[Reading] = []
    terms: dict[str, Terms] = {}
    for provider, about in mapping(json_value(page), "the answer").items():
        models = about.get("models") if isinstance(about, Mapping) else None
        for name, row in models.items() if isinstance(models, Mapping) else ():
            entry = page.subjects.entry(str(provider), str(name))
            if entry is None or not isinstance(row, Mapping):
                continue
            readings += _readings(entry, row, text(row.get("last_updated")) or page.today)
            long = _long(row.get("cost"))
            if long is not None:
                terms[entry] = Terms((long,))
    return Parsed(readings, terms)


def _readings(entry: str, row: Mapping[str, Any], date: str) -> Iterator[Reading]:
    cost = row.get("cost")
    if isinstance(cost, Mapping):
        yield from priced(entry, {f"price_{ours}": number(cost.get(theirs)) for theirs, ours in COSTS.items()}, NAME, date)
    limit = row.get("limit")
    limits: Mapping[str, Any] = limit if isinstance(limit, Mapping) else {}
    for theirs, metric in LIMITS.items():
        value = number(limits.get(theirs))
        if value:
            yield Reading(entry, metric, value, NAME, updated_at=date)


def _long(cost: object) -> PriceOverride | None:
    """The prices of prompts above 200,000 tokens."""
    figures = cost.get(OVER_200K) if isinstance(cost, Mapping) else None
    if not isinstance(figures, Mapping):
        return None
    found = tuple(
        (ours, value) for theirs, ours in COSTS.items() if (value := number(figures.get(theirs))) is not None and 0 <= value <= 6000
    )
    return PriceOverride(found, LONG_TOKENS) if found else None


FEED = Feed(NAME, "https://models.dev", paths, parse)
