"""The columns that gates and factors read: every replica that could answer, beside what is believed about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from routing.fleet import ReplicaState
from routing.headroom.book import Book
from routing.retry import BudgetSpent
from routing.types import Demand, LogicalModel, ModelReplica, ModelTier, Objective, Target, TargetKind, UseCase


@dataclass(frozen=True, slots=True)
class Candidates:
    """Parallel sequences: `states[i]` is the belief about `replicas[i]`, `models[i]` what it serves.

    Gates and factors work on whole columns, and what one request adds is told by position: a call per candidate and factor would cost
    more than the work in it (fifty candidates and ten factors have 40 µs, DESIGN.md §6).
    """

    replicas: Sequence[ModelReplica]
    models: Sequence[LogicalModel]
    states: Sequence[ReplicaState]
    positions: Mapping[str, int]
    """Replica id → its index."""
    smallest_window: float = math.inf
    """Tokens; what fits into it fits everywhere, so that nobody need be asked."""

    @staticmethod
    def of(
        replicas: Sequence[ModelReplica], states: Sequence[ReplicaState], models: Mapping[str, LogicalModel] | None = None
    ) -> Candidates:
        """A replica whose model `models` does not know is taken for one of which nothing more is known."""
        known = models or {}
        windows = [replica.context_window for replica in replicas if replica.context_window is not None]
        return Candidates(
            replicas,
            [known.get(each.logical_model_id) or LogicalModel(each.logical_model_id, each.tier) for each in replicas],
            states,
            {replica.id: i for i, replica in enumerate(replicas)},
            min(windows, default=math.inf),
        )

    def only(self, indices: Sequence[int]) -> Candidates:
        return Candidates(
            [self.replicas[i] for i in indices],
            [self.models[i] for i in indices],
            [self.states[i] for i in indices],
            {self.replicas[i].id: position for position, i in enumerate(indices)},
            self.smallest_window,
        )

    def among(self, ids: Set[str]) -> list[int]:
        """The indices of those of `ids` that are here, in order. Quick when they are few."""
        positions = self.positions
        return sorted(positions[id_] for id_ in ids if id_ in positions)

    def to_look_at(self, unwell: Set[str] | None) -> Sequence[int]:
        """As `among`; everyone when it is not known who is unwell."""
        return range(len(self.replicas)) if unwell is None else self.among(unwell)


class Question(NamedTuple):
    """What is asked of the candidates of one stage."""

    demand: Demand
    now_s: float
    tried: frozenset[str] = frozenset()
    stage: Target | None = None
    """The tier, model or replica whose candidates these are; None means the demand's own target."""
    unwell: Set[str] | None = None
    """Ids of the replicas that are ejected, on probation, or rate limited; the others need no look. None: not known."""
    bound_replica_id: str | None = None
    """Where this conversation was answered before."""
    quality_floors: Mapping[ModelTier, float] | None = None
    """In place of the shipped ones."""
    budget_spent: BudgetSpent | None = None
    """Where this is another try of an exchange, and there is no budget for it."""
    book: Book | None = None
    """Of all limits."""

    @property
    def tier(self) -> ModelTier | None:
        """The tier that is being searched; None when a model or a replica is named."""
        stage = self.stage or self.demand.target
        return ModelTier(stage.id) if stage.kind is TargetKind.TIER else None


class Occasion:
    """What a request, or the moment, must have about it before a gate or a factor has anything to say. Bits of an `int`.

    Most requests have nothing about them, and to ask ten gates in vain cost 10 µs of each (measured under load).
    """

    ALWAYS = 1
    RETRY = 2
    """Somebody has failed this exchange already."""
    UNWELL = 4
    """One of the candidates is ejected, on probation, rate limited or has a long queue."""
    LIMITS = 8
    """There are limits, configured or reported."""
    LONG = 16
    """Prompt and answer fill the smallest of the candidates' windows almost."""
    COST = 32
    """The request has a ceiling of its own."""
    BOUND = 64
    """The conversation was answered before."""


ALWAYS, BOUND = Occasion.ALWAYS, Occasion.BOUND
AUTO, BALANCED = Objective.AUTO, Objective.BALANCED
"""To look a name up in its class takes longer than a name of the module (in an enum 33 ns, CPython 3.11), in what every request runs."""

ALMOST = 0.9
"""Of a window; from the design (issue 3, item 3)."""


def occasions_of(candidates: Candidates, question: Question) -> int:
    """The bits of all occasions that there are."""
    demand, book, unwell = question.demand, question.book, question.unwell
    found = ALWAYS
    if question.tried:
        found |= Occasion.RETRY
    if unwell is None or (unwell and not candidates.positions.keys().isdisjoint(unwell)):
        found |= Occasion.UNWELL
    if book is not None and book.is_watching:
        found |= Occasion.LIMITS
    if demand.input_tokens_estimated + demand.output_tokens_estimated > ALMOST * candidates.smallest_window:
        found |= Occasion.LONG
    if demand.max_cost_usd is not None:
        found |= Occasion.COST
    if question.bound_replica_id is not None:
        found |= BOUND
    return found


def lasting_occasions(candidates: Candidates, demand: Demand) -> int:
    """Those that every demand of this one's kind may have, whatever the moment: LONG, where the longest of the kind is."""
    longest = (1 << demand.input_tokens_estimated.bit_length()) + (1 << demand.output_tokens_estimated.bit_length())
    return ALWAYS | Occasion.LONG if longest > ALMOST * candidates.smallest_window else ALWAYS


class Task(NamedTuple):
    """What a ranking knows of the demands it is for: as coarse as it may be, so that many demands share one."""

    input_tokens: int
    output_tokens: int
    use_case: UseCase
    objective: Objective
    dialect: str = "chat"


def task_of(demand: Demand) -> Task:
    return Task(
        _middle(demand.input_tokens_estimated.bit_length()),
        _middle(demand.output_tokens_estimated.bit_length()),
        demand.use_case,
        objective_for(demand),
        demand.dialect,
    )


def _middle(bits: int) -> int:
    """The middle of all numbers of so many bits: sizes are told in powers of two."""
    return 3 << bits >> 2


def objective_for(demand: Demand) -> Objective:
    """What the candidates are ranked by: what the demand says, else what its task suggests, else the balance."""
    objective, classification = demand.objective, demand.classification
    if objective is not AUTO:
        return objective
    return classification.objective if classification is not None else BALANCED


DemandKind = tuple[object, ...]

STANDING = Demand._fields.index("stream")
"""So many of a demand's fields are its standing part. Demands that are alike in it, and whose prompts have one bit length, are of one kind:
it is finer than the kind, and quick to compare, for what a client says in one request after the other are the same objects."""


def kind_of(demand: Demand) -> DemandKind:
    """All that a ranking and standing gates may look at: demands of one kind get the same verdict and see the same ranking until
    somebody's state changes. Of enums it has the values: to hash a member is a call of Python."""
    target = demand.target
    return (
        # Not the target's words: they may differ from request to request.
        target.kind._value_,
        target.id,
        demand.dialect,
        demand.capability_bits,
        demand.local_preference._value_,
        demand.excluded_providers,
        demand.made_by,
        demand.translatable_to,
        demand.models_allowed,
        objective_for(demand)._value_,
        demand.use_case._value_,
        demand.input_tokens_estimated.bit_length(),
        demand.output_tokens_estimated.bit_length(),
    )
