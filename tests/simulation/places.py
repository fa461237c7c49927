"""Who is in the simulated world: one team's boxes and accounts. Data only; figures are plausible, not measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from routing.types import Capability, LogicalModel, ModelReplica, ModelTier, Policy, Price, Target, TargetKind, UseCase
from tests.simulation.quota import Window

FREE = Price(0.0, 0.0, 0.0, 0.0, version="local")
MINUTE_S, HOUR_S = 60.0, 3600.0

_PLAIN = int(Capability.TOOLS | Capability.JSON)
_SEEING = _PLAIN | int(Capability.VISION | Capability.REASONING)
_TEXT = (UseCase.CHAT, UseCase.CODE)


@dataclass(frozen=True, slots=True)
class Model:
    """A logical model with what nobody in it knows exactly: how good it really is."""

    id: str
    tier: ModelTier
    quality: float
    """0.0 to 1.0; `routing` is told the same figure, as if a benchmark had found it."""
    bits: int = _PLAIN
    use_cases: tuple[UseCase, ...] = _TEXT
    token_ratio: float = 1.0
    """Its tokens per token that donut estimates."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A computer under somebody's desk."""

    id: str
    memory_gb: float
    sleeps_after_s: float
    wakes_in_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """One replica as it really is."""

    provider_id: str
    model: Model
    price: Price
    base_s: float
    """Median seconds to the first token of an empty prompt."""
    prefill_per_s: float
    """Tokens of prompt per second; what is in the prefix cache costs nothing."""
    decode_per_s: float
    window: int
    machine: Machine | None = None
    size_gb: float = 0.0
    load_s: float = 0.0
    slots: float = math.inf
    """Answers at the same time; more wait in line."""
    line: int = 512
    """How many may wait before the server says 503 (Ollama's own figure)."""
    leaves_machine: bool = False
    """An Ollama cloud model: listed by the box, answered elsewhere."""

    @property
    def id(self) -> str:
        return f"{self.provider_id}/{self.model.id}"

    @property
    def is_local(self) -> bool:
        return self.machine is not None and not self.leaves_machine


MODELS: Mapping[str, Model] = {
    model.id: model
    for model in (
        Model("gemma4-e2b", ModelTier.MICRO, 0.34, token_ratio=1.15),
        Model("qwen3-8b", ModelTier.SMALL, 0.55, token_ratio=1.1),
        Model("qwen3-coder-30b", ModelTier.MID, 0.71, token_ratio=1.1),
        Model("gpt-nano", ModelTier.MICRO, 0.42, _SEEING),
        Model("gpt-mini", ModelTier.SMALL, 0.62, _SEEING),
        Model("gpt-terra", ModelTier.MID, 0.80, _SEEING),
        Model("gpt-sol", ModelTier.FRONTIER, 0.94, _SEEING),
        Model("haiku", ModelTier.SMALL, 0.64, _SEEING, token_ratio=1.2),
        Model("sonnet", ModelTier.MID, 0.84, _SEEING, token_ratio=1.2),
        Model("opus", ModelTier.FRONTIER, 0.95, _SEEING, token_ratio=1.2),
        Model("deepseek-v4", ModelTier.MID, 0.77, token_ratio=1.05),
        Model("gpt-oss-120b", ModelTier.SMALL, 0.60),
        Model("embed-small", ModelTier.MICRO, 0.5, int(Capability.EMBEDDINGS), (UseCase.EMBED,)),
    )
}

BOX = Machine("box", memory_gb=26.0, sleeps_after_s=1800.0, wakes_in_s=9.0)
NAS = Machine("nas", memory_gb=8.0, sleeps_after_s=math.inf, wakes_in_s=0.0)


def _local(machine: Machine, model: str, *, pace: tuple[float, float], size_gb: float, slots: int, window: int) -> Place:
    """`pace` is (tokens of prompt, tokens of answer) per second. Loading runs at 1.2 GB/s, a usual disk."""
    return Place(machine.id, MODELS[model], FREE, 0.15, *pace, window, machine, size_gb, size_gb / 1.2, slots)


def _cloud(
    provider_id: str, model: str, price: tuple[float, float], base_s: float, decode_per_s: float, window: int = 400_000, read: float = 0.1
) -> Place:
    """`price` is USD per 1M tokens (input, output); a cache read costs `read` of the input price."""
    usd = Price(*price, cache_read=price[0] * read, cache_write=None, version="simulated")
    return Place(provider_id, MODELS[model], usd, base_s, 25_000.0, decode_per_s, window)


def _gpt(account: str) -> tuple[Place, ...]:
    return (
        _cloud(account, "gpt-nano", (0.10, 0.40), 0.35, 180.0),
        _cloud(account, "gpt-mini", (0.30, 2.40), 0.45, 140.0),
        _cloud(account, "gpt-terra", (1.75, 14.0), 0.90, 85.0),
        _cloud(account, "gpt-sol", (6.00, 36.0), 1.80, 60.0),
    )


PLACES: tuple[Place, ...] = (
    _local(BOX, "gemma4-e2b", pace=(5000.0, 110.0), size_gb=3.0, slots=4, window=32_768),
    _local(BOX, "qwen3-8b", pace=(2500.0, 60.0), size_gb=7.0, slots=2, window=65_536),
    _local(BOX, "qwen3-coder-30b", pace=(1200.0, 55.0), size_gb=19.0, slots=2, window=131_072),
    _local(NAS, "gemma4-e2b", pace=(1500.0, 40.0), size_gb=3.0, slots=2, window=16_384),
    _local(NAS, "embed-small", pace=(20_000.0, 1e6), size_gb=0.6, slots=2, window=8_192),
    Place("box", MODELS["gpt-oss-120b"], FREE, 0.6, 15_000.0, 90.0, 131_072, BOX, leaves_machine=True),
    *_gpt("openai-a"),
    *_gpt("openai-b"),
    _cloud("openai-a", "embed-small", (0.02, 0.0), 0.12, 1e6, 8_192),
    _cloud("anthropic", "haiku", (0.80, 4.0), 0.50, 130.0, 200_000),
    _cloud("anthropic", "sonnet", (3.00, 15.0), 0.95, 80.0),
    _cloud("anthropic", "opus", (5.00, 25.0), 1.60, 55.0),
    _cloud("resale", "sonnet", (3.15, 15.8), 1.20, 75.0, 200_000),
    _cloud("resale", "opus", (5.25, 26.3), 1.90, 50.0, 200_000),
    _cloud("resale", "deepseek-v4", (0.55, 1.70), 1.10, 60.0, 131_072, read=0.25),
)

LIMITS: Mapping[str, tuple[Window, ...]] = {
    "openai-a": (Window(MINUTE_S, requests=80, tokens=1_000_000),),
    "openai-b": (Window(MINUTE_S, requests=80, tokens=600_000),),
    # As a subscription: a window of five hours besides the one of a minute.
    "anthropic": (Window(MINUTE_S, requests=50, tokens=800_000), Window(5 * HOUR_S, requests=1200)),
    "resale": (Window(MINUTE_S, requests=200),),
}


POLICIES: Mapping[str, Policy] = {
    "deep_research": Policy(
        "deep_research",
        (Target(TargetKind.MODEL, "opus"), Target(TargetKind.MODEL, "gpt-sol"), Target(TargetKind.TIER, ModelTier.MID.value)),
    )
}
"""As config would state them: an order of models and tiers."""


def logical_models() -> dict[str, LogicalModel]:
    """What the router is told about the models."""
    windows = {model_id: max(place.window for place in PLACES if place.model.id == model_id) for model_id in MODELS}
    return {
        model.id: LogicalModel(model.id, model.tier, model.use_cases, model.bits, windows[model.id], quality=model.quality)
        for model in MODELS.values()
    }


def replica_of(place: Place, price: Price | None = None) -> ModelReplica:
    """The place in the router's vocabulary; `price` replaces its own."""
    return ModelReplica(
        id=place.id,
        provider_id=place.provider_id,
        upstream_model=place.model.id,
        logical_model_id=place.model.id,
        tier=place.model.tier,
        is_local=place.is_local,
        dialects=("embeddings",) if place.model.bits == Capability.EMBEDDINGS else ("chat",),
        capability_bits=place.model.bits,
        context_window=place.window,
        price=price or place.price,
    )
