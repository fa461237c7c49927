"""How readily a request goes to a dearer tier: one choice that config makes for all of them."""

from __future__ import annotations

import enum


class Profile(enum.StrEnum):
    """The thresholds between tiers lie higher in `fast` and lower in `strong`. The figures are data, in the weights file."""

    FAST = "fast"
    BALANCED = "balanced"
    STRONG = "strong"


BALANCED = Profile.BALANCED
