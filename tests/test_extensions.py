"""What every gate, factor and dialect keeps, whoever adds it: found by itself, tested by itself.

Provider kinds have theirs in test_kinds_conformance.py.
"""

from __future__ import annotations

import json
import math
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
import routing.selectors
from config.discovery import discover
from providers.dialects import Ask, BadRequestError, Dialect, ErrorReply
from providers.ports import PATHS
from routing.candidates import Candidates, Question, Task
from routing.factors import DemandFactor, DerivedFactor, Factor, LoadFactor, MeasuredFactor
from routing.facts import FailureKind
from routing.fleet import ReplicaState
from routing.gates import Gate
from routing.headroom.standing import Standing
from routing.health import Health, HealthState
from routing.retry import BudgetSpent
from routing.scaling import Scale
from routing.selectors import PROFILES, Axes, Selector
from routing.timing import Timing
from routing.types import (
    Capability,
    Demand,
    LocalPreference,
    LogicalModel,
    ModelReplica,
    ModelTier,
    Objective,
    Price,
    RejectReason,
    UseCase,
)
from tests.playbook import demand_for, for_model, for_replica, for_tier, replica

GATES = discover(routing.gates, "GATE", Gate)
FACTORS = discover(routing.factors, "FACTOR", Factor)
DIALECTS = discover(providers.dialects, "DIALECT", Dialect)
EVERY_GATE = pytest.mark.parametrize("gate", GATES.values(), ids=list(GATES))
SELECTORS = discover(routing.selectors, "SELECTOR", Selector)
EVERY_SELECTOR = pytest.mark.parametrize("selector", SELECTORS.values(), ids=list(SELECTORS))
MEASURED = [factor for factor in FACTORS.values() if isinstance(factor, MeasuredFactor)]
LOADED = [factor for factor in FACTORS.values() if isinstance(factor, LoadFactor)]
DERIVED = [factor for factor in FACTORS.values() if isinstance(factor, DerivedFactor)]
PER_DEMAND = [factor for factor in FACTORS.values() if isinstance(factor, DemandFactor)]
EVERY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))

# Columns as a router may see them

TIERS = st.sampled_from(list(ModelTier))
TIMES = st.sampled_from([0.0, 50.0, 99.0, 100.0, 101.0, 5000.0])
SHARES = st.floats(0, 1) | st.sampled_from([0.0, 0.25, 1.0])
TIMINGS = st.builds(
    Timing,
    st.none() | st.floats(0, 1e4) | st.sampled_from([0.0, 1.0]),
    st.none() | st.floats(1e-3, 1e5),
    st.floats(0, 1e6),
    st.floats(0, 1e12),
    st.floats(-1e9, 1e9),
)
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
    in_flight=st.integers(500, 1000),
    begun=st.integers(0, 500),
    timing=TIMINGS,
    error_rate=SHARES,
    is_warm=st.booleans(),
    standing=st.builds(Standing, SHARES, st.just(()), SHARES),
    skew=st.floats(-1, 1),
)
MODELS = st.builds(
    LogicalModel,
    st.just("m"),
    TIERS,
    st.lists(st.sampled_from(UseCase), max_size=3, unique=True).map(tuple),
    quality=st.none() | SHARES,
    output_tokens_per_s=st.none() | st.floats(0.1, 1e4),
)
RATES = st.none() | st.sampled_from([0.0, 0.1, 2.0, 75.0]) | st.floats(0, 1e3)
PRICES = st.none() | st.builds(Price, RATES, RATES)


KNOWN = {name: LogicalModel(name, ModelTier.MID, quality=quality) for name, quality in (("weak", 0.1), ("strong", 0.9))}
"""Of the third model, nothing is known."""


def candidates_of(replicas: list[ModelReplica], states: Sequence[ReplicaState]) -> Candidates:
    return Candidates.of(replicas, states, KNOWN)


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[ModelReplica], list[ReplicaState]]:
    ids = draw(st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from("abcdef")), max_size=8, unique=True))
    replicas = [
        replica(
            f"{provider}/{name}",
            draw(st.sampled_from(["m", *KNOWN])),
            tier=draw(TIERS),
            is_local=draw(st.booleans()),
            dialects=tuple(draw(st.lists(st.sampled_from(sorted(DIALECTS)), min_size=1, unique=True))),
            capability_bits=draw(st.integers(0, 31)),
            context_window=draw(st.none() | st.sampled_from([1, 1000, 10**6])),
            price=draw(PRICES),
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
    made_by=st.none() | st.sampled_from("pqr"),
    max_cost_usd=st.none() | st.sampled_from([0.0, 0.001, 1.0]),
)
TRIED = st.frozensets(st.sampled_from(["p/a", "q/b", "r/c"]))
QUESTIONS = st.builds(
    Question,
    DEMANDS,
    st.just(100.0),
    TRIED,
    stage=st.sampled_from([None, for_model(), *map(for_tier, ModelTier)]),
    unwell=st.none(),
    bound_replica_id=st.none(),
    quality_floors=st.sampled_from([None, {}, {ModelTier.MID: 0.5}]),
    budget_spent=st.sampled_from([None, BudgetSpent(frozenset({"p"}), "too many retries", 107.0)]),
)


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
    rejects = gate.check(candidates_of(*columns), question)
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
    everyone = candidates_of(*columns)
    verdicts = sorted(gate.check(everyone, question))
    assert sorted(gate.check(everyone, question)) == verdicts
    assert sorted(gate.check(everyone.only(order), question)) == verdicts
    alone = [reject for index in order for reject in gate.check(candidates_of([columns[0][index]], [columns[1][index]]), question)]
    assert sorted(alone) == verdicts


@EVERY_GATE
@settings(max_examples=150, deadline=None)
@given(columns=columns(), question=QUESTIONS)
def test_a_healthy_fleet_makes_no_difference_to_a_gates_verdict(
    gate: Gate, columns: tuple[list[ModelReplica], list[ReplicaState]], question: Question
) -> None:
    """`unwell` is a promise that a gate may use as a short cut, and nothing else."""
    replicas, states = columns
    unwell = {each.id for each, state in zip(replicas, states, strict=True) if not well(state)}
    candidates = candidates_of(replicas, states)
    assert gate.check(candidates, question._replace(unwell=unwell)) == gate.check(candidates, question)


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
        made_by=kind.made_by,
    )
    later = Question(same_kind, 4000.0, other.tried, one.stage, quality_floors=one.quality_floors)
    assert gate.check(candidates_of(replicas, states), one) == gate.check(candidates_of(replicas, others[: len(replicas)]), later)


# Factors

TASKS = st.builds(Task, st.integers(0, 10**6), st.integers(0, 10**5), st.sampled_from(UseCase), st.sampled_from(Objective))
WHO = st.builds(
    replica,
    st.just("p/a"),
    tier=TIERS,
    is_local=st.booleans(),
    context_window=st.none() | st.sampled_from([1, 1000, 10**6]),
    price=PRICES,
)


def test_a_factor_is_one_of_four_kinds() -> None:
    assert len(MEASURED) + len(LOADED) + len(DERIVED) + len(PER_DEMAND) == len(FACTORS)
    assert {source for factor in DERIVED for source in factor.sources} <= {factor.name for factor in MEASURED}


@pytest.mark.parametrize("factor", MEASURED, ids=lambda factor: factor.name)
@settings(max_examples=200, deadline=None)
@given(who=WHO, model=MODELS, state=STATES, task=TASKS)
def test_a_measured_factor_measures_the_same_twice_and_within_bounds(
    factor: MeasuredFactor, who: ModelReplica, model: LogicalModel, state: ReplicaState, task: Task
) -> None:
    value = factor.measure(who, model, state, task)
    assert factor.measure(who, model, state, task) == value
    assert factor.measure(who, model, state.reading(), task) == value, "it reads what a Reading does not keep"
    assert value is None or math.isfinite(value)
    assert factor.scale is not Scale.AS_IS or value is None or 0.0 <= value <= 1.0
    assert factor.noise > 0.0
    assert 0.0 <= factor.neutral <= 1.0


@pytest.mark.parametrize("factor", [factor for factor in MEASURED if not factor.moves], ids=lambda factor: factor.name)
@settings(max_examples=150, deadline=None)
@given(who=WHO, model=MODELS, states=st.tuples(STATES, STATES), task=TASKS)
def test_a_factor_that_does_not_move_reads_no_state(
    factor: MeasuredFactor, who: ModelReplica, model: LogicalModel, states: tuple[ReplicaState, ReplicaState], task: Task
) -> None:
    """It is measured once per ranking."""
    assert factor.measure(who, model, states[0], task) == factor.measure(who, model, states[1], task)


@pytest.mark.parametrize("factor", LOADED, ids=lambda factor: factor.name)
@given(in_flight=st.integers(0, 10_000))
def test_a_load_factor_is_within_bounds_whatever_is_in_flight(factor: LoadFactor, in_flight: int) -> None:
    assert 0.0 <= factor.of(in_flight) <= 1.0


COLUMN_OF_THREE = st.lists(st.tuples(SHARES, SHARES, SHARES), min_size=1, max_size=8)


@pytest.mark.parametrize("factor", DERIVED, ids=lambda factor: factor.name)
@EVERY_SELECTOR
@settings(max_examples=50, deadline=None)
@given(rows=COLUMN_OF_THREE, profile=st.sampled_from(sorted(PROFILES)), data=st.data())
def test_a_derived_factor_is_within_bounds_and_indifferent_to_order(
    factor: DerivedFactor, selector: Selector, rows: list[tuple[float, float, float]], profile: str, data: st.DataObject
) -> None:
    sources = list(zip(*rows, strict=True))[: len(factor.sources)]
    values = factor.derive(sources, selector, PROFILES[profile])
    assert len(values) == len(rows)
    assert all(0.0 <= value <= 1.0 for value in values)
    order = data.draw(st.permutations(range(len(rows))))
    assert factor.derive([[column[i] for i in order] for column in sources], selector, PROFILES[profile]) == [values[i] for i in order]


@pytest.mark.parametrize("factor", PER_DEMAND, ids=lambda factor: factor.name)
@settings(max_examples=150, deadline=None)
@given(columns=columns(), question=QUESTIONS, bound=st.none() | st.sampled_from(["p/a", "q/b", "x/y"]), data=st.data())
def test_a_demand_factor_is_within_bounds_and_indifferent_to_order(
    factor: DemandFactor,
    columns: tuple[list[ModelReplica], list[ReplicaState]],
    question: Question,
    bound: str | None,
    data: st.DataObject,
) -> None:
    question, candidates = question._replace(bound_replica_id=bound), candidates_of(*columns)
    found = dict(factor.deviations(candidates, question))
    assert set(found) <= set(range(len(columns[0])))
    assert all(0.0 <= value <= 1.0 for value in [factor.neutral, *found.values()])
    order = data.draw(st.permutations(range(len(columns[0]))))
    assert dict(factor.deviations(candidates.only(order), question)) == {
        position: found[index] for position, index in enumerate(order) if index in found
    }


# Selectors


def test_every_objective_has_its_selector() -> None:
    assert set(SELECTORS) == {objective.value for objective in Objective} - {Objective.AUTO.value}
    assert [name for name, selector in SELECTORS.items() if selector.name != name] == []


@EVERY_SELECTOR
@settings(max_examples=150, deadline=None)
@given(rows=COLUMN_OF_THREE, profile=st.sampled_from(sorted(PROFILES)))
def test_whoever_is_better_at_everything_has_more_merit(selector: Selector, rows: list[tuple[float, float, float]], profile: str) -> None:
    merits = selector.merit(Axes(*zip(*rows, strict=True)), PROFILES[profile])
    for one, its in zip(rows, merits, strict=True):
        for other, theirs in zip(rows, merits, strict=True):
            if all(a >= b for a, b in zip(one, other, strict=True)):
                assert its >= theirs - 1e-12


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
    assert all(re.fullmatch(r"(/[a-z0-9_-]+)+", path) for path in paths)
    assert all(dialect.paths or dialect.match is not None for dialect in DIALECTS.values())


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
    assert ask.output_tokens_max is None or ask.output_tokens_max > 0 or dialect.name == "embeddings"
    assert ask.answers >= 1
    assert ask.capability_bits & ~sum(Capability) == 0
    for upstream_model in (ask.model, "other/model:tag"):
        sent = bytes(dialect.prepare(body, data, ask, upstream_model))
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
    out = b"".join(
        [*(piece if scanner.passes(piece) else scanner.feed(piece) for piece in pieces if scanner.failure is None), scanner.finish()]
    )
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
    if dialect.end_events:  # where there are none, the error event itself is the end
        ended = dialect.new_scanner(Ask("m", True))
        ended.feed(dialect.end_events)
        assert ended.is_finished
