"""In which dialect a replica is spoken to: the client's own where it has that, else the first of its own that a translation leads to."""

from __future__ import annotations

from collections.abc import Collection

from routing.types import Demand, ModelReplica


def upstream_dialect(demand: Demand, replica: ModelReplica, absent: Collection[str] = ()) -> str | None:
    """None where the two cannot understand each other. `absent`: dialects that the replica turned out not to speak."""
    if demand.dialect in replica.dialects and demand.dialect not in absent:
        return demand.dialect
    reachable = demand.translatable_to
    return next((dialect for dialect in replica.dialects if dialect in reachable and dialect not in absent), None) if reachable else None


def note_of(demand: Demand, replica: ModelReplica) -> tuple[str, ...]:
    """What the decision for `replica` says of translation; nothing where there is none."""
    if demand.dialect in replica.dialects:
        return ()
    spoken = upstream_dialect(demand, replica)
    return (f"translated {demand.dialect} → {spoken}",) if spoken is not None else ()
