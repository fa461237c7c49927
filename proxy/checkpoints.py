"""Where a failed request had got to, under its idempotency key: sent again, it goes on with the replicas that it has not tried.

An entry is made by an exchange that failed, and spent by one that succeeds. When every replica has been tried, the plan begins anew.
Entries survive a restart: the journal keeps the digests of keys beside the attempts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from routing.recent import Recent
from routing.types import Demand

TTL_S = 3600.0
"""A replica that failed an hour ago deserves another try; clients that retry do so within minutes."""

CHECKPOINTS_MOST = 10_000
KEY_BYTES = 512
"""Longer keys are used by their first bytes, as any other: UUIDs are the rule."""


class Checkpoint(NamedTuple):
    """As the journal tells it: one attempt of an exchange that carried a key, or its success."""

    key: str
    replica_id: str | None
    is_success: bool
    ended_at: float
    """Seconds since the epoch."""


class Checkpoints:
    def __init__(self, most: int = CHECKPOINTS_MOST, ttl_s: float = TTL_S) -> None:
        self._tried: Recent[str, frozenset[str]] = Recent(most, ttl_s)

    def tried(self, key: str | None, now_s: float) -> frozenset[str]:
        """The replicas that have failed under `key`."""
        return (self._tried.get(key, now_s) or frozenset()) if key is not None else frozenset()

    def keep(self, key: str, tried: frozenset[str], now_s: float) -> None:
        """An exchange under `key` failed on `tried`, those of earlier exchanges included."""
        if tried:
            self._tried.put(key, tried, now_s)

    def spend(self, key: str) -> None:
        """It was answered, or the plan is to begin anew."""
        self._tried.drop(key)

    def load(self, checkpoints: Iterable[Checkpoint], epoch_s: float, now_s: float) -> None:
        """Take over what the journal remembers, oldest first. `epoch_s` and `now_s` are the same moment on the two clocks."""
        for checkpoint in checkpoints:
            then_s = now_s - (epoch_s - checkpoint.ended_at)
            if checkpoint.is_success:
                self.spend(checkpoint.key)
            elif checkpoint.replica_id is not None:
                self.keep(checkpoint.key, self.tried(checkpoint.key, then_s) | {checkpoint.replica_id}, then_s)


class Resumption:
    """Of one exchange that came with an idempotency key: it goes on where an earlier one stopped."""

    def __init__(self, checkpoints: Checkpoints, key: str, now_s: float) -> None:
        self._checkpoints = checkpoints
        self._key = key
        self.tried = checkpoints.tried(key, now_s)
        """Replicas that failed under the key before, and are not to be tried again."""

    def noted(self, demand: Demand) -> Demand:
        if not self.tried:
            return demand
        note = f"an earlier request with this idempotency-key failed on {', '.join(sorted(self.tried))}: the others come first"
        return demand._replace(notes=(*demand.notes, note))

    def begin_anew(self) -> frozenset[str]:
        """All were tried under the key. Returns those that are not to be tried now: none."""
        self.tried = frozenset()
        return self.tried

    def end(self, failed: Iterable[str], now_s: float, *, is_answered: bool) -> None:
        """`failed` are the replicas that failed just now."""
        if is_answered:
            self._checkpoints.spend(self._key)
        else:
            self._checkpoints.keep(self._key, self.tried.union(failed), now_s)


def checkpoint_key(idempotency_key: bytes | None, client: str | None) -> str | None:
    """The digest under which a client's key is remembered: scoped by the client, and unreadable in the journal."""
    if not idempotency_key:
        return None
    owner = (client or "").encode()
    return hashlib.sha256(b"%d:%b%b" % (len(owner), owner, idempotency_key[:KEY_BYTES])).hexdigest()[:32]
