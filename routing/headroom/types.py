"""Words for limits and for what providers report about theirs. Values only."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Window(enum.StrEnum):
    """A rolling window. `WINDOW_S` has the lengths."""

    REQUEST = "request"
    """No window: each request by itself."""
    MINUTE = "minute"
    HOUR = "hour"
    FIVE_HOURS = "5h"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


WINDOW_S = {
    Window.REQUEST: 0.0,
    Window.MINUTE: 60.0,
    Window.HOUR: 3600.0,
    Window.FIVE_HOURS: 18_000.0,
    Window.DAY: 86_400.0,
    Window.WEEK: 604_800.0,
    Window.MONTH: 2_592_000.0,
}
"""Seconds. A month is 30 days unless a limit says that it follows the calendar."""


class Unit(enum.StrEnum):
    """What a limit counts."""

    TOKENS = "tokens"
    """Input and output together."""
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    REQUESTS = "requests"
    COST = "cost"
    """USD."""
    SHARE = "share"
    """Part of an allowance whose size the vendor does not tell: a subscription's used percent."""


class Confidence(enum.StrEnum):
    """Where a figure comes from, most believed first."""

    HEADER = "header"
    """The provider said so."""
    COUNTED = "counted"
    """donut counted it from reported usage."""
    ESTIMATED = "estimated"


class ReportedScope(enum.StrEnum):
    """Whom a provider's limit binds."""

    ACCOUNT = "account"
    """Every replica of the provider."""
    MODEL = "model"
    """Only the replica that was asked."""


class ReportedLimit(NamedTuple):
    """One limit as a provider reported it with one answer. Whatever it did not say is None."""

    name: str
    """The provider's own word: `requests`, `tokens-minute`, `5h`, `primary`, `premium_models`."""
    unit: Unit
    scope: ReportedScope = ReportedScope.ACCOUNT
    window_s: float | None = None
    most: float | None = None
    """The whole allowance, in `unit`."""
    left: float | None = None
    """What remains, in `unit`."""
    left_share: float | None = None
    """What remains of the whole, in [0, 1]; told by those who report used percent."""
    resets_in_s: float | None = None
    """Seconds from the answer to the moment when it is whole again."""
    is_spent: bool = False
    """The provider refused because of it: nothing is left, whatever the figures say."""
