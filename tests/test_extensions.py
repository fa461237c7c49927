"""What every gate, factor and dialect keeps, whoever adds it: found by itself, tested by itself.

Provider kinds have theirs in test_kinds_conformance.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import providers.dialects
import routing.factors
import routing.gates
from config.discovery import discover
from providers.dialects import Ask, BadRequestError, Dialect, ErrorReply
from providers.ports import PATHS
from routing.candidates import Candidates, Question
from routing.factors import Factor
from routing.facts import FailureKind
from routing.fleet import ReplicaState
from routing.gates import Gate
from routing.health import Health, HealthState
from routing.types import Capability, Demand, LocalPreference, ModelReplica, ModelTier, RejectReason
from tests.playbook import demand_for, for_model, for_replica, for_tier, replica

GATES = discover(routing.gates, "GATE", Gate)
FACTORS = discover(routing.factors, "FACTOR", Factor)
DIALECTS = discover(providers.dialects, "DIALECT", Dialect)
EVERY_GATE = pytest.mark.parametrize("gate", GATES.values(), ids=list(GATES))
EVERY_FACTOR = pytest.mark.parametrize("factor", FACTORS.values(), ids=list(FACTORS))
EVERY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))

# Columns as a router may see them

TIERS = st.sampled_from(list(ModelTier))
TIMES = st.sampled_from([0.0, 50.0, 99.0, 100.0, 101.0, 5000.0])
STATES = st.builds(
    ReplicaState,
    health=st.builds(
        HealthState,
        health=st.sampled_from(Health),
        ejected_until_s=TIMES,
        limited_until_s=TIMES,
        probe=st.none() | st.integers(1, 9),
        reason=st.text(max_size=5),
    ),
    in_flight=st.integers(0, 1000),
    tokens_reserved=st.integers(0, 10**9),
    ttft_s_ewma=st.none() | st.floats(0, 1e4) | st.sampled_from([0.0, 1.0]),
)


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[ModelReplica], list[ReplicaState]]:
    ids = draw(st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from("abcdef")), max_size=8, unique=True))
    replicas = [
        replica(
            f"{provider}/{name}",
            tier=draw(TIERS),
            is_local=draw(st.booleans()),
            dialects=tuple(draw(st.lists(st.sampled_from(sorted(DIALECTS)), min_size=1, unique=True))),
            capability_bits=draw(st.integers(0, 31)),
            context_window=draw(st.none() | st.sampled_from([1, 1000, 10**6])),
        )
        for provider, name in ids
    ]
    return replicas, draw(st.lists(STATES, min_size=len(ids), max_size=len(ids)))


DEMANDS = st.builds(
    demand_for,
    st.sampled_from([for_model(), for_tier(ModelTier.MID), for_replica("p/a")]),
    capability_bits=st.integers(0, 31),
    input_tokens_estimated=st.sampled_from([1, 999, 1001, 10**7]),
    output_tokens_estimated=st.integers(0, 10**6),
    local_preference=st.sampled_from(LocalPreference),
    excluded_providers=st.frozensets(st.sampled_from("pqr")),
    stream=st.booleans(),
)
TRIED = st.frozensets(st.sampled_from(["p/a", "q/b", "r/c"]))
QUESTIONS = st.builds(Question, DEMANDS, st.just(100.0), TRIED)


def well(state: ReplicaState) -> bool:
    return state.health.health is Health.HEALTHY and state.health.limited_until_s == 0.0


# Gates


def test_names_and_orders_are_unique() -> None:
    assert [name for name, gate in GATES.items() if gate.name != name] == []
    assert len({gate.order for gate in GATES.values()}) == len(GATES)
    assert [name for name, factor in FACTORS.items() if factor.name != name] == []
    assert all(factor.weight >= 0.0 for factor in FACTORS.values())


@EVERY_GATE
@settings(max_examples=150, deadline=None)
@given(columns=columns(), question=QUESTIONS)
def test_a_gate_names_candidates_once_with_a_reason(
    gate: Gate, columns: tuple[list[ModelReplica], list[ReplicaState]], question: Question
) -> None:
    rejects = gate.check(Candidates.of(*columns), question)
    ids = [reject.replica_id for reject in rejects]
    assert len(set(ids)) == len(ids)
    assert set(ids) <= {each.id for each in columns[0]}
    for reject in rejects:
        assert isinstance(reject.reason, RejectReason)
        assert reject.until_s is None or reject.until_s > question.now_s
        assert "\n" not in reject.detail or reject.detail in {state.health.reason for state in columns[1]}


@EVERY_GATE
@settings(max_examples=150, deadline=None)
@given(columns=columns(), question=QUESTIONS, data=st.data())
def test_a_gate_judges_each_candidate_for_itself(
    gate: Gate, columns: tuple[list[ModelReplica], list[ReplicaState]], question: Question, data: st.DataObject
) -> None:
    """In any order and in any company, and again when asked again."""
    order = data.draw(st.permutations(range(len(columns[0]))))
    everyone = Candidates.of(*columns)
    verdicts = sorted(gate.check(everyone, question))
    assert sorted(gate.check(everyone, question)) == verdicts
    assert sorted(gate.check(everyone.only(order), question)) == verdicts
    alone = [reject for index in order for reject in gate.check(Candidates.of([columns[0][index]], [columns[1][index]]), question)]
    assert sorted(alone) == verdicts


@EVERY_GATE
@settings(max_examples=150, deadline=None)
@given(columns=columns(), question=QUESTIONS)
def test_a_healthy_fleet_makes_no_difference_to_a_gates_verdict(
    gate: Gate, columns: tuple[list[ModelReplica], list[ReplicaState]], question: Question
) -> None:
    """`all_well` is a promise that a gate may use as a short cut, and nothing else."""
    replicas, states = columns
    if all(map(well, states)):
        assert gate.check(Candidates.of(replicas, states), question._replace(all_well=True)) == gate.check(
            Candidates.of(replicas, states), question
        )


@pytest.mark.parametrize("gate", [gate for gate in GATES.values() if gate.standing], ids=lambda gate: gate.name)
@settings(max_examples=150, deadline=None)
@given(columns=columns(), others=st.lists(STATES, min_size=8, max_size=8), one=QUESTIONS, other=QUESTIONS)
def test_a_standing_gate_looks_at_nothing_that_changes(
    gate: Gate,
    columns: tuple[list[ModelReplica], list[ReplicaState]],
    others: Sequence[ReplicaState],
    one: Question,
    other: Question,
) -> None:
    """Its verdict is remembered per kind of demand, so state, clock, sizes and what was tried must not matter."""
    replicas, states = columns
    kind = one.demand
    same_kind: Demand = other.demand._replace(
        target=kind.target,
        dialect=kind.dialect,
        capability_bits=kind.capability_bits,
        local_preference=kind.local_preference,
        excluded_providers=kind.excluded_providers,
    )
    later = Question(same_kind, 4000.0, other.tried)
    assert gate.check(Candidates.of(replicas, states), one) == gate.check(Candidates.of(replicas, others[: len(replicas)]), later)


# Factors


@EVERY_FACTOR
@settings(max_examples=150, deadline=None)
@given(columns=columns(), question=QUESTIONS, data=st.data())
def test_a_factor_is_within_bounds_and_indifferent_to_order(
    factor: Factor, columns: tuple[list[ModelReplica], list[ReplicaState]], question: Question, data: st.DataObject
) -> None:
    candidates = Candidates.of(*columns)
    values = list(factor.score(candidates, question))
    assert len(values) == len(columns[0])
    assert all(0.0 <= value <= 1.0 for value in values)
    assert list(factor.score(candidates, question)) == values
    order = data.draw(st.permutations(range(len(values))))
    assert list(factor.score(candidates.only(order), question)) == [values[index] for index in order]


# Dialects

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "image_url", "url", "include_usage", "text"]), inner, max_size=3)
    ),
    max_leaves=8,
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["m", "up", ""]) | ANYTHING,
        "messages": st.just([{"role": "user", "content": "Hi"}]) | ANYTHING,
        "prompt": st.just("Hi") | ANYTHING,
        "input": st.just("Hi") | ANYTHING,
        "stream": st.booleans() | ANYTHING,
        "stream_options": st.just({"include_usage": True}) | ANYTHING,
        "tools": ANYTHING,
        "response_format": ANYTHING,
        "n": ANYTHING,
        "max_tokens": ANYTHING,
        "Model": ANYTHING,
        "x_unknown": ANYTHING,
    },
)


def test_dialects_are_named_after_their_files_and_share_no_path() -> None:
    assert [name for name, dialect in DIALECTS.items() if dialect.name != name] == []
    paths = [path for dialect in DIALECTS.values() for path in dialect.paths]
    assert len(set(paths)) == len(paths)
    assert all(re.fullmatch(r"(/[a-z0-9_]+)+", path) for path in paths)
    assert all(dialect.paths for dialect in DIALECTS.values())


@EVERY_DIALECT
def test_some_provider_has_a_path_for_it(dialect: Dialect) -> None:
    assert dialect.name in PATHS


@EVERY_DIALECT
@settings(max_examples=300, deadline=None)
@given(data=BODIES)
def test_any_object_is_read_or_refused_in_words(dialect: Dialect, data: dict[str, Any]) -> None:
    body = orjson.dumps(data)
    try:
        ask = dialect.read(data, len(body))
    except BadRequestError as error:
        refusal = error
    else:
        prepared_right(dialect, data, body, ask)
        return
    assert str(refusal)
    assert refusal.code


def prepared_right(dialect: Dialect, data: dict[str, Any], body: bytes, ask: Ask) -> None:
    """One name of a model, and nothing else changed but the wish for usage."""
    assert ask.model == data["model"]
    assert ask.input_tokens_estimated >= 1
    assert ask.output_tokens_max is None or ask.output_tokens_max > 0
    assert ask.answers >= 1
    assert ask.capability_bits & ~sum(Capability) == 0
    for upstream_model in (ask.model, "other/model:tag"):
        sent = dialect.prepare(body, data, ask, upstream_model)
        members = json.loads(sent, object_pairs_hook=lambda pairs: pairs)
        assert {value for key, value in members if key.lower() == "model"} == {upstream_model}
        kept = {key: value for key, value in data.items() if key not in ("model", "stream_options")}
        sent_data = orjson.loads(sent)
        assert {key: value for key, value in sent_data.items() if key not in ("model", "stream_options")} == kept
        if ask.strip_usage:
            assert sent_data["stream_options"]["include_usage"] is True
        else:
            assert sent_data.get("stream_options") == data.get("stream_options")
        if upstream_model == ask.model and not ask.strip_usage:
            assert sent == body


@EVERY_DIALECT
@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60) | ANYTHING.map(orjson.dumps) | BODIES.map(orjson.dumps))
def test_any_answer_is_read(dialect: Dialect, body: bytes) -> None:
    for facts in (dialect.read_answer(body), dialect.read_large_answer(body, 10**7)):
        assert facts.output_tokens_estimated >= 0
        assert facts.usage is None or min(facts.usage[:5]) >= 0


@EVERY_DIALECT
@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(st.binary(max_size=40) | ANYTHING.map(lambda value: b"data: " + orjson.dumps(value) + b"\n\n"), max_size=6))
def test_any_stream_is_scanned(dialect: Dialect, pieces: list[bytes]) -> None:
    scanner = dialect.new_scanner(Ask("m", True))
    out = b"".join([*(scanner.feed(piece) for piece in pieces if scanner.failure is None), scanner.finish()])
    assert scanner.failure is not None or out == b"".join(pieces)
    assert scanner.output_tokens_estimated >= 0


REPLIES = st.builds(ErrorReply, st.sampled_from([400, 401, 404, 413, 429, 500, 502, 503, 504]), st.just("some_code"), st.text(max_size=30))


@EVERY_DIALECT
@given(reply=REPLIES)
def test_errors_say_what_and_end_the_stream(dialect: Dialect, reply: ErrorReply) -> None:
    body = json.dumps(orjson.loads(dialect.error_body(reply)))
    assert json.dumps(reply.message) in body
    assert '"some_code"' in body
    scanner = dialect.new_scanner(Ask("m", True))
    scanner.feed(dialect.error_events(reply))
    assert scanner.failure is not None
    assert isinstance(scanner.failure.kind, FailureKind)
    assert dialect.error_events(reply).endswith(dialect.end_events)
    ended = dialect.new_scanner(Ask("m", True))
    ended.feed(dialect.end_events)
    assert ended.is_finished
