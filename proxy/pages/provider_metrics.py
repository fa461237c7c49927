"""`GET /v1/metrics/providers`, `/v1/metrics/models` and `/v1/usage`: what clients of CLIProxyAPI++ ask for (reference/adapters.md).

Two clients disagree about the first: thegent wants an object by provider, tokenledger a list with other names (`?format=list`). Neither
has a word for what nobody knows, so it is null: never a price of zero, nor a rate that nobody measured. Prices there are per 1,000 tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from proxy.pages import _query as query
from proxy.pages._traffic import NOBODY, Spending, Spent, performance, provider_of, spending
from proxy.site import Pages, Site, as_json, get
from proxy.when import iso
from routing.types import ModelReplica

MINUTE_S = 60.0
PER_1K = 1000 / 1_000_000
"""From USD per 1M tokens to USD per 1,000."""


async def providers(site: Site, request: Request) -> Response:
    query.known_only(request, ("since", "until", "format"))
    shape = query.choice(request, "format", ("object", "list")) or "object"
    since, until = query.period(site, request)
    seen = await spending(site, since, until)
    did = await performance(site, since, until, "provider")
    served = site.gateway.serving.router.catalog.replicas.values()
    names = sorted({replica.provider_id for replica in served} | {provider_of(replica_id) for replica_id in seen.by_replica} | did.keys())
    if shape == "list":
        return as_json([_provider_row(site, name, seen, did.get(name, NOBODY)) for name in names])
    lately = await performance(site, until - MINUTE_S, until, "provider")
    return as_json({name: _provider_entry(site, name, seen, did.get(name, NOBODY), lately.get(name, NOBODY)) for name in names})


def _provider_entry(site: Site, name: str, seen: Spending, did: Mapping[str, Any], lately: Mapping[str, Any]) -> dict[str, Any]:
    spent = seen.of_provider(name)
    input_price, output_price = _prices(site, name, seen)
    return {
        "request_count": did["attempts"],
        "success_count": did["ok"],
        "failure_count": did["failed"],
        "total_tokens": spent.total,
        "success_rate": did["success_rate"],
        "cost_per_1k": _cost_per_1k(spent),
        "cost_per_1k_input": input_price,
        "cost_per_1k_output": output_price,
        "latency_p50_ms": did["total_ms_p50"],
        "latency_p95_ms": did["total_ms_p95"],
        "ttft_p50_ms": did["ttft_ms_p50"],
        "ttft_p95_ms": did["ttft_ms_p95"],
        "tps_1m": lately["output_tokens_per_s"],
        "total_cost_usd": spent.cost_usd,
    }


def _provider_row(site: Site, name: str, seen: Spending, did: Mapping[str, Any]) -> dict[str, Any]:
    spent = seen.of_provider(name)
    turns = {"rate_limited_requests": did["rate_limited"], "total_turns": spent.exchanges, "total_tool_calls": 0}
    return {"provider": name, **_row(site, spent, did), **turns}


async def models(site: Site, request: Request) -> Response:
    query.known_only(request, ("since", "until"))
    since, until = query.period(site, request)
    seen = await spending(site, since, until)
    did = await performance(site, since, until, "replica")
    replicas = site.gateway.serving.router.catalog.replicas
    return as_json([_model_row(site, replica, seen.of([replica.id]), did.get(replica.id, NOBODY)) for replica in replicas.values()])


def _model_row(site: Site, replica: ModelReplica, spent: Spent, did: Mapping[str, Any]) -> dict[str, Any]:
    verbosity = spent.output / did["ok"] if did["ok"] else None
    own = {"model": replica.logical_model_id, "provider": replica.provider_id, "replica_id": replica.id}
    per_request = {"avg_verbosity": verbosity, "median_verbosity": None, "avg_turns_per_request": None, "avg_tool_calls_per_request": None}
    return {**own, **_row(site, spent, did), **per_request}


def _row(site: Site, spent: Spent, did: Mapping[str, Any]) -> dict[str, Any]:
    """What tokenledger's rows of providers and models have in common; null is what the journal does not keep. A tool's tokens have to be
    numbers there: providers count them among the others, so there are none beside those."""
    return {
        "total_input_tokens": spent.input_uncached,
        "total_output_tokens": spent.output,
        "total_tokens": spent.total,
        "total_cache_write_tokens": spent.cache_write,
        "total_cache_read_tokens": spent.cache_read,
        "total_tool_input_tokens": 0,
        "total_tool_output_tokens": 0,
        "total_reasoning_tokens": spent.reasoning,
        "avg_tokens_per_second": did["output_tokens_per_s"],
        "median_tokens_per_second": None,
        "p95_tokens_per_second": None,
        "avg_latency_ms": None,
        "median_latency_ms": did["total_ms_p50"],
        "total_requests": did["attempts"],
        "successful_requests": did["ok"],
        "failed_requests": did["failed"],
        "success_rate": did["success_rate"],
        "total_cost_usd": spent.cost_usd,
        "avg_cost_per_request": spent.cost_usd / did["attempts"] if spent.cost_usd is not None and did["attempts"] else None,
        "cost_per_1k_tokens": _cost_per_1k(spent),
        "updated_at": iso(site.gateway.wall()),
    }


def _cost_per_1k(spent: Spent) -> float | None:
    """USD per 1,000 tokens as they were really paid for, caches included."""
    return spent.cost_usd * 1000 / spent.total if spent.cost_usd is not None and spent.total else None


def _prices(site: Site, provider: str, seen: Spending) -> tuple[float | None, float | None]:
    """USD per 1,000 tokens of input and of output: the list prices of the provider's models, weighed by their use."""
    served = [replica for replica in site.gateway.serving.router.catalog.replicas.values() if replica.provider_id == provider]
    inputs = [(replica.price.input, seen.of([replica.id]).input) for replica in served if replica.price is not None]
    outputs = [(replica.price.output, seen.of([replica.id]).output) for replica in served if replica.price is not None]
    return _weighed(inputs), _weighed(outputs)


def _weighed(prices: Collection[tuple[float | None, int]]) -> float | None:
    known = [(price, tokens) for price, tokens in prices if price is not None]
    used = sum(tokens for _, tokens in known)
    if used:
        return PER_1K * sum(price * tokens for price, tokens in known) / used
    return PER_1K * sum(price for price, _ in known) / len(known) if known else None


async def usage(site: Site, request: Request) -> Response:
    query.known_only(request, ("since", "until"))
    since, until = query.period(site, request)
    seen = await spending(site, since, until)
    catalog = site.gateway.serving.router.catalog.replicas
    by_model = [
        {"model": catalog[replica_id].logical_model_id if replica_id in catalog else replica_id, **_used(provider_of(replica_id), spent)}
        for replica_id, spent in seen.by_replica.items()
    ]
    names = sorted({provider_of(replica_id) for replica_id in seen.by_replica})
    whole = seen.of(seen.by_replica)
    return as_json(
        {
            "period": f"{iso(since)}/{iso(until)}",
            "total_requests": whole.exchanges,
            "total_tokens": whole.total,
            "total_cost_usd": whole.cost_usd,
            "by_provider": [_used(name, seen.of_provider(name)) for name in names],
            "by_model": by_model,
        }
    )


def _used(provider: str, spent: Spent) -> dict[str, Any]:
    return {"provider": provider, "requests": spent.exchanges, "tokens": spent.total, "cost_usd": spent.cost_usd}


PAGES = Pages((get("/v1/metrics/providers", providers), get("/v1/metrics/models", models), get("/v1/usage", usage)))
