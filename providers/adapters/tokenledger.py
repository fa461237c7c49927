"""KooshaPari/tokenledger: usage events (JSONL v1) and pricing files, in and out, and the benchmark entries that it exports.

An event has no place for "estimated", so donut writes only what providers reported. Its token fields do not overlap (the total is their
sum), as `Usage`'s do not. A price has to have input and output; everything else may be null, which means unknown there, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from providers.adapters import Adapter, FileFormat, Found
from providers.adapters._fields import count, epoch, iso, mapping, number, objects, text
from routing.ledger.metrics import METRICS, OTHER_NAMES, Kind
from routing.ledger.readings import Reading, entry_key
from routing.types import Usage

SOURCE = "imported"
USD_MOST = 1e9

RATES: Mapping[str, str] = {
    "input_usd_per_mtok": "price_input",
    "output_usd_per_mtok": "price_output",
    "cache_write_usd_per_mtok": "price_cache_write",
    "cache_read_usd_per_mtok": "price_cache_read",
}
"""Its rate → the ledger's metric. The two rates of tool tokens have none: no provider donut knows bills them apart."""
TOOL_RATES = ("tool_input_usd_per_mtok", "tool_output_usd_per_mtok")
RATE_NAMES = (*RATES, *TOOL_RATES)
REQUIRED_RATES = ("input_usd_per_mtok", "output_usd_per_mtok")

TRUST: Mapping[str, float] = {"manual_override": 1.0, "artificial_analysis": 0.9, "open_router": 0.85, "web_scrape": 0.5, "fallback": 0.3}
"""Its sources, as sure as it holds them to be, for entries without a confidence of their own."""


class Event(NamedTuple):
    """What one answer used."""

    provider: str
    model: str
    session_id: str
    at_s: float
    """Seconds since 1970."""
    usage: Usage
    tool_input: int = 0
    tool_output: int = 0


def event_line(event: Event) -> dict[str, Any]:
    """One line of `events.jsonl`."""
    usage = event.usage
    return {
        "provider": event.provider,
        "model": event.model,
        "session_id": event.session_id,
        "timestamp": iso(event.at_s),
        "usage": {
            "input_tokens": usage.input_uncached,
            "output_tokens": usage.output,
            "cache_write_tokens": usage.cache_write,
            "cache_read_tokens": usage.cache_read,
            "tool_input_tokens": event.tool_input,
            "tool_output_tokens": event.tool_output,
        },
    }


def read_events(lines: Iterable[object]) -> tuple[list[Event], int]:
    """(the events among the parsed lines, how many lines are none)."""
    events: list[Event] = []
    others = 0
    for line in lines:
        event = _event(mapping(line))
        if event is None:
            others += 1
        else:
            events.append(event)
    return events, others


def _event(line: Mapping[str, Any]) -> Event | None:
    provider, model, session = text(line.get("provider")), text(line.get("model")), text(line.get("session_id"))
    at_s = epoch(line.get("timestamp"))
    if not (provider and model and session and at_s is not None and isinstance(line.get("usage"), dict)):
        return None
    used = line["usage"]
    usage = Usage(
        count(used.get("input_tokens")), count(used.get("cache_read_tokens")), count(used.get("cache_write_tokens")),
        count(used.get("output_tokens")),
    )  # fmt: skip
    return Event(provider, model, session, at_s, usage, count(used.get("tool_input_tokens")), count(used.get("tool_output_tokens")))


@dataclass(frozen=True, slots=True)
class ProviderPricing:
    models: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Model → rate (`RATE_NAMES`) → USD per 1M tokens; a rate that is missing is unknown."""
    model_aliases: Mapping[str, str] = field(default_factory=dict)
    subscription_usd_month: float = 0.0


@dataclass(frozen=True, slots=True)
class Pricing:
    providers: Mapping[str, ProviderPricing] = field(default_factory=dict)
    provider_aliases: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    """`source`, `updated_at`, `version`."""


def pricing_document(pricing: Pricing) -> dict[str, Any]:
    """`pricing.json`. A model without both required rates is left out: its reader would take none of the file."""
    return {
        "meta": dict(pricing.meta),
        "provider_aliases": dict(pricing.provider_aliases),
        "providers": {
            name: {
                "subscription_usd_month": provider.subscription_usd_month,
                "model_aliases": dict(provider.model_aliases),
                "models": {model: _rates_out(rates) for model, rates in provider.models.items() if _is_complete(rates)},
            }
            for name, provider in pricing.providers.items()
        },
    }


def _rates_out(rates: Mapping[str, float]) -> dict[str, float | None]:
    return {name: rates.get(name) for name in RATE_NAMES}


def _is_complete(rates: Mapping[str, float]) -> bool:
    return all(name in rates for name in REQUIRED_RATES)


def read_pricing(document: object) -> Pricing:
    """Never raises: what has the wrong shape is left out, a negative or infinite rate is unknown."""
    data = mapping(document)
    meta = {name: value for name in ("source", "updated_at", "version") if (value := text(mapping(data.get("meta")).get(name)))}
    providers = {text(name): _provider(mapping(value)) for name, value in mapping(data.get("providers")).items() if text(name)}
    return Pricing(providers, _aliases(data.get("provider_aliases")), meta)


def _provider(data: Mapping[str, Any]) -> ProviderPricing:
    models = {text(name): _rates(mapping(rates)) for name, rates in mapping(data.get("models")).items() if text(name)}
    return ProviderPricing(models, _aliases(data.get("model_aliases")), number(data.get("subscription_usd_month"), 0.0, USD_MOST) or 0.0)


def _rates(data: Mapping[str, Any]) -> dict[str, float]:
    return {name: rate for name in RATE_NAMES if (rate := number(data.get(name), 0.0, USD_MOST)) is not None}


def _aliases(value: object) -> dict[str, str]:
    return {text(alias): text(name) for alias, name in mapping(value).items() if text(alias) and text(name)}


def pricing_of(prices: Iterable[tuple[str, str, Mapping[str, float]]], meta: Mapping[str, str]) -> Pricing:
    """From (provider, upstream model, the ledger's metric → USD per 1M tokens) to a file's content."""
    to_rate = {metric: rate for rate, metric in RATES.items()}
    models: dict[str, dict[str, dict[str, float]]] = {}
    for provider, model, figures in prices:
        models.setdefault(provider, {})[model] = {to_rate[metric]: value for metric, value in figures.items() if metric in to_rate}
    return Pricing({name: ProviderPricing(rates) for name, rates in models.items()}, {}, meta)


def _read_pricing_file(document: object, names: Mapping[str, str]) -> Found:
    pricing = read_pricing(document)
    readings = [
        Reading(names.get(model, entry_key(provider, model)), RATES[name], rate, SOURCE, "", pricing.meta.get("updated_at", ""))
        for provider, offered in pricing.providers.items()
        for model, rates in offered.models.items()
        for name, rate in rates.items()
        if name in RATES
    ]
    bare = sum(not rates for offered in pricing.providers.values() for rates in offered.models.values())
    return Found(tuple(readings), (f"{bare} models without any usable rate were left out",) if bare else ())


def _is_pricing(document: object) -> bool:
    return any(isinstance(mapping(value).get("models"), dict) for value in mapping(mapping(document).get("providers")).values())


def _read_benchmarks_file(document: object, names: Mapping[str, str]) -> Found:
    """Its benchmark store as JSON: a list of entries, or an object with one."""
    rows = objects(document) or objects(mapping(document).get("benchmarks"))
    readings: list[Reading] = []
    nameless = 0
    for row in rows:
        model, provider = text(row.get("model_id")), text(row.get("provider"))
        if not model:
            nameless += 1
            continue
        trust = number(row.get("confidence"), 0.0, 1.0) or TRUST.get(text(row.get("source")), 0.0)
        plain = Reading(names.get(model, model), "", 0.0, SOURCE, "", text(row.get("updated_at")), trust, where=text(row.get("source")))
        for name, value in row.items():
            metric, factor = OTHER_NAMES.get(name, (name, 1.0))
            figure = number(value)
            if metric in METRICS and figure is not None:
                # A price belongs to one provider's offer, everything else to the model.
                subject = entry_key(provider, model) if METRICS[metric].kind is Kind.PRICE and provider else plain.subject
                readings.append(plain._replace(subject=subject, metric=metric, value=figure * factor))
    return Found(tuple(readings), (f"{nameless} entries without a model_id were left out",) if nameless else ())


def _is_benchmarks(document: object) -> bool:
    rows = objects(document) or objects(mapping(document).get("benchmarks"))
    return bool(rows) and all("model_id" in row for row in rows[:1])


ADAPTER = Adapter(
    name="tokenledger",
    title="tokenledger",
    formats=(
        FileFormat("tokenledger pricing", _is_pricing, _read_pricing_file),
        FileFormat("tokenledger benchmarks", _is_benchmarks, _read_benchmarks_file),
    ),
    docs="https://github.com/KooshaPari/tokenledger",
)
