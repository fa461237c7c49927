"""`auto` for an embedding goes to a model that is made for it, however quick a chat model is that nobody has described."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from routing.facts import AttemptFailed, Failure, FailureKind
from routing.types import Capability, Dispatch, LocalPreference, LogicalModel, ModelTier, Refusal, RejectReason, UseCase
from tests.playbook import catalog_of, demand_for, for_replica, for_tier, replica, router_for
from tests.serving import Donut

ALL = 31
CHAT = replica("cloud/chat", "chat", tier=ModelTier.SMALL, dialects=("chat", "embeddings"), capability_bits=ALL)
EMBEDDER = replica("cloud/vectors", "vectors", tier=ModelTier.SMALL, dialects=("embeddings",), capability_bits=int(Capability.EMBEDDINGS))
KNOWN = (LogicalModel("vectors", ModelTier.SMALL, (UseCase.EMBED,)),)
EMBEDDING = demand_for(
    for_tier(ModelTier.SMALL), use_case=UseCase.EMBED, capability_bits=int(Capability.EMBEDDINGS), output_tokens_estimated=0
)._replace(dialect="embeddings")

SIMULATED = """
discovery: {local: false, environment: false}
providers:
  - id: cloud
    kind: sim
    models: [{upstream: sim-mid}, {upstream: sim-frontier}, {upstream: sim-embed}]
"""


async def test_what_is_known_of_chat_models_does_not_make_them_embed(tmp_path: Path) -> None:
    """Streams that were measured made them look better than the embedding model, of which nothing was measured yet."""
    async with Donut(SIMULATED, tmp_path) as donut:
        for model in ("sim-mid", "sim-frontier") * 2:
            chat = {"model": model, "max_tokens": 16, "stream": True, "messages": [{"role": "user", "content": "Name three rivers."}]}
            assert (await donut.client.post("/v1/chat/completions", json=chat)).status_code == 200
        told = await donut.client.post("/v1/embeddings", json={"model": "auto", "input": "a sentence"})
        assert (told.status_code, told.headers["x-donut-replica"]) == (200, "cloud/sim-embed"), told.text
        named = await donut.client.post("/v1/embeddings", json={"model": "sim-frontier", "input": "a sentence"})
        assert named.status_code == 400, "whoever names it is told by the upstream itself"
        assert "does not answer embeddings requests" in named.text


def test_the_other_says_why_it_was_not_asked() -> None:
    decision = router_for(catalog_of(CHAT, EMBEDDER, models=KNOWN)).preview(EMBEDDING, 0.0)
    assert isinstance(decision, Dispatch)
    assert decision.replica.id == EMBEDDER.id
    assert [(reject.replica_id, reject.reason) for reject in decision.evidence.rejected] == [(CHAT.id, RejectReason.MISSING_CAPABILITY)]


def test_it_is_asked_where_nobody_is_made_for_it_and_where_it_is_named() -> None:
    alone = router_for(catalog_of(CHAT)).preview(EMBEDDING, 0.0)
    named = router_for(catalog_of(CHAT, EMBEDDER, models=KNOWN)).preview(EMBEDDING._replace(target=for_replica(CHAT.id)), 0.0)
    for decision in (alone, named):
        assert isinstance(decision, Dispatch)
        assert decision.replica.id == CHAT.id


@pytest.mark.parametrize(
    "more", [{"models_allowed": ("chat",)}, {"excluded_providers": frozenset({"other"})}, {"local_preference": LocalPreference.DISABLED}]
)
def test_who_may_not_be_asked_keeps_nobody_out(more: dict[str, Any]) -> None:
    barred = replace(EMBEDDER, id="other/vectors", provider_id="other", is_local=True)
    decision = router_for(catalog_of(CHAT, barred, models=KNOWN)).preview(EMBEDDING._replace(**more), 0.0)
    assert isinstance(decision, Dispatch)
    assert decision.replica.id == CHAT.id


def test_chat_is_not_its_business() -> None:
    decision = router_for(catalog_of(CHAT, EMBEDDER, models=KNOWN)).preview(demand_for(for_tier(ModelTier.SMALL)), 0.0)
    assert isinstance(decision, Dispatch)
    assert decision.replica.id == CHAT.id
    assert [reject.reason for reject in decision.evidence.rejected] == [RejectReason.WRONG_DIALECT]


def test_an_embedding_model_that_is_limited_is_waited_for() -> None:
    """A chat model's 400 would be no answer; when the limit ends is one."""
    router = router_for(catalog_of(CHAT, EMBEDDER, models=KNOWN))
    first = router.decide(EMBEDDING, 0.0)
    assert isinstance(first, Dispatch)
    router.observe(AttemptFailed(first.reservation, Failure(FailureKind.RATE_LIMITED, "slow down", 30.0)), 0.0)
    refused = router.decide(EMBEDDING, 1.0)
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.retry_after_s) == (RejectReason.RATE_LIMITED, 29.0)
