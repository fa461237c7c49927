"""The columns that gates and factors read: every replica that could answer, beside what is believed about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from routing.fleet import ReplicaState
from routing.types import Demand, ModelReplica


class Candidates(NamedTuple):
    """Parallel sequences: `states[i]` is the belief about `replicas[i]`.

    Gates and factors work on the whole column at once. A call per candidate and factor would cost more than the work in it:
    fifty candidates and ten factors have 40 µs (DESIGN.md §6).
    """

    replicas: Sequence[ModelReplica]
    states: Sequence[ReplicaState]
    smallest_window: float = math.inf
    """Tokens; a prompt below it fits everywhere, so that nobody need be asked."""

    @staticmethod
    def of(replicas: Sequence[ModelReplica], states: Sequence[ReplicaState]) -> Candidates:
        windows = [replica.context_window for replica in replicas if replica.context_window is not None]
        return Candidates(replicas, states, min(windows, default=math.inf))

    def only(self, indices: Sequence[int]) -> Candidates:
        return Candidates([self.replicas[i] for i in indices], [self.states[i] for i in indices], self.smallest_window)


class Question(NamedTuple):
    """What is asked of the candidates, once per `decide`."""

    demand: Demand
    now_s: float
    tried: frozenset[str]
    all_well: bool = False
    """True when no replica anywhere is ejected, on probation or rate limited: the usual case, in which no gate need look."""


DemandKind = tuple[object, ...]


def kind_of(demand: Demand) -> DemandKind:
    """What standing gates may look at. Two demands of one kind get the same verdict from them, whenever they are asked."""
    return (demand.target, demand.dialect, demand.capability_bits, demand.local_preference, demand.excluded_providers)
