"""What a provider last said of one of its limits, and what donut has sent there since.

What was open when the provider spoke is taken as counted by it; what is sent later is not. So between two answers the figure may be too
high by the outputs of what was open then: the next answer corrects it, and a 429 says so before.

A report is believed until its reset. One that says "nothing left" is believed for an hour at most and then tried again: resets of
eighteen days have been seen (CLIProxyAPI 5770), and vendors give allowances back early.
"""

from __future__ import annotations

from typing import NamedTuple

from routing.headroom.counters import HELD_FREES_S, is_step, surely_left
from routing.headroom.limits import PER_UNIT, SLOT, Amounts, counted, worded
from routing.headroom.types import ReportedLimit, ReportedScope, Unit

BELIEVED_S = 3600.0
"""As `health.RATE_LIMIT_CAP_S`, and for the same reason."""

SPENT_WITHOUT_RESET_S = 60.0
"""A provider that says "used up" and not until when: most such limits are per minute."""

UNSPOKEN_S = 300.0
"""How long a figure without a reset holds: nearly all such are per minute, and belief must not outlive what it is about."""

REFILL_TOLERANCE = 0.1
"""Of the window. A token bucket's reset is proportional to what is used (OpenAI, Groq: "time until whole"); a fixed window's is not."""

RATE_SMOOTHING = 0.3
SAME_RESET_S = 60.0
"""Two reports are about the same window when their resets are not further apart."""

SHARE_PARTS = PER_UNIT[Unit.SHARE]


class ReportKey(NamedTuple):
    name: str
    unit: Unit
    scope: ReportedScope


class Report:
    """One limit of one account or replica. `take` brings it up to date."""

    __slots__ = (
        "at_s", "base", "held", "is_spent", "key", "most", "noted", "per_token", "refill_per_s", "slot", "spent", "spent_tokens",
        "until_s", "version",
        "was_refused", "window_s",
    )  # fmt: skip

    def __init__(self, key: ReportKey) -> None:
        self.key = key
        self.slot = SLOT.get(key.unit)
        """None for SHARE."""
        self.most: int | None = None
        self.base = 0
        """What was left when it was told; counted."""
        self.spent = 0
        self.spent_tokens = 0
        self.held = 0
        """Both: of what was sent since."""
        self.version = 0
        self.at_s = 0.0
        self.until_s = 0.0
        self.window_s: float | None = None
        self.is_spent = False
        self.was_refused = False
        """Did the provider turn a request away because of it?"""
        self.refill_per_s = 0.0
        self.per_token = 0.0
        """SHARE: learned from one report to the next, in counted parts."""
        self.noted = -1

    def take(self, limit: ReportedLimit, now_s: float) -> bool:
        """False where it says nothing, or where an earlier refusal still holds: the later deadline wins."""
        left = _left(limit)
        if left is None:
            return False
        until_s = now_s + _lasts_s(limit)
        if self.was_refused and now_s < self.ends_s:
            if limit.is_spent:
                self.until_s, self.at_s = max(self.until_s, until_s), now_s
            return False
        self._learn(limit.unit, left, until_s)
        self.most = _most(limit) or self.most
        self.base, self.spent, self.spent_tokens, self.held = left, 0, 0, 0
        self.version += 1
        self.at_s, self.until_s, self.window_s = now_s, until_s, limit.window_s
        self.was_refused, self.is_spent = limit.is_spent, left <= 0
        self.refill_per_s = self._refill(limit)
        return True

    @property
    def ends_s(self) -> float:
        """Until when gates believe it."""
        return min(self.until_s, self.at_s + BELIEVED_S) if self.is_spent else self.until_s

    def left(self, now_s: float) -> int:
        """Counted. Only for a report that has not ended."""
        left = self.base - self.spent - self.held
        if self.refill_per_s:
            left += int(self.refill_per_s * (now_s - self.at_s))
        return left if self.most is None else min(left, self.most)

    def share(self, now_s: float) -> float | None:
        """Of the whole; None when the provider did not say how much that is."""
        return max(0.0, self.left(now_s) / self.most) if self.most else None

    def needed(self, amounts: Amounts) -> int:
        """At least 1: with nothing left, nothing fits."""
        if self.slot is None:
            return max(1, round(self.per_token * amounts.tokens))
        return max(1, int(amounts[self.slot]))

    def frees_at_s(self, needed: int, now_s: float) -> float:
        if self.refill_per_s:
            wait_s = max(0.0, (needed - self.left(now_s)) / self.refill_per_s)
            return min(self.ends_s, now_s + wait_s)
        return self.ends_s if self.base - self.spent < needed else now_s + HELD_FREES_S

    def hold(self, amounts: Amounts) -> int:
        """How much it is of this limit."""
        amount = round(self.per_token * amounts.tokens) if self.slot is None else int(amounts[self.slot])
        self.held += amount
        return amount

    def settle(self, version: int, held: int, used: Amounts) -> None:
        """What was sent before the newest report is in its figure already."""
        if version == self.version:
            self.held -= held
            self.spent += round(self.per_token * used.tokens) if self.slot is None else int(used[self.slot])
            self.spent_tokens += used.tokens

    @property
    def may_have_stepped(self) -> bool:
        """Was enough taken since the last look for `has_stepped` to say so? Quick, and it sees no refill."""
        return self.base - self.spent - self.held < surely_left(self.noted)

    def has_stepped(self, now_s: float) -> bool:
        left = self.left(now_s)
        if not is_step(self.noted, left):
            return False
        self.noted = max(0, left)
        return True

    def refusal(self, needed: int, left: int, spared: int) -> str:
        unit = self.key.unit
        whole = f" of {worded(unit, self.most)}" if self.most is not None and unit is not Unit.SHARE else ""
        spare = f", {worded(unit, spared)} kept for its owner" if spared else ""
        return f"{self.key.name}: {worded(unit, max(0, left))}{whole} left by the provider's word{spare}, {worded(unit, needed)} needed"

    def _refill(self, limit: ReportedLimit) -> float:
        """Counted parts per second, where the figures are those of a token bucket."""
        if self.most is None or self.slot is None or limit.window_s is None or not limit.resets_in_s or self.is_spent:
            return 0.0
        expected_s = (1.0 - self.base / self.most) * limit.window_s
        if abs(limit.resets_in_s - expected_s) > REFILL_TOLERANCE * limit.window_s:
            return 0.0
        return (self.most - self.base) / limit.resets_in_s

    def _learn(self, unit: Unit, left: int, until_s: float) -> None:
        """SHARE: what a token costs of it."""
        if unit is not Unit.SHARE or not self.version or abs(until_s - self.until_s) > SAME_RESET_S or not self.spent_tokens:
            return
        seen = max(0.0, (self.base - left) / self.spent_tokens)
        known, self.per_token = self.per_token, seen if not self.per_token else self.per_token + RATE_SMOOTHING * (seen - self.per_token)
        if self.per_token > known:
            self.noted = -1  # less fits than rankings believe


def _left(limit: ReportedLimit) -> int | None:
    if limit.is_spent:
        return 0
    if limit.left is not None:
        return max(0, int(limit.left * PER_UNIT.get(limit.unit, 1)))
    if limit.left_share is None:
        return None
    share = min(1.0, max(0.0, limit.left_share))
    if limit.unit is Unit.SHARE:
        return int(share * SHARE_PARTS)
    return int(share * counted(limit.unit, limit.most)) if limit.most is not None else None


def _most(limit: ReportedLimit) -> int | None:
    if limit.unit is Unit.SHARE:
        return SHARE_PARTS
    return counted(limit.unit, limit.most) if limit.most else None


def _lasts_s(limit: ReportedLimit) -> float:
    if limit.resets_in_s is not None:
        return max(0.0, limit.resets_in_s)
    if limit.is_spent:
        return SPENT_WITHOUT_RESET_S
    return min(UNSPOKEN_S, limit.window_s) if limit.window_s else UNSPOKEN_S
