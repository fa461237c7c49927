"""In which dialect a replica is spoken to: the client's own where it has that, else the first of its own that a translation leads to."""

from __future__ import annotations

from routing.types import Demand, ModelReplica


def upstream_dialect(demand: Demand, replica: ModelReplica) -> str | None:
    """None where the two cannot understand each other."""
    if demand.dialect in replica.dialects:
        return demand.dialect
    reachable = demand.translatable_to
    return next((dialect for dialect in replica.dialects if dialect in reachable), None) if reachable else None


def note_of(demand: Demand, replica: ModelReplica) -> tuple[str, ...]:
    """What the decision for `replica` says of translation; nothing where there is none."""
    if demand.dialect in replica.dialects:
        return ()
    spoken = upstream_dialect(demand, replica)
    return (f"translated {demand.dialect} → {spoken}",) if spoken is not None else ()
