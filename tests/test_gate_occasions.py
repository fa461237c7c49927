"""A gate or a factor that names its occasions has nothing to say without them. Each new file is picked up by itself."""

from __future__ import annotations

import pytest

from routing.candidates import Candidates, Occasion, Question, occasions_of
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
