"""Hard requirements, one file each. A gate names the candidates that may not answer, with the reason; it never ranks.

Each module exports `GATE`. Adding a gate is adding a file; `config.discovery` finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from routing.candidates import Candidates, Occasion, Question
from routing.types import Reject


@dataclass(frozen=True, slots=True)
class Gate:
    """`check` returns one Reject per candidate it stops, and an empty list when it stops nobody (the usual case: keep that cheap).

    `order` decides who speaks first when several gates would stop the same candidate: the lowest is the reason given.
    `advisory` gates judge by what donut believes about a model, which may be wrong. When a client names a model and only
    advisory gates stand in the way, the model is asked anyway and the decision says so.
    """

    name: str
    order: int
    check: Callable[[Candidates, Question], list[Reject]]
    advisory: bool = False
    standing: bool = False
    """True when the verdict depends on nothing but the replica and the kind of demand (`candidates.kind_of`): it is then reached once
    per kind and remembered, not once per request."""
    occasions: int = Occasion.ALWAYS
    """Bits: without any of these the gate stops nobody, and is not asked. Standing gates are always asked."""
