"""The request headers that steer a decision, read and checked: README's table of `x-donut-*`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TypeVar

from providers.dialects import BadRequestError
from providers.transport.port import Headers
from routing.types import Capability, LocalPreference, ModelTier, Objective, capability_names

OBJECTIVES: dict[str, Objective] = {
    "cost": Objective.COST_SPEED,
    "speed": Objective.COST_SPEED,
    **{objective.value: objective for objective in Objective},
}
_TIERS = {tier.value: tier for tier in ModelTier}
_LOCAL = {wish.value: wish for wish in LocalPreference}
_CAPABILITIES = {name: int(capability) for capability in Capability for name in capability_names(capability)}
_MILLISECONDS = re.compile(r"0*[1-9][0-9]{0,9}", re.ASCII)
T = TypeVar("T")


@dataclass(slots=True)
class Steering:
    """The request headers that steer, parsed; the rest of the headers pass by."""

    user_agent: bytes | None = None
    tier: ModelTier | None = None
    objective: Objective | None = None
    local: LocalPreference | None = None
    excluded: frozenset[str] = frozenset()
    policy: str | None = None
    capability_bits: int = 0
    """Capabilities that the model must have besides those that the body needs."""
    max_cost_usd: float | None = None
    deadline_s: float | None = None
    debug: bool = False


def read_steering(headers: Headers) -> Steering:
    """One pass over the headers. Raises BadRequestError on a steering header that says nothing donut knows."""
    steering = Steering()
    for name, value in headers:
        if name == b"user-agent":
            steering.user_agent = value
        elif name.startswith(b"x-donut-"):
            _read_one(steering, name, value.decode("latin-1").strip())
    return steering


def _read_one(steering: Steering, name: bytes, value: str) -> None:
    match name:
        case b"x-donut-tier":
            steering.tier = _choice(name, value, _TIERS)
        case b"x-donut-objective":
            steering.objective = _choice(name, value, OBJECTIVES)
        case b"x-donut-local":
            steering.local = _choice(name, value, _LOCAL)
        case b"x-donut-exclude":
            steering.excluded = frozenset(_listed(value))
        case b"x-donut-policy":
            steering.policy = value or None
        case b"x-donut-require":
            for word in _listed(value):
                steering.capability_bits |= _choice(name, word, _CAPABILITIES)
        case b"x-donut-max-cost":
            steering.max_cost_usd = _amount(name, value)
        case b"x-donut-deadline-ms":
            if not _MILLISECONDS.fullmatch(value):
                raise BadRequestError(
                    f"x-donut-deadline-ms must be a positive number of milliseconds, not {value!r}", "x-donut-deadline-ms"
                )
            steering.deadline_s = int(value) / 1000
        case b"x-donut-debug":
            steering.debug = value not in ("", "0", "false")
        case _:
            pass  # x-donut-session is read with the other names of sessions; a newer donut's header is no reason to refuse


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _choice(name: bytes, value: str, choices: dict[str, T]) -> T:
    found = choices.get(value.lower())
    if found is None:
        header = name.decode("latin-1")
        raise BadRequestError(f"{header}: {value!r} is none of {', '.join(choices)}", header, "invalid_value")
    return found


def _amount(name: bytes, value: str) -> float:
    try:
        amount = float(value)
    except ValueError:
        amount = math.nan
    if not 0 <= amount < math.inf:
        header = name.decode("latin-1")
        raise BadRequestError(f"{header} must be an amount in USD such as 0.05, not {value!r}", header, "invalid_value")
    return amount
