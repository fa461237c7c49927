"""What is believed of health, for the next process: plain values, with what is left of each wait instead of times. A probe is not kept: it
is over with the process that sent it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from routing.fleet import Fleet
from routing.health import Health


class StoredHealth(NamedTuple):
    replica_id: str
    health: str
    consecutive_failures: int
    ejections: int
    ejected_for_s: float
    """From the snapshot on."""
    limited_for_s: float
    limit_level: int
    reason: str
    limit_reason: str


def health_snapshot(fleet: Fleet, now_s: float) -> list[StoredHealth]:
    """Of those replicas that are not simply well."""
    found = []
    for replica_id in sorted(fleet.unwell):
        state = fleet.state(replica_id).health
        if state.health is not Health.HEALTHY or state.limited_until_s:
            found.append(
                StoredHealth(
                    replica_id,
                    state.health.value,
                    state.consecutive_failures,
                    state.ejections,
                    max(0.0, state.ejected_until_s - now_s),
                    max(0.0, state.limited_until_s - now_s),
                    state.limit_level,
                    state.reason,
                    state.limit_reason,
                )
            )
    return found


def restore_health(fleet: Fleet, stored: Iterable[StoredHealth], now_s: float, away_s: float) -> None:
    """`away_s`: seconds since the snapshot. What is known of a replica by now is not overruled: the later deadline wins."""
    for each in stored:
        state = fleet.state(each.replica_id).health
        if state.health is Health.HEALTHY:
            state.health = Health(each.health)
            state.consecutive_failures, state.ejections, state.reason = each.consecutive_failures, each.ejections, each.reason
        if each.ejected_for_s:
            state.ejected_until_s = max(state.ejected_until_s, now_s + each.ejected_for_s - away_s)
        if each.limited_for_s:
            state.limited_until_s = max(state.limited_until_s, now_s + each.limited_for_s - away_s)
            state.limit_level, state.limit_reason = max(state.limit_level, each.limit_level), each.limit_reason
        fleet.note(each.replica_id)
