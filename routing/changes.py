"""A bounded log of whose state changed: what lets a ranking be kept instead of made anew for every request."""

from __future__ import annotations

from collections.abc import Collection, Mapping

KEPT = 1024
"""Entries that are kept at least. Whoever missed more looks at everyone again, which is not slower by then."""


class ChangeLog:
    """`version` counts all entries there ever were."""

    __slots__ = ("_forgotten", "_ids", "version")

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._forgotten = 0
        self.version = 0

    def add(self, replica_id: str) -> None:
        ids = self._ids
        ids.append(replica_id)
        self.version += 1
        if len(ids) >= 2 * KEPT:
            del ids[:KEPT]
            self._forgotten += KEPT

    def since(self, version: int, positions: Mapping[str, int]) -> Collection[int]:
        """The positions of those that changed after `version`, each once; all of them when that is too long ago."""
        first = version - self._forgotten
        if first < 0:
            return range(len(positions))
        return {positions[id_] for id_ in self._ids[first:] if id_ in positions}
