"""From what a client asked, in body and headers, to a `Demand`: what the router decides on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from providers.dialects import Ask, BadRequestError
from providers.transport.port import Headers
from proxy.harness import harness_of
from proxy.serving import Serving
from routing.resolve import UnknownModel, objective_of
from routing.types import Demand, LocalPreference, ModelTier, Objective, Target, TargetKind, UseCase

EXPECTED_OUTPUT_TOKENS = 512
"""Held for an answer of unknown length, until issue 04 learns it per model: the median turn of a coding harness is shorter."""

_OBJECTIVES = {
    "cost": Objective.COST_SPEED,
    "speed": Objective.COST_SPEED,
    "cost_speed": Objective.COST_SPEED,
    "balanced": Objective.BALANCED,
    "quality": Objective.QUALITY,
    "auto": Objective.AUTO,
}
_MILLISECONDS = re.compile(r"0*[1-9][0-9]{0,9}", re.ASCII)
T = TypeVar("T")

_USE_CASES = {"embeddings": UseCase.EMBED}


@dataclass(slots=True)
class Steering:
    """The request headers that steer, parsed; the rest of the headers pass by."""

    user_agent: bytes | None = None
    tier: ModelTier | None = None
    objective: Objective | None = None
    local: LocalPreference | None = None
    excluded: frozenset[str] = frozenset()
    session: str | None = None
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
            steering.tier = _choice(name, value, {tier.value: tier for tier in ModelTier})
        case b"x-donut-objective":
            steering.objective = _choice(name, value, _OBJECTIVES)
        case b"x-donut-local":
            steering.local = _choice(name, value, {wish.value: wish for wish in LocalPreference})
        case b"x-donut-exclude":
            steering.excluded = frozenset(part.strip() for part in value.split(",") if part.strip())
        case b"x-donut-session":
            steering.session = value or None
        case b"x-donut-deadline-ms":
            if not _MILLISECONDS.fullmatch(value):
                raise BadRequestError(
                    f"x-donut-deadline-ms must be a positive number of milliseconds, not {value!r}", "x-donut-deadline-ms"
                )
            steering.deadline_s = int(value) / 1000
        case b"x-donut-debug":
            steering.debug = value not in ("", "0", "false")
        case _:
            pass  # a newer donut's header, sent to this one: no reason to refuse


def _choice(name: bytes, value: str, choices: dict[str, T]) -> T:
    found = choices.get(value.lower())
    if found is None:
        header = name.decode("latin-1")
        raise BadRequestError(f"{header}: {value!r} is none of {', '.join(choices)}", header, "invalid_value")
    return found


def demand_for(dialect: str, ask: Ask, steering: Steering, serving: Serving) -> Demand | UnknownModel:
    """The demand, or the name that nobody serves."""
    target = serving.resolve(ask.model)
    if isinstance(target, UnknownModel):
        return target
    if steering.tier is not None and target.kind is TargetKind.TIER:
        # A header steers what is open; it never replaces a model that was named.
        target = Target(TargetKind.TIER, steering.tier.value, "x-donut-tier asked for it")
    return Demand(
        dialect=dialect,
        target=target,
        requested_model=ask.model,
        stream=ask.stream,
        capability_bits=ask.capability_bits,
        input_tokens_estimated=ask.input_tokens_estimated,
        output_tokens_estimated=min(ask.output_tokens_max or EXPECTED_OUTPUT_TOKENS, EXPECTED_OUTPUT_TOKENS),
        harness=harness_of(steering.user_agent),
        use_case=_USE_CASES.get(dialect, UseCase.CHAT),
        objective=steering.objective or objective_of(ask.model),
        local_preference=steering.local or serving.local_preference,
        excluded_providers=steering.excluded,
        affinity_key=steering.session or ask.session,
    )
