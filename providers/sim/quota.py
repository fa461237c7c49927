"""A replica's quota: at most so many requests in any rolling minute. Pure; time enters as `now_s`."""

from __future__ import annotations

from collections import deque

from providers.transport.port import Headers

WINDOW_S = 60.0


class Quota:
    """Remembers the start of each accepted request of the last minute; refused ones cost nothing."""

    def __init__(self, requests_per_minute: int) -> None:
        self.limit = requests_per_minute
        self._starts: deque[float] = deque()

    def take(self, now_s: float) -> bool:
        """Use one request of the quota; False when none is left."""
        self._forget(now_s)
        if len(self._starts) >= self.limit:
            return False
        self._starts.append(now_s)
        return True

    def remaining(self, now_s: float) -> int:
        self._forget(now_s)
        return self.limit - len(self._starts)

    def seconds_until_free(self, now_s: float) -> float:
        """Seconds until `take` succeeds again; 0 when it does now."""
        self._forget(now_s)
        if len(self._starts) < self.limit:
            return 0.0
        # A quota of zero never frees anything; a minute is then as good an answer as any.
        return self._starts[0] + WINDOW_S - now_s if self._starts else WINDOW_S

    def headers(self, now_s: float) -> Headers:
        """What OpenAI tells about the request limit, in its own words; the reset is when the oldest request falls out."""
        remaining = self.remaining(now_s)
        reset_s = self._starts[0] + WINDOW_S - now_s if self._starts else 0.0
        return [
            (b"x-ratelimit-limit-requests", str(self.limit).encode()),
            (b"x-ratelimit-remaining-requests", str(remaining).encode()),
            (b"x-ratelimit-reset-requests", f"{reset_s:.3f}s".encode()),
        ]

    def _forget(self, now_s: float) -> None:
        while self._starts and self._starts[0] <= now_s - WINDOW_S:
            self._starts.popleft()
