"""The fewer attempts a replica has in flight, the better: spreads equal replicas, and steers around one that hangs."""

from __future__ import annotations

from routing.factors import LoadFactor


def of(in_flight: int) -> float:
    return 1.0 / (1 + in_flight)


FACTOR = LoadFactor("load", 0.25, of)
