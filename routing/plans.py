"""For each kind of demand its stages, with the candidates that passed the standing gates and their ranking: made once, then remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from routing.board import Board, SoleBoard, board_of
from routing.candidates import STANDING, Candidates, DemandKind, Question, Task, kind_of, lasting_occasions, task_of
from routing.fleet import Fleet
from routing.judging import Judges, judge, without
from routing.scoring import Scoring
from routing.stages import Stage, stages_of
from routing.types import Catalog, Demand, Reject

PLANS_KEPT = 128
"""The least recently used goes first. An agent's conversation has one per doubling of its length."""

ROWS_KEPT = 12_800
"""Candidates in all plans together, about 1 KB each: a hundred plans of 128 candidates. Clients can invent kinds (`x-donut-exclude`)."""


@dataclass(frozen=True, slots=True)
class Post:
    """One stage, judged and ranked."""

    stage: Stage
    everyone: Candidates
    passed: Candidates
    rejects: Sequence[Reject]
    doubted: Sequence[Reject]
    board: Board | SoleBoard
    occasions: int
    """`candidates.lasting_occasions` of those who passed."""


class Plan:
    """The stages are opened one after the other, as far as anybody ever got."""

    __slots__ = ("_book", "_posts", "front", "stages", "task")

    def __init__(self, book: PlanBook, stages: Sequence[Stage], task: Task) -> None:
        self._book = book
        self._posts: list[Post] = []
        self.stages = stages
        self.task = task
        self.front: Post | None = None
        """The first stage, once it is open, where anybody passed its standing gates."""

    def post(self, number: int, question: Question) -> Post:
        """The stage of this number; those before it must have been asked for."""
        if number == len(self._posts):
            post = self._book.open(self.stages[number], question, self.task)
            self._posts.append(post)
            if number == 0 and post.passed.replicas:
                self.front = post
        return self._posts[number]

    @property
    def rows(self) -> int:
        return sum(len(stage.replicas) for stage in self.stages)


class PlanBook:
    def __init__(self, catalog: Catalog, fleet: Fleet, judges: Judges, scoring: Scoring) -> None:
        self._catalog = catalog
        self._fleet = fleet
        self._judges = judges
        self._scoring = scoring
        self._plans: OrderedDict[DemandKind, Plan] = OrderedDict()
        self._newest: tuple[object, ...] = ()
        """The standing part of the newest demand."""
        self._by_size: dict[int, Plan] = {}
        """Plans for demands that are alike in it: bit length of the prompt → plan."""
        self._rows = 0

    def __len__(self) -> int:
        return len(self._plans)

    def plan(self, demand: Demand) -> Plan:
        part, size = demand[:STANDING], demand.input_tokens_estimated.bit_length()
        if part != self._newest:
            self._newest, self._by_size = part, {}
        plan = self._by_size.get(size)
        if plan is None:
            plan = self._by_size[size] = self._plan(demand)
        return plan

    def _plan(self, demand: Demand) -> Plan:
        kind = kind_of(demand)
        found = self._plans.get(kind)
        if found is None:
            found = Plan(self, stages_of(demand.target, {demand.dialect, *demand.translatable_to}, self._catalog), task_of(demand))
            self._remember(kind, found)
        else:
            self._plans.move_to_end(kind)
        return found

    def open(self, stage: Stage, question: Question, task: Task) -> Post:
        everyone = Candidates.of(stage.replicas, [self._fleet.state(each.id) for each in stage.replicas], self._catalog.models)
        verdict = judge(everyone, question._replace(stage=stage.target), self._judges.standing)
        passed = without(everyone, verdict.rejects)
        occasions = lasting_occasions(passed, question.demand)
        return Post(stage, everyone, passed, verdict.rejects, verdict.doubted, self.board(passed, task), occasions)

    def board(self, candidates: Candidates, task: Task) -> Board | SoleBoard:
        return board_of(candidates, task, self._scoring, self._fleet)

    def _remember(self, kind: DemandKind, plan: Plan) -> None:
        self._plans[kind] = plan
        self._rows += plan.rows
        while len(self._plans) > PLANS_KEPT or (self._rows > ROWS_KEPT and len(self._plans) > 1):
            _, dropped = self._plans.popitem(last=False)
            self._rows -= dropped.rows
