"""What all exchanges share: the clocks, the ids, the journal, and how many of them there are."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from itertools import count

from proxy.deadlines import Deadlines
from proxy.events import EventHub
from proxy.journal.records import ExchangeRecord
from proxy.keepalive import KeepAlives
from proxy.open_exchanges import OpenExchanges
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
        self.exchanges = OpenExchanges(now)
        self._id_format = secrets.token_hex(6) + "-%06x"
        self._ids = count(1)

    @property
    def in_flight(self) -> int:
        return len(self.exchanges)

    @property
    def draining(self) -> int:
        """Answers being read to their end for accounting only, their clients gone."""
        return self.exchanges.draining

    def _model_of(self, replica_id: str) -> str | None:
        replica = self.serving.router.catalog.replicas.get(replica_id)
        return replica.logical_model_id if replica is not None else None

    def next_id(self) -> str:
        """A decision id: unique across processes, ordered within one. Not a secret: the API that takes it wants a key."""
        return self._id_format % next(self._ids)
