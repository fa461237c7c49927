"""The three entry points agree with what a client's model name would have meant."""

from __future__ import annotations

import pytest

from routing.entry import call_by_tier, call_logical_model, call_replica
from routing.resolve import resolve
from routing.types import Capability, Catalog, LogicalModel, ModelReplica, ModelTier, Target, TargetKind, UseCase

MODEL = LogicalModel("coder", ModelTier.SMALL)
REPLICA = ModelReplica("box/up", "box", "up", "coder", ModelTier.SMALL, True, ("chat",), int(Capability.TOOLS))
CATALOG = Catalog.build({"coder": MODEL}, [REPLICA])


@pytest.mark.parametrize("tier", ModelTier)
def test_a_tier(tier: ModelTier) -> None:
    demand = call_by_tier(tier, UseCase.CODE)
    named = resolve(tier.value, CATALOG)
    assert isinstance(named, Target)
    assert demand.target[:2] == named[:2] == (TargetKind.TIER, tier.value)
    assert (demand.dialect, demand.use_case, demand.capability_bits, demand.requested_model) == ("chat", UseCase.CODE, 0, tier.value)


def test_a_use_case_brings_what_it_needs() -> None:
    seeing, embedding = call_by_tier(ModelTier.MID, UseCase.VISION), call_by_tier(ModelTier.MICRO, UseCase.EMBED)
    assert (seeing.dialect, seeing.capability_bits) == ("chat", Capability.VISION)
    assert (embedding.dialect, embedding.capability_bits) == ("embeddings", Capability.EMBEDDINGS)
    assert call_by_tier(ModelTier.MID, UseCase.VISION, dialect="messages").dialect == "messages"


def test_a_model_and_a_replica() -> None:
    for demand in (call_logical_model("coder"), call_replica("box/up")):
        named = resolve(demand.requested_model, CATALOG)
        assert isinstance(named, Target)
        assert demand.target[:2] == named[:2]


def test_why_is_passed_on() -> None:
    assert call_logical_model("coder", because="the plan says so").target.because == "the plan says so"
