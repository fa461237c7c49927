"""The prompt cache of one place: which conversations it still knows the beginning of."""

from __future__ import annotations

from collections import OrderedDict

CLOUD_TTL_S = 300.0
"""The vendors' short cache lifetime."""
CACHEABLE_TOKENS = 1024
"""Vendors cache no shorter prompt."""


class Prefixes:
    def __init__(self, kept: int | None) -> None:
        """`kept`: how many conversations a local server remembers; None for a cloud, which forgets by time instead."""
        self._kept = kept
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def read(self, conversation: str, tokens: int, now_s: float) -> int:
        """How many of a prompt's tokens need no prefill."""
        known, seen_s = self._known.get(conversation, (0, now_s))
        is_fresh = self._kept is not None or now_s - seen_s <= CLOUD_TTL_S
        found = min(known, tokens) if is_fresh else 0
        return found if found >= CACHEABLE_TOKENS else 0

    def write(self, conversation: str, tokens: int, now_s: float) -> None:
        self._known.pop(conversation, None)
        self._known[conversation] = (tokens, now_s)
        while len(self._known) > (1000 if self._kept is None else self._kept):
            self._known.popitem(last=False)

    def forget(self) -> None:
        self._known.clear()
