"""What all exchanges share: the clocks, the ids, the journal, and how many of them there are."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from proxy.deadlines import Deadlines
from proxy.events import EventHub
from proxy.journal.records import ExchangeRecord
from proxy.keepalive import KeepAlives
from proxy.serving import Serving
from proxy.shared.port import Shared


class Gateway:
    """One per process. `serving` is replaced on reload; everything else stays."""

    def __init__(
        self,
        serving: Serving,
        put: Callable[[ExchangeRecord], None],
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`put` takes a finished record and never blocks. `now` measures durations and survives a clock step; `wall` dates records."""
        self.serving = serving
        self.put = put
        self.now = now
        self.wall = wall
        self.deadlines = Deadlines(now)
        self.keepalives = KeepAlives(now)
        self.events = EventHub(now, self._model_of)
        self.shared: Shared | None = None
        """What several workers share, where they do."""
        self.in_flight = 0
        self.draining = 0
        """Answers being read to their end for accounting only, their clients gone."""
        self._id_prefix = secrets.token_hex(6)
        self._id_count = 0

    def _model_of(self, replica_id: str) -> str | None:
        replica = self.serving.router.catalog.replicas.get(replica_id)
        return replica.logical_model_id if replica is not None else None

    def next_id(self) -> str:
        """A decision id: unique across processes, ordered within one. Not a secret: the API that takes it wants a key."""
        self._id_count += 1
        return f"{self._id_prefix}-{self._id_count:06x}"
