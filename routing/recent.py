"""A table of what was lately said: bounded, and each entry forgotten a while after it was put. No clock: time comes in as `now_s`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    def __init__(self, most: int, ttl_s: float) -> None:
        """Keep at most `most` entries, each for `ttl_s` seconds from when it was put last; the oldest goes first."""
        self._most = most
        self._ttl_s = ttl_s
        self._entries: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K, now_s: float) -> V | None:
        found = self._entries.get(key)
        return found[0] if found is not None and now_s - found[1] < self._ttl_s else None

    def put(self, key: K, value: V, now_s: float) -> None:
        self._entries[key] = (value, now_s)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget `key`, if it is known."""
        self._entries.pop(key, None)
