"""What happened, from the record: the order, the names, and that what is told early is not told otherwise later."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from routing.lifecycle import EVENT_NAMES, Event, ModelCallFailed, ModelSelectionDiagnostics, PostModelCall, events_of, told

TOKENS = {"input_uncached": 70, "cache_read": 20, "cache_write": 10, "output": 40, "reasoning": 5}


def attempt(number: int = 1, replica: str = "box/up", failure: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "replica_id": replica,
        "provider_id": replica.partition("/")[0],
        "started_at": 100.0 + number,
        "total_s": 0.5,
        "failure_kind": failure,
        "failure_message": "busy" if failure else None,
        "upstream_status": 503 if failure else 200,
        "reported": None if failure else TOKENS,
        "estimated": None,
        "cost_usd": None if failure else 0.01,
        **more,
    }


def exchange(*attempts: dict[str, Any], decision: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    last = attempts[-1] if attempts else None
    return {
        "id": "d1",
        "started_at": 100.0,
        "total_s": 3.0,
        "input_tokens_estimated": 80,
        "replica_id": last["replica_id"] if last else None,
        "logical_model_id": "m" if last else None,
        "tier": "mid",
        "attempts": list(attempts),
        "decision": decision,
        **more,
    }


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_one_good_attempt() -> None:
    decision = {"replica_id": "box/up", "candidates": [{"replica_id": "box/up"}], "demand": {"tier": "small"}}
    before, after, seen = events_of(exchange(attempt(), decision=decision, affinity_key="k"))
    assert told(before) == {
        "event": "PreModelCall",
        "at": 101.0,
        "attempt": 1,
        "estimated_tokens": 80,
        "logical_model_id": "m",
        "provider_id": "box",
        "replica_id": "box/up",
        "session_id": "k",
    }
    assert isinstance(after, PostModelCall)
    assert (after.actual_tokens, after.is_reported, after.cost_usd, after.at) == (140, True, 0.01, 101.5)
    assert isinstance(seen, ModelSelectionDiagnostics)
    assert (seen.candidate_count, seen.selected_replica_id, seen.tier, seen.at) == (1, "box/up", "small", 103.0)


def test_estimated_and_unknown_tokens_are_told_apart() -> None:
    guessed = events_of(exchange(attempt(reported=None, estimated=TOKENS)))[1]
    unknown = events_of(exchange(attempt(reported=None)))[1]
    assert isinstance(guessed, PostModelCall)
    assert isinstance(unknown, PostModelCall)
    assert (guessed.actual_tokens, guessed.is_reported) == (140, False)
    assert unknown.actual_tokens is None


def test_a_failover() -> None:
    rejected = [{"id": "box/up", "reason": "already_tried", "detail": "", "until": None}]
    decision = {"replica_id": "cloud/up", "candidates": [{"replica_id": "cloud/up"}], "rejected_candidates": rejected}
    events = events_of(exchange(attempt(failure="overloaded"), attempt(2, "cloud/up"), decision=decision))
    expected = ["PreModelCall", "ModelCallFailed", "ModelReplicaSwitched", "PreModelCall", "PostModelCall", "ModelSelectionDiagnostics"]
    assert names(events) == expected
    failed, switched, seen = told(events[1]), told(events[2]), told(events[5])
    assert (failed["error"], failed["message"], failed["status"], failed["replica_id"]) == ("overloaded", "busy", 503, "box/up")
    assert (switched["from_replica_id"], switched["to_replica_id"], switched["to_provider_id"]) == ("box/up", "cloud/up", "cloud")
    assert switched["because"] == "overloaded"
    assert seen["attempted_replica_ids"] == ("box/up", "cloud/up")
    assert seen["rejected_candidates"] == ({"id": "box/up", "reasons": ["already_tried"], "score": None},)
    assert seen["candidate_count"] == 2


def test_an_exchange_without_an_attempt() -> None:
    refusal = {"rejected_candidates": [{"id": "a", "reason": "ejected", "detail": "", "until": None}]}
    (seen,) = events_of(exchange(decision=refusal, tier=None))
    assert isinstance(seen, ModelSelectionDiagnostics)
    assert (seen.selected_replica_id, seen.attempted_replica_ids, seen.candidate_count) == (None, (), 1)
    assert events_of(exchange()) == []


def test_the_model_of_an_earlier_attempt() -> None:
    """Known where the attempt itself or the target says it; else it is unknown, and not the last one's."""
    tries = (attempt(failure="cut"), attempt(2, "cloud/up"))

    def first(decision: dict[str, Any], *attempts: dict[str, Any]) -> str | None:
        failed = events_of(exchange(*attempts, decision=decision))[1]
        assert isinstance(failed, ModelCallFailed)
        return failed.logical_model_id

    assert first({"target": {"kind": "tier", "id": "mid"}}, *tries) is None
    assert first({"target": {"kind": "model", "id": "m"}}, *tries) == "m"
    assert first({}, attempt(failure="cut", logical_model_id="other"), tries[1]) == "other"


@given(st.lists(st.sampled_from(["connect", "rate_limited", "cut"]), max_size=4), st.booleans())
def test_what_is_told_of_an_open_exchange_is_a_prefix(failures: list[str], ends_well: bool) -> None:
    tries = [attempt(number, f"r{number}/up", failure) for number, failure in enumerate(failures, 1)]
    if ends_well or not tries:
        tries.append(attempt(len(tries) + 1, "good/up"))
    ids = {"replica_id": None, "logical_model_id": None}
    whole = names(events_of(exchange(*tries, decision={"candidates": []}, **ids)))
    for so_far in range(1, len(tries) + 1):
        early = names(events_of(exchange(*tries[:so_far], **ids), is_open=True))
        assert early == whole[: len(early)]
        assert early.count("PreModelCall") == so_far


def test_every_event_has_its_name() -> None:
    assert tuple(kind.__name__ for kind in get_args(Event)) == EVENT_NAMES
