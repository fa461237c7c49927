"""A decision in words and as a record: the same evidence, whoever asks."""

from __future__ import annotations

import orjson

from routing.explain import as_record, because, in_words, told
from routing.facts import FailureKind
from routing.types import Decision, Dispatch, LocalPreference, ModelReplica, ModelTier, Target, TargetKind
from tests.playbook import Asked, Dispatched, Failed, Playbook, catalog_of, demand_for, for_tier, replica, router_for


def decide(*replicas: ModelReplica, tried: frozenset[str] = frozenset(), target: Target | None = None, **wants: object) -> Decision:
    return router_for(catalog_of(*replicas)).decide(demand_for(target, **wants), 0.0, tried)


def dispatch(decision: Decision | None) -> Dispatch:
    assert isinstance(decision, Dispatch)
    return decision


def test_the_strongest_reasons_come_first() -> None:
    decision = dispatch(decide(replica("a"), replica("b", tier=ModelTier.MICRO, is_local=True)))
    assert because(decision) == ["model m: the client named it", "best of 2 with score 1.50 (local 1.00, latency 0.50, load 1.00)"]
    assert in_words(decision) == "b because " + "; ".join(because(decision))


def test_the_only_one() -> None:
    assert because(dispatch(decide(replica("a"))))[1] == "the only replica that serves it"
    assert because(dispatch(decide(replica("a"), replica("b"), tried=frozenset({"a"}))))[1] == "the only candidate left"


def test_a_spill_and_a_panic_are_said() -> None:
    spilled = dispatch(decide(replica("a", tier=ModelTier.FRONTIER), target=for_tier(ModelTier.SMALL)))
    assert "nothing serves tier small, so frontier answers" in because(spilled)
    play = Playbook("a") >> Asked() << Dispatched("a") >> Failed("a", FailureKind.UNAUTHORIZED) >> Asked()
    assert "every candidate is ejected; this one is the least bad" in because(dispatch(play.decision))


def test_refusals() -> None:
    nobody = decide(target=Target(TargetKind.MODEL, "x"))
    assert in_words(nobody) == "refused: nothing serves model x"
    assert as_record(nobody)["reason"] == "nothing_serves_it"
    constrained = decide(replica("a"), local_preference=LocalPreference.REQUIRED)
    assert in_words(constrained) == "refused: a not local (the request must not leave this machine)"


def test_a_kept_record_is_told_best_first() -> None:
    decision = decide(replica("c"), replica("b", is_local=True), replica("a"), replica("d", dialects=("embeddings",)))
    kept = orjson.loads(orjson.dumps(as_record(decision)))
    record = told(kept)
    assert [candidate["replica_id"] for candidate in record["candidates"]] == ["b", "a", "c"]
    assert record["candidates"][0] == {"replica_id": "b", "score": 0.7, "factors": {"latency": 0.5, "load": 1.0, "local": 0.2}}
    assert record["rejected_candidates"] == [{"id": "d", "reason": "wrong_dialect", "detail": "speaks embeddings, not chat", "until": None}]
    assert (record["kind"], record["logical_model_id"], record["replica_id"]) == ("dispatch", "m", "b")
    assert record["selected_because"] == because(dispatch(decision))
    assert record["target"] == {"kind": "model", "id": "m", "because": "the client named it"}
    assert "scores" not in record
