"""What donut believes about every replica, and the reservations that are open. Changed by `Router.decide` and `Router.observe` only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from routing.calibration import Calibration
from routing.health import Health, HealthState
from routing.types import Demand

LATENCY_SMOOTHING = 0.2
"""Weight of the newest time to first token: quick enough to notice a swapped-out model, slow enough to survive one long prompt."""


@dataclass(slots=True)
class ReplicaState:
    """Belief about one replica. Survives a config reload as long as the replica's id does."""

    health: HealthState = field(default_factory=HealthState)
    in_flight: int = 0
    tokens_reserved: int = 0
    ttft_s_ewma: float | None = None
    """None until the first answer: unknown is not fast."""
    finished: int = 0
    failed: int = 0


class Reservation(NamedTuple):
    """The part of a replica's headroom that one open attempt holds."""

    replica_id: str
    logical_model_id: str
    tokens: int
    demand: Demand
    is_probe: bool
    """Was the replica ejected or on probation when it was chosen?"""


class Fleet:
    def __init__(self, input_ratios: Mapping[str, float] | None = None) -> None:
        """`input_ratios`: logical model id → reported ÷ estimated input tokens, as an earlier process learned them."""
        self._states: dict[str, ReplicaState] = {}
        self._calibrations = {model_id: Calibration(ratio) for model_id, ratio in (input_ratios or {}).items()}
        self._open: dict[int, Reservation] = {}
        self._next_reservation = 1
        self._unwell: set[str] = set()

    def state(self, replica_id: str) -> ReplicaState:
        found = self._states.get(replica_id)
        if found is None:
            found = self._states[replica_id] = ReplicaState()
        return found

    def calibration(self, logical_model_id: str) -> Calibration:
        found = self._calibrations.get(logical_model_id)
        if found is None:
            found = self._calibrations[logical_model_id] = Calibration()
        return found

    @property
    def all_well(self) -> bool:
        """Is no replica ejected, on probation or rate limited?"""
        return not self._unwell

    def note_health(self, replica_id: str) -> None:
        """Its health may have changed. A rate limit counts until the next success, even when its time is over: that is only slower."""
        health = self.state(replica_id).health
        if health.health is Health.HEALTHY and not health.limited_until_s:
            self._unwell.discard(replica_id)
        else:
            self._unwell.add(replica_id)

    @property
    def open_reservations(self) -> int:
        return len(self._open)

    def reserve(self, replica_id: str, logical_model_id: str, demand: Demand, *, is_probe: bool) -> int:
        """Hold the demand's tokens and one slot; returns the reservation that must be settled exactly once."""
        number = self._next_reservation
        self._next_reservation += 1
        self._open[number] = Reservation(replica_id, logical_model_id, demand.tokens_estimated, demand, is_probe)
        state = self.state(replica_id)
        state.in_flight += 1
        state.tokens_reserved += demand.tokens_estimated
        if is_probe:
            state.health.probe = number
        return number

    def holder(self, number: int) -> Reservation:
        """The open reservation `number`. Raises KeyError once it is settled."""
        return self._open[number]

    def settle(self, number: int) -> Reservation:
        """Give back what `number` held. Settling twice is a bug and crashes loudly."""
        reservation = self._open.pop(number, None)
        assert reservation is not None, f"reservation {number} was settled before, or never made"
        state = self.state(reservation.replica_id)
        state.in_flight -= 1
        state.tokens_reserved -= reservation.tokens
        assert state.in_flight >= 0
        assert state.tokens_reserved >= 0
        if state.health.probe == number:
            state.health.probe = None
        return reservation
