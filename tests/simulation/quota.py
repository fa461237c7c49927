"""An account's limits, as its vendor counts them: requests and tokens per rolling window, over all models of the account."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Window:
    """At most so much in any rolling `seconds`; None is no limit."""

    seconds: float
    requests: int | None = None
    tokens: int | None = None


@dataclass(slots=True)
class _Used:
    window: Window
    taken: deque[tuple[float, int]] = field(default_factory=deque)
    tokens: int = 0

    def wait_s(self, tokens: int, now_s: float) -> float:
        """Until `tokens` more would fit; 0.0 when they do now."""
        while self.taken and self.taken[0][0] <= now_s - self.window.seconds:
            self.tokens -= self.taken.popleft()[1]
        count, held, wait_s = len(self.taken), self.tokens, 0.0
        for time_s, freed in self.taken:
            if self._fits(count, held, tokens):
                break
            wait_s = time_s + self.window.seconds - now_s
            count, held = count - 1, held - freed
        return wait_s

    def _fits(self, count: int, held: int, tokens: int) -> bool:
        window = self.window
        fits_requests = window.requests is None or count < window.requests
        # One request above the whole limit is let through alone: no wait would ever help it.
        return fits_requests and (window.tokens is None or held == 0 or held + tokens <= window.tokens)

    def take(self, tokens: int, now_s: float) -> None:
        self.taken.append((now_s, tokens))
        self.tokens += tokens


class Allowance:
    def __init__(self, windows: tuple[Window, ...]) -> None:
        self._used = [_Used(window) for window in windows]

    def squeeze(self, windows: tuple[Window, ...]) -> None:
        """Other limits from now on; what was taken is forgotten."""
        self._used = [_Used(window) for window in windows]

    def take(self, tokens: int, now_s: float) -> float:
        """0.0 when the request is let in and counted, else the seconds after which it would be. A refused request costs nothing."""
        wait_s = max((used.wait_s(tokens, now_s) for used in self._used), default=0.0)
        if wait_s <= 0.0:
            for used in self._used:
                used.take(tokens, now_s)
        return wait_s
