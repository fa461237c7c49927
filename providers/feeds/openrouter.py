"""OpenRouter: its models with prices and conditions (no key needed); with a key the benchmarks that it passes on, and what its hosts reach.

Prices are USD per token, as decimal text. A price of an OpenRouter model is OpenRouter's offer, nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from providers.feeds import Feed, FeedError, Page, Parsed, Subjects, bearer, json_value, mapping, number, priced, rows, text, words
from routing.ledger.plain import override_from_plain
from routing.ledger.readings import Reading
from routing.ledger.terms import PriceOverride, Terms

NAME = "openrouter"
MODELS, BENCHMARKS = "/api/v1/models", "/api/v1/benchmarks?source=artificial-analysis"
PER_MTOK = 1e6
TOKEN_PRICES = {
    "prompt": "input",
    "completion": "output",
    "input_cache_read": "cache_read",
    "input_cache_write": "cache_write",
    "input_cache_write_1h": "cache_write_1h",
    "internal_reasoning": "reasoning",
}
UNIT_PRICES = {"request": "request", "image": "image"}
INDICES = ("intelligence_index", "coding_index", "agentic_index")
CONDITIONS = ("min_prompt_tokens", "utc_start", "utc_end", "utc_days")
ENDPOINTS = "/endpoints"
ENDPOINTS_ASKED = 12
"""Of how many models the hosts are asked: one request each, every two seconds, within the limit of 30 a minute."""


def paths(subjects: Subjects, has_key: bool) -> Sequence[str]:
    if not has_key:
        return (MODELS,)
    return (MODELS, BENCHMARKS, *(endpoints_of(name) for name in subjects.upstreams(NAME)[:ENDPOINTS_ASKED]))


def endpoints_of(model: str) -> str:
    """`author/slug` → the path that lists its hosts."""
    return f"{MODELS}/{model}{ENDPOINTS}"


def parse(page: Page) -> Parsed:
    path = urlsplit(page.path).path
    data = mapping(json_value(page), "the answer")
    if "error" in data and "data" not in data:
        error = data["error"]
        raise FeedError(f"it says: {words(error.get('message') if isinstance(error, Mapping) else error)}")
    if path.endswith(ENDPOINTS):
        return Parsed(list(_endpoints(mapping(data.get("data"), "data"), page)))
    if path.endswith("/benchmarks"):
        return Parsed(list(_benchmarks(data, page)))
    return _models(rows(data.get("data"), "data"), page)


def _models(models: Sequence[Mapping[str, Any]], page: Page) -> Parsed:
    readings: list[Reading] = []
    terms: dict[str, Terms] = {}
    for row in models:
        entry = page.subjects.entry(NAME, text(row.get("id")))
        if entry is None:
            continue
        pricing = row.get("pricing")
        if isinstance(pricing, Mapping):
            readings += priced(entry, _figures(pricing), NAME, page.today)
            conditions = _overrides(pricing.get("overrides"))
            if conditions:
                terms[entry] = Terms(conditions)
        readings += _limits(entry, row, page.today)
        readings += _passed_on(row, page)
    return Parsed(readings, terms)


def _figures(pricing: Mapping[str, Any]) -> dict[str, float | None]:
    """-1 is how OpenRouter writes "it depends" (its routers): unknown."""
    figures = {f"price_{ours}": _per_mtok(number(pricing.get(theirs))) for theirs, ours in TOKEN_PRICES.items()}
    figures |= {f"price_{ours}": number(pricing.get(theirs)) or None for theirs, ours in UNIT_PRICES.items()}
    reasoning = figures["price_reasoning"]
    return {**figures, "price_reasoning": reasoning or None}  # zero: reasoning is billed as output


def _per_mtok(value: float | None) -> float | None:
    return None if value is None or value == -1 else round(value * PER_MTOK, 9)


def _overrides(value: object) -> tuple[PriceOverride, ...]:
    """Those that are understood; a condition that nobody here knows makes its override unusable, since it would apply always."""
    found = []
    for row in value if isinstance(value, list) else ():
        if not isinstance(row, Mapping) or not row.keys() <= {
            *CONDITIONS,
            *TOKEN_PRICES,
            *UNIT_PRICES,
            "audio",
            "input_audio_cache",
            "web_search",
        }:
            continue
        plain: dict[str, Any] = {name: row[name] for name in CONDITIONS if row.get(name) is not None}
        plain |= {ours: price for theirs, ours in TOKEN_PRICES.items() if (price := _per_mtok(number(row.get(theirs)))) is not None}
        try:
            found.append(override_from_plain(plain))
        except (ValueError, TypeError):
            continue
    return tuple(found)


def _limits(entry: str, row: Mapping[str, Any], today: str) -> Iterator[Reading]:
    top = row.get("top_provider")
    longest = top.get("max_completion_tokens") if isinstance(top, Mapping) else None
    for metric, value in (("context_window", number(row.get("context_length"))), ("max_output", number(longest))):
        if value:
            yield Reading(entry, metric, value, NAME, updated_at=today)


def _passed_on(row: Mapping[str, Any], page: Page) -> Iterator[Reading]:
    """Artificial Analysis' indices in the list of models. They come without an edition, and can not be held against those that have one."""
    benchmarks = row.get("benchmarks")
    figures = benchmarks.get("artificial_analysis") if isinstance(benchmarks, Mapping) else None
    model = page.subjects.model(text(row.get("id")))
    if model is not None and isinstance(figures, Mapping):
        yield from _indices(model, figures, "", page.today)


def _benchmarks(data: Mapping[str, Any], page: Page) -> Iterator[Reading]:
    meta = data.get("meta")
    version = text(meta.get("version")) if isinstance(meta, Mapping) else ""
    as_of = text(meta.get("as_of"))[:10] if isinstance(meta, Mapping) else ""
    task = parse_qs(urlsplit(page.path).query).get("task_type", [""])[0]
    for row in rows(data.get("data"), "data"):
        model = page.subjects.model(text(row.get("model_permaslug")) or text(row.get("display_name")))
        if model is None:
            continue
        yield from _indices(model, row, version, as_of or page.today)
        accuracy, cost = number(row.get("accuracy")), number(row.get("avg_cost_per_task"))
        if accuracy is not None and task == "search":
            yield Reading(model, "search_accuracy", accuracy * (100 if accuracy <= 1 else 1), NAME, updated_at=as_of or page.today)
        if cost:
            yield Reading(model, "cost_per_task", cost, NAME, updated_at=as_of or page.today)


def _indices(model: str, figures: Mapping[str, Any], version: str, date: str) -> Iterator[Reading]:
    for name in INDICES:
        value = number(figures.get(name))
        if value is not None:
            yield Reading(model, name, value, NAME, version, date, where="https://openrouter.ai/")


def _endpoints(data: Mapping[str, Any], page: Page) -> Iterator[Reading]:
    """What the hosts of one model reach: the best of them counts, since OpenRouter sends requests there."""
    entry = page.subjects.entry(NAME, text(data.get("id")))
    if entry is None:
        return
    hosts = [host for host in rows(data.get("endpoints"), "endpoints") if number(host.get("status")) in (0.0, None)]
    speeds = [found for host in hosts if (found := _median(host.get("throughput_last_30m"))) is not None]
    latencies = [found for host in hosts if (found := _median(host.get("latency_last_30m"))) is not None]
    uptimes = [found for host in hosts if (found := number(host.get("uptime_last_1d"))) is not None]
    for metric, values, best in (("speed_tps", speeds, max), ("ttft_s", latencies, min), ("uptime", uptimes, max)):
        if values:
            yield Reading(entry, metric, best(values), NAME, updated_at=page.today)


def _median(value: object) -> float | None:
    """`{p50, p75 …}`, or the plain number that older answers have."""
    return number(value.get("p50")) if isinstance(value, Mapping) else number(value)


FEED = Feed(
    NAME,
    "https://openrouter.ai",
    paths,
    parse,
    interval_s=6 * 3600.0,
    key_variable="OPENROUTER_API_KEY",
    auth=bearer,
    pause_s=2.0,
    max_requests=2 + ENDPOINTS_ASKED,
    optional=ENDPOINTS,
)
