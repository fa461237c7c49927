"""A decision in words and as a record: the same evidence, whoever asks."""

from __future__ import annotations

from typing import Any

import orjson

from routing.explain import CANDIDATES_KEPT, REJECTS_KEPT, as_record, because, described, in_words, told
from routing.facts import FailureKind
from routing.reasons import line_of
from routing.seen import plain
from routing.types import (
    CallRole,
    Capability,
    Classification,
    Decision,
    Dispatch,
    LocalPreference,
    ModelReplica,
    ModelTier,
    Objective,
    Policy,
    Target,
    TargetKind,
    UseCase,
)
from tests.journal_samples import WHOLE
from tests.playbook import Asked, Dispatched, Failed, Finished, Playbook, catalog_of, demand_for, for_tier, replica, router_for


def decide(*replicas: ModelReplica, tried: frozenset[str] = frozenset(), target: Target | None = None, **wants: object) -> Decision:
    return router_for(catalog_of(*replicas)).decide(demand_for(target, **wants), 0.0, tried)


def dispatch(decision: Decision | None) -> Dispatch:
    assert isinstance(decision, Dispatch)
    return decision


def kept(decision: Decision) -> dict[str, Any]:
    """As the journal gives it back."""
    record: dict[str, Any] = orjson.loads(orjson.dumps(as_record(decision), plain, orjson.OPT_PASSTHROUGH_DATACLASS))
    return record


def test_the_strongest_reasons_come_first() -> None:
    decision = dispatch(decide(replica("a"), replica("b", tier=ModelTier.MICRO, is_local=True)))
    assert because(decision) == [
        "model m: the client named it",
        "best of 2 with score 5.70 by objective balanced (local 1.00)",
        "it is local",
    ]
    assert in_words(decision) == "b because " + "; ".join(because(decision))


def test_the_line_for_the_log_is_brief() -> None:
    decision = dispatch(decide(replica("a"), replica("b", tier=ModelTier.MICRO, is_local=True), notes=("reasoning of p was taken out",)))
    record, line = described(decision)
    assert "selected_because" not in record
    assert line == (
        "b because model m: the client named it; best of 2 with score 5.70 by objective balanced; it is local; reasoning of p was taken out"
    )


def test_the_only_one() -> None:
    assert because(dispatch(decide(replica("a"))))[1] == "the only replica that serves it"
    assert because(dispatch(decide(replica("a"), replica("b"), tried=frozenset({"a"}))))[1] == "the only candidate left"


def test_a_spill_and_a_panic_are_said() -> None:
    spilled = dispatch(decide(replica("a", tier=ModelTier.FRONTIER), target=for_tier(ModelTier.SMALL)))
    assert "tier small is left up to frontier: nothing serves it there" in because(spilled)
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
    record = told(kept(decision))
    assert [candidate["replica_id"] for candidate in record["candidates"]] == ["b", "a", "c"]
    best = record["candidates"][0]
    assert (best["logical_model_id"], best["score"], best["factors"]["local"], best["factors"]["load"]) == ("m", 4.5, 0.2, 1.0)
    assert set(best["factors"]) == set(record["weights"])
    assert record["rejected_candidates"] == [{"id": "d", "reason": "wrong_dialect", "detail": "speaks embeddings, not chat", "until": None}]
    assert (record["kind"], record["logical_model_id"], record["replica_id"]) == ("dispatch", "m", "b")
    assert record["selected_because"] == because(dispatch(decision))
    assert record["target"] == {"kind": "model", "id": "m", "because": "the client named it"}
    assert not {"figures", "loads", "own", "out"} & record.keys()


def test_the_record_says_what_was_needed() -> None:
    classified = Classification(
        CallRole.CHORE, ModelTier.MICRO, UseCase.CHAT, Objective.COST_SPEED, 0.1, 0.9, "title", ("it asks for a title",)
    )
    decision = decide(
        replica("a"),
        classification=classified,
        policy="code",
        capability_bits=int(Capability.TOOLS),
        input_tokens_estimated=70,
        excluded_providers=frozenset({"z", "y"}),
        notes=("reasoning of p was taken out",),
    )
    record = told(kept(decision))
    assert record["demand"] == {
        "role": "chore",
        "tier": "micro",
        "use_case": "chat",
        "objective": "cost_speed",
        "difficulty": 0.1,
        "confidence": 0.9,
        "classified_because": ["it asks for a title"],
        "policy": "code",
        "dialect": "chat",
        "harness": "unknown",
        "input_tokens": 70,
        "output_tokens": 0,
        "capabilities": ["tools"],
        "local_preference": "preferred",
        "excluded_providers": ["y", "z"],
        "requested_model": "what the client wrote",
    }
    assert record["notes"] == ["reasoning of p was taken out"]
    assert "reasoning of p was taken out" in record["selected_because"]


def test_what_is_as_usual_is_left_out_and_told_all_the_same() -> None:
    as_kept = kept(decide(replica("a"), replica("b")))
    record = told(as_kept)
    usual: dict[str, object] = {"panic": False, "spilled_from": None, "escalation": None, "notes": [], "rejected_candidates": []}
    for name, value in usual.items():
        assert name not in as_kept
        assert record[name] == value
    assert as_kept["demand"].keys() < record["demand"].keys()
    assert [each["factors"]["affinity"] for each in record["candidates"]] == [0.0, 0.0]


def test_every_candidate_is_told_with_every_factor_however_many_there_are() -> None:
    for count in (1, 2, 3, CANDIDATES_KEPT):
        decision = dispatch(decide(*[replica(f"p{i}/x", is_local=i == 0) for i in range(count)]))
        record = told(kept(decision))
        assert len(record["candidates"]) == count
        for candidate in record["candidates"]:
            position = decision.evidence.candidates.index(candidate["replica_id"])
            expected = {name: round(column[position], 4) for name, column in decision.evidence.factors.items()}
            assert candidate["factors"] == expected
            assert candidate["score"] == round(decision.evidence.scores[position], 4)


def test_of_very_many_the_best_are_kept_and_the_others_counted() -> None:
    fleet = [replica(f"p{i:03}/x", is_local=i == 90) for i in range(100)]
    blind = [replica(f"q{i:03}/x", dialects=("embeddings",)) for i in range(50)]
    decision = decide(*fleet, *blind)
    record = told(kept(decision))
    assert len(record["candidates"]) == CANDIDATES_KEPT
    assert record["candidates"][0]["replica_id"] == record["replica_id"] == "p090/x"
    assert record["candidates_left_out"] == 100 - CANDIDATES_KEPT
    assert len(record["rejected_candidates"]) == REJECTS_KEPT
    assert record["rejects_left_out"] == {"wrong_dialect": 50 - REJECTS_KEPT}
    assert record["selected_because"][1].startswith("best of 100 ")
    assert described(decision)[1] == line_of(kept(decision))
    assert len(orjson.dumps(as_record(decision), plain, orjson.OPT_PASSTHROUGH_DATACLASS)) < 12_000


def test_the_chosen_one_is_kept_even_where_many_are_better() -> None:
    """The next replica of a model that failed comes before other models."""
    others = [replica(f"p{i:03}/x", f"n{i}", is_local=True) for i in range(100)]
    decision = decide(replica("a"), replica("b"), *others, tried=frozenset({"a"}), target=for_tier(ModelTier.MID))
    record = told(kept(decision))
    assert record["replica_id"] == "b"
    assert record["candidates"][-1]["replica_id"] == "b"
    assert len(record["candidates"]) == CANDIDATES_KEPT


def test_of_many_who_are_out_nobody_is_kept() -> None:
    fleet = [replica(f"p{i:03}/x", is_local=i == 39) for i in range(40)]
    for left in (2, CANDIDATES_KEPT, CANDIDATES_KEPT + 1):
        tried = frozenset(each.id for each in fleet[: 40 - left])
        decision = decide(*fleet, tried=tried, affinity_keys=("k",))
        record = told(kept(decision))
        assert {each["replica_id"] for each in record["candidates"]} <= {each.id for each in fleet} - tried
        assert len(record["candidates"]) == min(left, CANDIDATES_KEPT)
        assert record["replica_id"] == "p039/x"
        assert "it is local" in record["selected_because"]
        assert described(decision)[1] == line_of(kept(decision))


def test_a_record_from_before_models_were_kept_is_told_too() -> None:
    record = {
        "kind": "dispatch",
        "target": {"kind": "model", "id": "m", "because": "the client named it"},
        "logical_model_id": "m",
        "replica_id": "b",
        "ids": ["a", "b"],
        "scores": [0.5, 0.75],
        "factors": {"latency": [0.5, 1.0]},
        "weights": {"latency": 0.5},
        "selected_because": ["model m: the client named it", "it is the best"],
    }
    assert told(record)["selected_because"] == record["selected_because"]
    assert [candidate["logical_model_id"] for candidate in told(record)["candidates"]] == [None, None]


def test_a_record_with_whole_columns_is_told_too() -> None:
    record = told(WHOLE)
    assert record["candidates"] == [
        {
            "replica_id": "a/up-model",
            "logical_model_id": "bench-model",
            "score": 4.9833,
            "factors": {"cost": 1.0, "latency": 0.75, "load": 0.3333, "affinity": 1.0, "context": 1.0},
        },
        {
            "replica_id": "b/up-model",
            "logical_model_id": "bench-model",
            "score": 4.55,
            "factors": {"cost": 1.0, "latency": 0.5, "load": 1.0, "affinity": 0.0, "context": 1.0},
        },
    ]
    assert record["selected_because"] == [
        "model bench-model: the client named it",
        "best of 2 with score 4.98 by objective balanced (affinity 1.00, latency 0.75)",
        "the conversation was answered there before",
    ]
    assert record["weights"] == WHOLE["weights"]
    assert (record["logical_model_id"], record["panic"]) == ("bench-model", False)
    assert line_of(WHOLE) == (
        "a/up-model because model bench-model: the client named it; best of 2 with score 4.98 by objective balanced; "
        "the conversation was answered there before"
    )


def test_what_decisions_share_is_told_once_and_short() -> None:
    decision = decide(replica("a"), replica("b", is_local=True))
    figures = kept(decision)["figures"]
    assert figures["model_id"] == "m"
    assert figures["factors"]["local"] == [1.5, 0, 0.2]
    assert figures["factors"]["errors"] == [1, 1]
    assert figures["factors"]["load"] == [0.25]
    assert as_record(decision)["figures"] is dispatch(decision).evidence.ranked.ranking().figures


def test_a_step_of_a_policy_and_a_conversation_are_said() -> None:
    policy = Policy("code", (Target(TargetKind.MODEL, "gone"), Target(TargetKind.TIER, "mid")))
    wants = {"affinity_keys": ("k",)}
    play = (
        Playbook("a", "b", catalog={"policies": {"code": policy}}) >> Asked(tried=("a",), wants=wants) << Dispatched("b") >> Finished("b")
    )
    reasons = because(dispatch((play >> Asked(Target(TargetKind.POLICY, "code"), wants=wants)).decision))
    assert "the policy's step tier mid" in reasons
    assert "the conversation was answered there before" in reasons
