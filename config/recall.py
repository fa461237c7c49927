"""What an earlier process remembered, taken from the journal at the start: which replica each conversation is with, and what idempotency
keys have tried. The rest is learned anew."""

from __future__ import annotations

import time
from dataclasses import replace

from proxy.checkpoints import CHECKPOINTS_MOST, TTL_S, Checkpoints
from proxy.journal.port import JournalStore
from routing.affinity import BINDINGS_MOST, Affinity


async def recall(store: JournalStore, affinity: Affinity, checkpoints: Checkpoints) -> None:
    """Fill both. Raises StoreError."""
    epoch_s, now_s = time.time(), time.monotonic()
    bindings = await store.bindings(epoch_s - affinity.ttl_s, BINDINGS_MOST)
    affinity.load((replace(binding, bound_at_s=now_s - (epoch_s - binding.bound_at_s)) for binding in bindings), now_s)
    checkpoints.load(await store.checkpoints(epoch_s - TTL_S, CHECKPOINTS_MOST), epoch_s, now_s)
