"""What a router decides by: the criteria that there are, and how the config tunes them. Both are replaced whole, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from routing.factors import Factor
from routing.gates import Gate
from routing.headroom.limits import NO_LIMITS, Limits
from routing.retry import RetryLimits
from routing.selectors import Selector
from routing.types import ModelTier


@dataclass(frozen=True, slots=True)
class Criteria:
    """Who may answer, who does it better, and what is best where several opinions meet."""

    gates: tuple[Gate, ...]
    factors: tuple[Factor, ...]
    selectors: tuple[Selector, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuning:
    """What people say of it; as donut is shipped where they say nothing."""

    weights: Mapping[str, float] = field(default_factory=dict)
    """In place of the factors' own, by name."""
    profile: str = "balanced"
    """One of `routing.selectors.PROFILES`."""
    retry: RetryLimits = field(default_factory=RetryLimits)
    quality_floors: Mapping[ModelTier, float] | None = None
    """In place of those of the gate, tier by tier."""
    limits: Limits = NO_LIMITS
    """In place of those that the fleet had; what was counted stays."""


AS_SHIPPED = Tuning()
