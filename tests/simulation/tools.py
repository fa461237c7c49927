"""Programs that ask: jobs that name what they want, and indexers that send a thousand snippets for embedding."""

from __future__ import annotations

from random import Random

from routing.types import Capability, Demand, ModelTier, Target, TargetKind, UseCase
from tests.simulation.calls import Call, Script, Stage, Wait, patiently

NAMED = ("gpt-terra", "sonnet", "haiku", "gpt-mini", "qwen3-8b", "deepseek-v4")
NAMED_REPLICAS = ("box/qwen3-coder-30b", "openai-b/gpt-nano", "anthropic/opus")
STEERED = ("small", "mid", "frontier")
"""Tiers asked for by name."""
AT_ONCE = 8
"""Requests that an indexer keeps open."""


def named_jobs(name: str, chance: Random) -> Script:
    """A script that sends a few single requests to one model, replica or tier by name."""
    wanted = chance.choice((*NAMED, *NAMED_REPLICAS, *STEERED))
    kind = TargetKind.TIER if wanted in STEERED else TargetKind.REPLICA if wanted in NAMED_REPLICAS else TargetKind.MODEL
    for number in range(2 + int(chance.expovariate(1 / 4.0))):
        demand = Demand(
            "chat",
            Target(kind, wanted),
            wanted,
            input_tokens_estimated=200 + min(40_000, int(chance.lognormvariate(7.0, 1.2))),
            output_tokens_estimated=512,
            harness="sdk",
            client=name,
        )
        output_tokens = 20 + min(3000, int(chance.lognormvariate(5.3, 0.9)))
        need = ModelTier(wanted) if kind is TargetKind.TIER else None
        yield from patiently(Call(f"{name}/{number}", demand, output_tokens, need, 60.0, deadline_s=60.0), retries=2)
        yield Wait(chance.expovariate(1 / 10.0))


def one_job(name: str, chance: Random) -> Script:
    """A single question to a mid model, asked again as the SDKs do."""
    demand = Demand(
        "chat",
        Target(TargetKind.TIER, ModelTier.MID.value),
        "mid",
        input_tokens_estimated=100 + int(chance.lognormvariate(5.0, 0.8)),
        output_tokens_estimated=512,
        harness="sdk",
        client="farm",
    )
    yield from patiently(Call(name, demand, 20 + int(chance.lognormvariate(4.0, 0.5)), ModelTier.MID, 60.0), retries=2)


def indexing(name: str, chance: Random, stage: Stage) -> Script:
    """A repository is embedded: many small requests, a few at a time."""
    share = (40 + int(chance.expovariate(1 / 150.0))) // AT_ONCE
    for lane in range(AT_ONCE):
        stage.start(_lane(f"{name}/{lane}", share, Random(chance.getrandbits(64))))
    yield Wait(0.0)


def _lane(name: str, count: int, chance: Random) -> Script:
    for number in range(count):
        demand = Demand(
            "embeddings",
            Target(TargetKind.MODEL, "embed-small"),
            "embed-small",
            capability_bits=int(Capability.EMBEDDINGS),
            input_tokens_estimated=50 + min(6000, int(chance.lognormvariate(6.0, 0.8))),
            harness="sdk",
            use_case=UseCase.EMBED,
            client=name,
        )
        yield from patiently(Call(f"{name}/{number}", demand, 0, None, 60.0, deadline_s=60.0))
