"""What the gates say of a stage's candidates: standing gates once per kind of demand, the passing ones when there is an occasion."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.types import Reject


class Verdict(NamedTuple):
    rejects: Sequence[Reject]
    """One per candidate that is stopped, with the first gate's reason."""
    doubted: Sequence[Reject]
    """Those of them that came from advisory gates."""


ALL_PASS = Verdict((), ())


class Judges:
    """The gates of one router."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        ordered = sorted(gates, key=lambda gate: (gate.order, gate.name))
        self.standing = tuple(gate for gate in ordered if gate.standing)
        self.binding = tuple(gate for gate in ordered if not gate.advisory)
        self._passing = tuple(gate for gate in ordered if not gate.standing)
        self._due: dict[int, tuple[Gate, ...]] = {}

    def due(self, occasions: int) -> tuple[Gate, ...]:
        """The passing gates that may have something to say (`candidates.occasions_of`)."""
        found = self._due.get(occasions)
        if found is None:
            found = self._due[occasions] = tuple(gate for gate in self._passing if gate.occasions & occasions)
        return found


def judge(candidates: Candidates, question: Question, gates: Sequence[Gate]) -> Verdict:
    found: dict[str, Reject] = {}
    doubted: list[Reject] = []
    for gate in gates:
        for reject in gate.check(candidates, question):
            if reject.replica_id not in found:
                found[reject.replica_id] = reject
                if gate.advisory:
                    doubted.append(reject)
    return Verdict(tuple(found.values()), doubted) if found else ALL_PASS


def without(candidates: Candidates, rejects: Collection[Reject]) -> Candidates:
    """Those who are not rejected."""
    if not rejects:
        return candidates
    out = {reject.replica_id for reject in rejects}
    return candidates.only([i for i, replica in enumerate(candidates.replicas) if replica.id not in out])
