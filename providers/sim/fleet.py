"""Who is in the simulated fleet: four tiers, local and cloud, with prices, latencies and quotas. Data only.

Figures are plausible, not measured: local replicas are free, unmetered and a little slower per token; cloud ones cost money, take longer
to the first token and have a quota per minute that a busy demo can really use up, so that spillover and 429 can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from routing.types import LogicalModel, ModelReplica, ModelTier, Price, UseCase, capability_bits

LOCAL_PROVIDER = "sim-local"
CLOUD_PROVIDER = "sim-cloud"
SCHEME = "sim"
"""URL scheme of an `Origin` that means: no network, ask the simulated fleet. The whole base URL is `BASE_URL`."""
BASE_URL = "sim://fleet/v1"

PRICE_VERSION = "sim"
FREE = Price(0.0, 0.0, version=PRICE_VERSION)
MAX_OUTPUT_TOKENS = 4096

_TEXT = ("chat", "completions")
_PLAIN = ("tools", "json")
_SEEING = ("tools", "json", "vision", "reasoning")


@dataclass(frozen=True, slots=True)
class SimReplica:
    """One simulated place that answers."""

    provider_id: str
    upstream_model: str
    logical_model_id: str
    tier: ModelTier
    is_local: bool
    price: Price
    ttft_s: float
    """Seconds from the request to the first content."""
    tokens_per_s: float
    requests_per_minute: int | None
    """None: unmetered."""
    context_window: int
    """Tokens of prompt and answer together."""
    capabilities: tuple[str, ...] = _PLAIN
    dialects: tuple[str, ...] = _TEXT

    @property
    def id(self) -> str:
        return f"{self.provider_id}/{self.upstream_model}"


def _local(model: str, tier: ModelTier, ttft_s: float, tokens_per_s: float, context_window: int) -> SimReplica:
    return SimReplica(LOCAL_PROVIDER, model, model, tier, True, FREE, ttft_s, tokens_per_s, None, context_window)


def _cloud(
    model: str,
    tier: ModelTier,
    *,
    price: tuple[float, float],
    pace: tuple[float, float],
    requests_per_minute: int,
    context_window: int,
    capabilities: tuple[str, ...] = _PLAIN,
) -> SimReplica:
    """`price` is USD per 1M tokens (input, output); `pace` is (seconds to the first token, tokens per second)."""
    cost = Price(*price, version=PRICE_VERSION)
    return SimReplica(CLOUD_PROVIDER, model, model, tier, False, cost, *pace, requests_per_minute, context_window, capabilities)


def _embedder(provider_id: str, price: Price, ttft_s: float, requests_per_minute: int | None) -> SimReplica:
    return SimReplica(
        provider_id=provider_id,
        upstream_model="sim-embed",
        logical_model_id="sim-embed",
        tier=ModelTier.MICRO,
        is_local=provider_id == LOCAL_PROVIDER,
        price=price,
        ttft_s=ttft_s,
        tokens_per_s=10_000.0,
        requests_per_minute=requests_per_minute,
        context_window=8_192,
        capabilities=("embeddings",),
        dialects=("embeddings",),
    )


FLEET: tuple[SimReplica, ...] = (
    _local("sim-micro", ModelTier.MICRO, 0.004, 300.0, 32_768),
    _local("sim-small", ModelTier.SMALL, 0.012, 160.0, 32_768),
    _local("sim-mid", ModelTier.MID, 0.040, 80.0, 65_536),
    _cloud("sim-micro", ModelTier.MICRO, price=(0.10, 0.40), pace=(0.020, 400.0), requests_per_minute=1_000, context_window=131_072),
    _cloud("sim-small", ModelTier.SMALL, price=(0.25, 2.00), pace=(0.035, 250.0), requests_per_minute=600, context_window=131_072),
    _cloud(
        "sim-mid",
        ModelTier.MID,
        price=(3.00, 15.00),
        pace=(0.070, 140.0),
        requests_per_minute=240,
        context_window=200_000,
        capabilities=_SEEING,
    ),
    _cloud(
        "sim-frontier",
        ModelTier.FRONTIER,
        price=(5.00, 25.00),
        pace=(0.120, 90.0),
        requests_per_minute=60,
        context_window=400_000,
        capabilities=_SEEING,
    ),
    _embedder(LOCAL_PROVIDER, FREE, 0.003, None),
    _embedder(CLOUD_PROVIDER, Price(0.02, 0.0, version=PRICE_VERSION), 0.020, 1_000),
)

_USE_CASES: Mapping[str, tuple[UseCase, ...]] = {
    "sim-micro": (UseCase.CHAT, UseCase.SEARCH),
    "sim-small": (UseCase.CHAT, UseCase.CODE, UseCase.SEARCH),
    "sim-mid": (UseCase.CHAT, UseCase.CODE, UseCase.SEARCH, UseCase.VISION),
    "sim-frontier": (UseCase.CHAT, UseCase.CODE, UseCase.SEARCH, UseCase.VISION),
    "sim-embed": (UseCase.EMBED,),
}


def find(provider_id: str, upstream_model: str, fleet: tuple[SimReplica, ...] = FLEET) -> SimReplica | None:
    """The replica of `upstream_model` on `provider_id`; on any provider when that one is not of the fleet; None for an unknown model.

    A config may declare a provider of this kind under an id of its own; its models then answer like the first replica of that name.
    """
    named = [replica for replica in fleet if replica.upstream_model == upstream_model]
    if any(replica.provider_id == provider_id for replica in fleet):
        named = [replica for replica in named if replica.provider_id == provider_id]
    return named[0] if named else None


def simulated_models(fleet: tuple[SimReplica, ...] = FLEET) -> tuple[LogicalModel, ...]:
    """One LogicalModel per logical id, with the best that any of its replicas offers; replica gates judge by the replica's own figures."""
    models: dict[str, LogicalModel] = {}
    for replica in fleet:
        known = models.get(replica.logical_model_id)
        bits = capability_bits(replica.capabilities)
        models[replica.logical_model_id] = LogicalModel(
            replica.logical_model_id,
            replica.tier,
            _USE_CASES.get(replica.logical_model_id, (UseCase.CHAT,)),
            bits | (known.capability_bits if known else 0),
            max(replica.context_window, (known.context_window or 0) if known else 0),
            MAX_OUTPUT_TOKENS,
        )
    return tuple(models.values())


def simulated_replicas(fleet: tuple[SimReplica, ...] = FLEET) -> tuple[ModelReplica, ...]:
    """The fleet in the router's vocabulary, in the fleet's order: local first."""
    return tuple(
        ModelReplica(
            id=replica.id,
            provider_id=replica.provider_id,
            upstream_model=replica.upstream_model,
            logical_model_id=replica.logical_model_id,
            tier=replica.tier,
            is_local=replica.is_local,
            dialects=replica.dialects,
            capability_bits=capability_bits(replica.capabilities),
            context_window=replica.context_window,
            price=replica.price,
        )
        for replica in fleet
    )
