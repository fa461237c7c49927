"""From the name in `model` to what it stands for. Explicit names stay what they are; hints are what config declares to be hints.

Order: config's rewrites, then `auto`, tiers and `policy:NAME`, then a replica id, a served logical model, an alias of one, a policy's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from routing.types import Catalog, ModelTier, Objective, Target, TargetKind

PREFIX = "donut/"
"""Harnesses that want `provider/model` get the same names under this prefix."""

AUTO = "auto"
POLICY_PREFIX = "policy:"
OBJECTIVES = {"cost": Objective.COST, "speed": Objective.SPEED, "quality": Objective.QUALITY}
NAMES_THAT_STEER: tuple[str, ...] = (AUTO, *(f"{AUTO}:{wish}" for wish in OBJECTIVES), *(tier.value for tier in ModelTier))

SHOWN = 12
"""Names that an error lists: enough to find a typo, few enough to read."""


@dataclass(frozen=True, slots=True)
class UnknownModel:
    """Nothing is served under this name. `nearest` are served names that look like it, best first."""

    name: str
    nearest: tuple[str, ...]
    served: tuple[str, ...]


def resolve(name: str, catalog: Catalog) -> Target | UnknownModel:
    """What `name` stands for in `catalog`."""
    plain = name.removeprefix(PREFIX)
    for pattern, replacement in catalog.rewrites:
        if fnmatchcase(plain, pattern):
            target = _served(replacement.removeprefix(PREFIX), catalog, f"config rewrites {pattern} to {replacement}")
            return target or unknown(replacement, catalog)
    return _served(plain, catalog, "the client named it") or unknown(name, catalog)


def objective_of(name: str) -> Objective:
    """The objective that a steering name carries: `auto:quality` → quality."""
    _, colon, wish = name.removeprefix(PREFIX).partition(":")
    return OBJECTIVES.get(wish, Objective.AUTO) if colon else Objective.AUTO


def _served(name: str, catalog: Catalog, because: str) -> Target | None:
    if name in NAMES_THAT_STEER:
        return Target(TargetKind.AUTO, AUTO, because) if name.startswith(AUTO) else Target(TargetKind.TIER, name, because)
    if name.startswith(POLICY_PREFIX) and name.removeprefix(POLICY_PREFIX) in catalog.policies:
        return Target(TargetKind.POLICY, name.removeprefix(POLICY_PREFIX), because)
    if name in catalog.replicas:
        return Target(TargetKind.REPLICA, name, because)
    if name in catalog.replicas_by_model:
        return Target(TargetKind.MODEL, name, because)
    alias = catalog.aliases.get(name)
    if alias is not None and alias in catalog.replicas_by_model:
        return Target(TargetKind.MODEL, alias, f"{because}; {name} is another name of {alias}")
    # Last: a policy's name must not hide a model of the same name.
    return Target(TargetKind.POLICY, name, because) if name in catalog.policies else None


def unknown(name: str, catalog: Catalog) -> UnknownModel:
    served = sorted(catalog.replicas_by_model)
    nearest = get_close_matches(name, [*served, *catalog.replicas], n=3, cutoff=0.5)
    return UnknownModel(name, tuple(nearest), tuple(served[:SHOWN]))
