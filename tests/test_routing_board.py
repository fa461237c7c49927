"""A ranking that is kept over any history is, to the last bit, the one that would be made anew."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from routing.board import LOOK_PERIOD_S, LOOKS, Board, SoleBoard, board_of
from routing.candidates import Candidates, Task
from routing.facts import AttemptFailed, AttemptFinished, Failure, FailureKind, FirstToken, LimitsReported
from routing.fleet import Fleet
from routing.headroom.standing import Standing
from routing.learning import learn
from routing.scoring import Scoring
from routing.types import LogicalModel, ModelReplica, ModelTier, Objective, Price, Ranking, Usage, UseCase
from tests.playbook import FACTORS, SELECTORS, demand_for, replica, share_left

REPLICAS = [
    replica("box/a", "m0", ModelTier.SMALL, is_local=True, price=Price(0.0, 0.0)),
    replica("box/b", "m1", ModelTier.SMALL, is_local=True),
    replica("cloud/a", "m0", ModelTier.SMALL, price=Price(1.0, 4.0)),
    replica("cloud/b", "m1", ModelTier.SMALL, price=Price(3.0, 15.0)),
    replica("other/a", "m0", ModelTier.SMALL, price=Price(1.0, 5.0)),
]
MODELS = {
    "m0": LogicalModel("m0", ModelTier.SMALL, quality=0.6, output_tokens_per_s=40.0),
    "m1": LogicalModel("m1", ModelTier.SMALL, (UseCase.CODE,)),
}
TASKS = [
    Task(768, 384, UseCase.CODE, Objective.BALANCED),
    Task(98304, 12, UseCase.CHAT, Objective.COST),
    Task(24, 384, UseCase.CHAT, Objective.PARETO),
]
IDS = st.sampled_from([each.id for each in REPLICAS])
SCORING = Scoring(FACTORS, {}, SELECTORS)


class BoardMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        self.fleet = Fleet()
        self.open: list[int] = []
        states = [self.fleet.state(each.id) for each in REPLICAS]
        self.candidates = Candidates.of(REPLICAS, states, MODELS)
        self.boards = [Board(self.candidates, task, SCORING, self.fleet) for task in TASKS]
        self.seen: list[tuple[Ranking, str]] = []
        self.looked_s = 0.0

    @rule(id_=IDS, tokens=st.sampled_from([10, 1000, 100_000]))
    def reserve(self, id_: str, tokens: int) -> None:
        demand = demand_for(input_tokens_estimated=tokens)
        position = self.candidates.positions[id_]
        replica, state = self.candidates.replicas[position], self.candidates.states[position]
        self.open.append(self.fleet.reserve(replica, state, demand, self.now_s))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), ttft_s=st.floats(0.05, 20) | st.sampled_from([0.5, 1.0, 1.01]))
    def begin(self, data: st.DataObject, ttft_s: float) -> None:
        self.learn(FirstToken(data.draw(st.sampled_from(self.open)), ttft_s))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), output=st.sampled_from([0, 20, 2000]))
    def finish(self, data: st.DataObject, output: int) -> None:
        number = data.draw(st.sampled_from(self.open))
        self.open.remove(number)
        self.learn(AttemptFinished(number, Usage(10, output=output)))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), kind=st.sampled_from(FailureKind), status=st.sampled_from([None, 401]))
    def fail(self, data: st.DataObject, kind: FailureKind, status: int | None) -> None:
        number = data.draw(st.sampled_from(self.open))
        self.open.remove(number)
        self.learn(AttemptFailed(number, Failure(kind, "x", upstream_status=status)))

    @rule(id_=IDS, headroom=st.floats(0, 1), for_s=st.sampled_from([None, 20.0]))
    def count(self, id_: str, headroom: float, for_s: float | None) -> None:
        self.learn(LimitsReported(id_, (share_left(headroom, for_s),)))

    @rule(seconds=st.sampled_from([0.0, 1.0, 20.0, 200.0, 1000.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.fleet.advance(self.now_s)

    def learn(self, fact: Any) -> None:
        learn(self.fleet, fact, self.now_s)

    @invariant()
    def kept_is_what_is_new(self) -> None:
        for board, task in zip(self.boards, TASKS, strict=True):
            self.looked_s += LOOK_PERIOD_S / 2  # often enough for all that was learned, and so that both ways of looking are met
            ranking = board.ranked(self.looked_s)
            assert repr(ranking) == repr(Board(self.candidates, task, SCORING, self.fleet).ranked(self.looked_s))
            self.seen.append((ranking, repr(ranking)))
        # What a decision keeps as evidence must stay what it saw.
        assert all(repr(ranking) == words for ranking, words in self.seen[-9:])


TestBoard = BoardMachine.TestCase
TestBoard.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(
    each=st.sampled_from(REPLICAS),
    task=st.sampled_from(TASKS),
    ttft_s=st.none() | st.floats(0.01, 30),
    in_flight=st.integers(0, 3),
    headroom=st.floats(0, 1),
)
def test_one_candidate_has_the_figures_that_a_ranking_of_one_would_give_it(
    each: ModelReplica, task: Task, ttft_s: float | None, in_flight: int, headroom: float
) -> None:
    fleet = Fleet()
    state = fleet.state(each.id)
    state.in_flight, state.standing = in_flight, Standing(headroom)
    if ttft_s is not None:
        state.timing = state.timing.after_first_token(100, ttft_s).after_answer(100, 1.0)
    candidates = Candidates.of([each], [state], MODELS)
    sole = board_of(candidates, task, SCORING, fleet)
    assert isinstance(sole, SoleBoard)
    ranked = sole.ranked(0.0)
    state.in_flight = 99  # what happens after the decision is not what it saw
    state.timing = state.timing.after_first_token(100, 77.0)
    state.in_flight = in_flight
    told = ranked.ranking()
    assert ranked.size == told.size == 1
    state.timing = ranked.reading.timing
    full = Board(candidates, task, SCORING, fleet).ranked(0.0)
    assert list(told.figures.ids) == list(full.figures.ids)
    assert {name: list(column) for name, column in told.columns.items()} == {name: list(column) for name, column in full.columns.items()}
    assert (list(told.totals), told.figures.neutrals) == (list(full.totals), full.figures.neutrals)


def test_one_candidate_shares_its_figures_until_the_next_look_and_knows_at_once_what_is_in_flight() -> None:
    fleet = Fleet()
    each = REPLICAS[2]
    state = fleet.state(each.id)
    sole = board_of(Candidates.of([each], [state], MODELS), TASKS[0], SCORING, fleet)

    def answer_wrongly(share: float) -> Ranking:
        state.error_rate = share
        fleet.note(each.id)
        return sole.ranked(1.0).ranking()

    seen = [answer_wrongly((1 + number) / 64) for number in range(2 * LOOKS)]
    assert len({ranking.figures for ranking in seen}) == LOOKS
    fleet.reserve(each, state, demand_for(), 1.0)
    busy = sole.ranked(1.0).ranking()
    assert busy.figures is seen[-1].figures
    assert (busy.loads, seen[-1].loads) == ({"load": [0.5]}, {"load": [1.0]})
    assert busy.totals[0] < seen[-1].totals[0]
    assert sole.ranked(1.0 + LOOK_PERIOD_S).ranking().columns["errors"] == (0.75,)


def test_a_busy_ranking_takes_in_what_is_in_flight_at_once_and_what_was_learned_soon() -> None:
    fleet = Fleet()
    candidates = Candidates.of(REPLICAS, [fleet.state(each.id) for each in REPLICAS], MODELS)
    board, far = Board(candidates, TASKS[0], SCORING, fleet), candidates.positions["cloud/a"]

    def answer_wrongly(share: float) -> Ranking:
        number = fleet.reserve(REPLICAS[far], fleet.state("cloud/a"), demand_for(), 1.0)
        assert board.ranked(1.0).columns["load"][far] == 0.5
        fleet.settle(number)
        fleet.state("cloud/a").error_rate = share
        fleet.note("cloud/a")
        return board.ranked(1.0)

    seen = [answer_wrongly((1 + number) / 64) for number in range(2 * LOOKS)]
    assert all(ranking.columns["load"][far] == 1.0 for ranking in seen)
    errors = [ranking.columns["errors"][far] for ranking in seen]
    assert errors[:LOOKS] == [1.0 - (1 + number) / 64 for number in range(LOOKS)], "a look for each, while they were few"
    assert set(errors[LOOKS:]) == {errors[LOOKS - 1]}, "no more looks in this period"
    later = board.ranked(1.0 + LOOK_PERIOD_S)
    assert repr(later) == repr(Board(candidates, TASKS[0], SCORING, fleet).ranked(9.0))
    assert later.columns["errors"][far] == 0.75
