"""`POST /v1/routing/select` as CLIProxyAPI++ has it, for thegent and other clients of its (reference/adapters.md).

Complexity becomes a tier; limits are held against what is known. What is not known holds no limit and breaks none: such a candidate is
taken only when no candidate is known to hold all of them, and the answer then has null where the figure would be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from proxy.dry_run import estimated_cost, foresee
from proxy.pages._entry import tokens
from proxy.site import Pages, Site, as_json, json_body, post, wrong
from routing.entry import call_by_tier
from routing.types import TIER_ORDER, Demand, ModelTier

COMPLEXITIES: Mapping[str, ModelTier] = {
    "FAST": ModelTier.MICRO,
    "NORMAL": ModelTier.SMALL,
    "COMPLEX": ModelTier.MID,
    "HIGH_COMPLEX": ModelTier.FRONTIER,
}
INPUT_TOKENS = 2000
OUTPUT_TOKENS = 500
"""A call whose size nobody says: the reference estimates per 1,000 tokens, and says nothing of their kind."""


class Limits(NamedTuple):
    """0 or less: no limit, as there."""

    cost_usd: float
    latency_ms: float
    quality: float

    def in_words(self) -> str:
        return f"cost<={self.cost_usd:.4f}, latency<={self.latency_ms:g}ms, quality>={self.quality:.2f}"


class Offer(NamedTuple):
    model_id: str
    provider: str
    estimated_cost: float | None
    estimated_latency_ms: int | None
    """To the first token. Whole: its readers are written in Go and Rust, and have an integer there."""
    quality_score: float | None
    replica_id: str
    tier: str

    def breaks(self, limits: Limits) -> bool:
        return (
            (limits.cost_usd > 0 and self.estimated_cost is not None and self.estimated_cost > limits.cost_usd)
            or (limits.latency_ms > 0 and self.estimated_latency_ms is not None and self.estimated_latency_ms > limits.latency_ms)
            or (limits.quality > 0 and self.quality_score is not None and self.quality_score < limits.quality)
        )

    def is_sure(self, limits: Limits) -> bool:
        known = ((limits.cost_usd, self.estimated_cost), (limits.latency_ms, self.estimated_latency_ms))
        return all(limit <= 0 or figure is not None for limit, figure in (*known, (limits.quality, self.quality_score)))


async def select(site: Site, request: Request) -> Response:
    data, _ = await json_body(site, request)
    limits = Limits(*(_number(data, name) for name in ("maxCostPerCall", "maxLatencyMs", "minQualityScore")))
    sized = _tier_of(data), tokens(data, "inputTokens", INPUT_TOKENS), tokens(data, "outputTokens", OUTPUT_TOKENS)
    fitting = [offer for offer in _offers(site, *sized) if not offer.breaks(limits)]
    chosen = next((offer for offer in fitting if offer.is_sure(limits)), fitting[0] if fitting else None)
    if chosen is None:
        raise wrong(f"no models satisfy constraints ({limits.in_words()})", None, "no_model_fits")
    return as_json(chosen._asdict())


def _tier_of(data: Mapping[str, Any]) -> ModelTier:
    word = data.get("taskComplexity", "NORMAL")
    tier = COMPLEXITIES.get(word.upper()) if isinstance(word, str) else None
    if tier is None:
        raise wrong(f"taskComplexity: one of {', '.join(COMPLEXITIES)}, not {word!r}", "taskComplexity")
    return tier


def _number(data: Mapping[str, Any], name: str) -> float:
    value = data.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong(f"{name}: a number, not {value!r}", name)
    return float(value)


def _offers(site: Site, wanted: ModelTier, input_tokens: int, output_tokens: int) -> Iterator[Offer]:
    """The candidates of the wanted tier best first, then of dearer tiers, then of cheaper ones."""
    serving = site.gateway.serving
    seen: set[str] = set()
    position = TIER_ORDER.index(wanted)
    for tier in (*TIER_ORDER[position:], *reversed(TIER_ORDER[:position])):
        demand = call_by_tier(tier)._replace(input_tokens_estimated=input_tokens, output_tokens_estimated=output_tokens)
        for candidate in foresee(demand, serving, site.moment())["candidates"]:
            replica_id = candidate["replica_id"]
            if replica_id not in seen:
                seen.add(replica_id)
                yield _offer(site, replica_id, demand)


def _offer(site: Site, replica_id: str, demand: Demand) -> Offer:
    serving = site.gateway.serving
    router = serving.router
    replica = router.catalog.replicas[replica_id]
    model = router.catalog.models.get(replica.logical_model_id)
    ttft_s = router.fleet.state(replica_id).timing.expected_ttft_s(demand.input_tokens_estimated)
    return Offer(
        replica.logical_model_id,
        replica.provider_id,
        estimated_cost(replica_id, demand, serving),
        None if ttft_s is None else round(ttft_s * 1000),
        model.quality if model is not None else None,
        replica_id,
        replica.tier.value,
    )


PAGES = Pages((post("/v1/routing/select", select),))
