"""How much cost, speed and quality count for an objective: what `/route` shows as `weights`. Read off the selector that ranks by it."""

from __future__ import annotations

import math

from routing.selectors import PROFILES, Axes, Selector

# Three candidates, each the best in one respect and the worst in the others: what each merits is that axis's weight.
_ONE_EACH = Axes(cost=(1.0, 0.0, 0.0), speed=(0.0, 1.0, 0.0), quality=(0.0, 0.0, 1.0))


def axis_weights(selector: Selector | None, profile: str) -> dict[str, float] | None:
    """Axis → weight, 1 in sum; None for a selector that does not weigh (a Pareto front)."""
    if selector is None:
        return None
    merits = selector.merit(_ONE_EACH, PROFILES[profile])
    if not math.isclose(sum(merits), 1.0, abs_tol=1e-6):
        return None
    return {axis: round(merit, 4) for axis, merit in zip(Axes._fields, merits, strict=True)}
