"""How a replica stands with its limits, as rankings see it: shares of what is left, in steps."""

from __future__ import annotations

import math
from typing import NamedTuple

from routing.headroom.types import Unit

EVEN_PACE = 0.5
PACE_STEPS = 16

NANO_PER_PRICE = 1000
"""USD per 1M tokens → billionths of a USD per token."""

ROOMY = 1 << 40
"""Tokens: more than any request."""


class Rates(NamedTuple):
    """What a token costs at a replica, in billionths of a USD."""

    per_input: float = 0.0
    per_output: float = 0.0
    is_known: bool = True
    is_plain: bool = True
    """False where the price depends on more than the number of tokens."""

    @property
    def dearest(self) -> float:
        return max(self.per_input, self.per_output) if self.is_plain else math.inf


class WindowLeft(NamedTuple):
    """One window of a replica, in shares of its whole."""

    share: float
    per_input_token: float = 0.0
    per_output_token: float = 0.0


class Standing(NamedTuple):
    share: float = 1.0
    """What is left in its tightest window, without what is spared."""
    windows: tuple[WindowLeft, ...] = ()
    pace: float = EVEN_PACE
    """`pacing.pace_of` of the window that is furthest ahead of its pace."""

    def after(self, input_tokens: int, output_tokens: int) -> float:
        """What would be left in the tightest window after a request of this size, as a share."""
        if not self.windows:
            return self.share
        left = min([share - input_tokens * per_input - output_tokens * per_output for share, per_input, per_output in self.windows])
        return left if left > 0.0 else 0.0


FULL = Standing()
"""Unmetered, or nothing known."""


def standing_of(windows: list[WindowLeft], pace: float | None) -> Standing:
    """`pace`: None where no window has one."""
    if not windows:
        return FULL
    stepped = EVEN_PACE if pace is None else round(pace * PACE_STEPS) / PACE_STEPS
    return Standing(min(window.share for window in windows), tuple(windows), stepped)


def window_left(unit: Unit, share: float, most: int, rates: Rates, per_token: float) -> WindowLeft:
    """`most` counted; `per_token`: SHARE, counted parts."""
    match unit:
        case Unit.TOKENS:
            return WindowLeft(share, 1 / most, 1 / most)
        case Unit.INPUT_TOKENS:
            return WindowLeft(share, 1 / most)
        case Unit.OUTPUT_TOKENS:
            return WindowLeft(share, 0.0, 1 / most)
        case Unit.COST:
            return WindowLeft(share, rates.per_input / most, rates.per_output / most)
        case Unit.SHARE:
            return WindowLeft(share, per_token / most, per_token / most)
        case Unit.REQUESTS:
            return WindowLeft(share)


def tokens_in(unit: Unit, left: int, rates: Rates, per_token: float = 0.0) -> int:
    """Tokens that surely fit into what is left, whatever their mix of input and output."""
    match unit:
        case Unit.REQUESTS:
            return ROOMY if left >= 1 else 0
        case Unit.COST | Unit.SHARE:
            dearest = rates.dearest if unit is Unit.COST else per_token
            if not dearest:
                return ROOMY if unit is Unit.COST or left >= 1 else 0
            return max(0, int(left / dearest) - 1)
        case _:
            return max(0, left)
