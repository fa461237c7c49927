"""How much of the traffic may be retries. A count per request can not know that everyone is retrying; a share of the traffic does.

When an upstream fails for all, "three attempts each" makes three times the traffic of what could already not be served. A budget lets
every failure be retried while failures are rare, and stops the flood when they are not (Finagle's and tower's design). The floor is
there so that little traffic is not ruled by its own small numbers.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import NamedTuple

WINDOW_S = 10
"""tower's and Finagle's default: long enough to count on, short enough that a recovery is felt."""


@dataclass(frozen=True, slots=True)
class RetryLimits:
    share: float = 0.2
    """Retries per first attempt; tower's and Finagle's default."""
    min_per_second: float = 10.0
    """Retries that are always allowed: a person with ten agents never meets the budget, a thousand clients do."""


class BudgetSpent(NamedTuple):
    """No more retries for now. What is one: routing/failover.py."""

    tried_providers: Set[str]
    """Of this exchange."""
    words: str
    opens_at_s: float


class RetryWindow:
    """First attempts and retries of the last ten seconds, in slots of one second. Belief, so it outlives a reload of the limits."""

    __slots__ = ("_earlier", "_firsts", "_next_s", "_retries", "_second", "firsts", "retries")

    def __init__(self) -> None:
        self._firsts = [0] * WINDOW_S
        self._retries = [0] * WINDOW_S
        self._second = 0
        self._next_s = 1.0
        """When the next second begins."""
        self._earlier = 0
        """Of `firsts`, those before this second."""
        self.firsts = 0
        self.retries = 0

    def count_first(self, now_s: float) -> None:
        if now_s >= self._next_s:
            self._advance(int(now_s))
        self.firsts += 1

    def count_retry(self, now_s: float) -> None:
        self._advance(int(now_s))
        self._retries[int(now_s) % WINDOW_S] += 1
        self.retries += 1

    def allows(self, limits: RetryLimits, now_s: float) -> bool:
        """May one more attempt be a retry?"""
        self._advance(int(now_s))
        return self.retries < limits.min_per_second * WINDOW_S + limits.share * self.firsts

    def opens_at_s(self, now_s: float) -> float:
        """When the oldest second that holds retries leaves the window: the first moment at which there may be room."""
        self._advance(int(now_s))
        oldest = self._second - WINDOW_S + 1
        for second in range(oldest, self._second + 1):
            if self._retries[second % WINDOW_S]:
                return float(second + WINDOW_S)
        return now_s + 1.0

    def _advance(self, second: int) -> None:
        """Empty the slots of the seconds that went by. A clock that stands still or goes back empties none."""
        if second <= self._second:
            return
        self._firsts[self._second % WINDOW_S] = self.firsts - self._earlier
        for passed in range(max(self._second + 1, second - WINDOW_S + 1), second + 1):
            slot = passed % WINDOW_S
            self.firsts -= self._firsts[slot]
            self.retries -= self._retries[slot]
            self._firsts[slot] = self._retries[slot] = 0
        self._second, self._next_s, self._earlier = second, second + 1.0, self.firsts
