"""A gate or a factor that names its occasions has nothing to say without them. Each new file is picked up by itself."""

from __future__ import annotations

import pytest

from routing.candidates import Candidates, Occasion, Question, lasting_occasions, occasions_of
from routing.factors import DemandFactor
from routing.facts import AttemptFailed, Failure, FailureKind
from routing.fleet import Fleet
from routing.gates import Gate
from routing.learning import learn
from routing.types import Price
from tests.playbook import FACTORS, GATES, demand_for, replica

SOMETIMES = [gate for gate in GATES if not gate.occasions & Occasion.ALWAYS]
PER_DEMAND = [factor for factor in FACTORS if isinstance(factor, DemandFactor) and not factor.occasions & Occasion.ALWAYS]


def quiet() -> tuple[Candidates, Question]:
    """One replica is ill, tiny windows and dear prices are about, and yet nothing of it concerns the question."""
    fleet = Fleet()
    well = [replica("a/m", context_window=4000, price=Price(50.0, 50.0)), replica("b/m", is_local=True)]
    ill = replica("c/m")
    failed = fleet.reserve(ill, fleet.state("c/m"), demand_for(), 0.0)
    learn(fleet, AttemptFailed(failed, Failure(FailureKind.UNAUTHORIZED, "no")), 0.0)
    assert fleet.unwell == {"c/m"}
    candidates = Candidates.of(well, [fleet.state(each.id) for each in well])
    demand = demand_for(input_tokens_estimated=3000, output_tokens_estimated=600)
    return candidates, Question(demand, 1.0, unwell=fleet.unwell, book=fleet.headroom)


def test_the_usual_request_is_no_occasion() -> None:
    candidates, question = quiet()
    assert occasions_of(candidates, question) == Occasion.ALWAYS
    assert SOMETIMES
    assert PER_DEMAND


@pytest.mark.parametrize("gate", SOMETIMES, ids=lambda gate: gate.name)
def test_a_gate_without_its_occasion_stops_nobody(gate: Gate) -> None:
    assert not gate.standing
    assert not gate.check(*quiet())


@pytest.mark.parametrize("factor", PER_DEMAND, ids=lambda factor: factor.name)
def test_a_factor_without_its_occasion_moves_nobody(factor: DemandFactor) -> None:
    assert not factor.deviations(*quiet())


def test_every_occasion_is_seen() -> None:
    candidates, question = quiet()
    fleet = Fleet()
    fleet.headroom.is_watching = True
    demand = question.demand
    seen = {
        Occasion.RETRY: question._replace(tried=frozenset({"a/m"})),
        Occasion.UNWELL: question._replace(unwell={"a/m"}),
        Occasion.LIMITS: question._replace(book=fleet.headroom),
        Occasion.LONG: question._replace(demand=demand._replace(input_tokens_estimated=3001)),
        Occasion.COST: question._replace(demand=demand._replace(max_cost_usd=0.0)),
        Occasion.BOUND: question._replace(bound_replica_id="a/m"),
    }
    for occasion, asked in seen.items():
        assert occasions_of(candidates, asked) == Occasion.ALWAYS | occasion


@pytest.mark.parametrize("window", [None, 1, 600, 3000, 3900, 4000, 4001, 5000, 100_000])
@pytest.mark.parametrize("tokens", [(0, 0), (1, 0), (100, 500), (3000, 600), (3000, 1024), (4095, 1023)])
def test_what_lasts_is_never_less_than_what_there_is(window: int | None, tokens: tuple[int, int]) -> None:
    """A gate that is asked in vain costs time; one that is not asked would let somebody pass."""
    candidates = Candidates.of([replica("a/m", context_window=window)], [Fleet().state("a/m")])
    demand = demand_for(input_tokens_estimated=tokens[0], output_tokens_estimated=tokens[1])
    question = Question(demand, 1.0, unwell=frozenset())
    lasting = lasting_occasions(candidates, demand)
    assert occasions_of(candidates, question) | lasting == lasting
    assert lasting == Occasion.ALWAYS or (window is not None and window < 4 * max(1, *tokens))
