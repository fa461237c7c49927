"""How a long window is made to last: a part of it may take only so many times its even share.

A rolling week of 700 and a pace of 2 means at most 200 in any rolling day: four busy days, not one Monday. Whoever would exceed the pace is
asked only where nobody else can answer, so pacing never refuses anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from routing.headroom.limits import Limit, OnExceed
from routing.headroom.types import WINDOW_S, Window

PACED_BY: Mapping[Window, Window] = {
    Window.HOUR: Window.MINUTE,
    Window.FIVE_HOURS: Window.HOUR,
    Window.DAY: Window.HOUR,
    Window.WEEK: Window.DAY,
    Window.MONTH: Window.DAY,
}
"""Window → the part of it that is held to its pace: what a person would call a burst of it."""


def paced(limit: Limit) -> Limit | None:
    """The soft limit that keeps `limit` to its pace; None where it has none, or where the part may take all."""
    part = PACED_BY.get(limit.window)
    if limit.pace is None or part is None or limit.on_exceed is OnExceed.ALERT:
        return None
    share = limit.pace * WINDOW_S[part] / WINDOW_S[limit.window]
    if share >= 1.0:
        return None
    return replace(
        limit, window=part, most=limit.most * share, source=f"{limit.source} (pace {limit.pace:g})", pace=None, alert_at=(), calendar=False
    )


def pace_of(left_share: float, resets_in_s: float, window_s: float) -> float:
    """From 0.0 (used up long before its reset) over 0.5 (as even use would have it) to 1.0 (whole, and about to be made whole again).

    One number says both: hold back what goes too fast, and use first what would otherwise expire unused.
    """
    remaining = min(1.0, max(0.0, resets_in_s / window_s)) if window_s > 0 else 1.0
    return min(1.0, max(0.0, 0.5 + 0.5 * (left_share - remaining)))
