"""Lifecycle events as they happen, for whoever listens to `GET /api/events`. Nobody listens, nothing is derived: the usual case is free.

An attempt is announced when it begins; everything else of an exchange follows when its record comes through the journal's queue.
Events are derived from the record both times (`routing.lifecycle`), and the hub counts how many of an exchange's have gone out.

Rules: a listener never slows anybody down. Each has a bounded queue; who falls behind gets what was waiting, then one event that says
so, and the end. Ids are of this process; a client that comes back with `Last-Event-ID` gets what it missed, as far as it is kept.
Everything here runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from proxy.journal.records import ExchangeRecord
from proxy.story import as_journaled
from routing.lifecycle import events_of, told

KEPT_EVENTS = 2048
"""For clients that come back. About 0.3 KB each (measured; many rejected candidates make it more): under 1 MB."""

WAITING_EVENTS = 1024
"""Per listener, besides what it missed. A burst of two hundred exchanges fits; a client that is further behind does not read."""

RESUME_S = 300.0
"""How long recording goes on after the last listener left: browsers and SDKs come back within seconds, laptops within minutes."""

LISTENERS_MAX = 64
PIECE_BYTES = 64 * 1024
"""What waits goes out in pieces of about this size: one write for many small events."""


class TooManyListenersError(Exception):
    """`LISTENERS_MAX` streams are open already."""


class Frame(NamedTuple):
    number: int
    data: bytes


class EventHub:
    """Between the exchanges and the listeners. One per process."""

    def __init__(
        self,
        now: Callable[[], float],
        model_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """`now` is monotonic seconds; `model_of` knows a replica's logical model."""
        self.is_recording = False
        """Is an exchange to announce its attempts? Read on the hot path, so it is a plain attribute."""
        self._now = now
        self._model_of = model_of
        self._log: Callable[[dict[str, Any]], None] | None = None
        self._epoch = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._kept: deque[Frame] = deque(maxlen=KEPT_EVENTS)
        self._listeners: set[Listener] = set()
        self._told: dict[str, int] = {}
        """Exchange id → events that went out while it was open. Every exchange has an end, so the table is as long as they are many."""
        self._forget_at = 0.0

    def log_to(self, log: Callable[[dict[str, Any]], None]) -> None:
        """Hand every event to `log` from now on, as `routing.lifecycle.told` has it, whether anybody listens or not."""
        self._log = log
        self.is_recording = True

    # What happens

    def attempt_began(self, record: ExchangeRecord) -> None:
        """`record`'s last attempt is about to be sent. To be called while `is_recording`; else it is harmless and costs."""
        self._tell(record, is_open=True)

    def finished(self, records: Iterable[ExchangeRecord]) -> None:
        """These exchanges have ended; their decisions are in words (`ExchangeRecord.describe`). Each exactly once."""
        if not self.is_recording:
            return
        for record in records:
            self._tell(record, is_open=False)
            self._told.pop(record.id, None)
        self._fall_asleep()

    def _tell(self, record: ExchangeRecord, *, is_open: bool) -> None:
        story = as_journaled(record)
        for attempt in story["attempts"]:
            attempt["logical_model_id"] = self._model_of(attempt["replica_id"])
        events = events_of(story, is_open=is_open)
        begin = self._told.get(record.id, 0)
        self._told[record.id] = len(events)
        for event in events[begin:]:
            self._publish({**told(event), "id": record.id, "request_id": record.request_id})

    def announce(self, name: str, said: Mapping[str, Any]) -> None:
        """Something happened that belongs to no exchange: an agent beside donut began to work, say. Plain values."""
        if self.is_recording:
            self._publish({"event": name, **said})

    def _publish(self, said: dict[str, Any]) -> None:
        if self._log is not None:
            self._log(said)
        number = next(self._numbers)
        frame = Frame(number, _frame(said["event"], said, f"{self._epoch}-{number}"))
        self._kept.append(frame)
        for listener in tuple(self._listeners):  # who falls behind leaves the set meanwhile
            listener.offer(frame)

    def _fall_asleep(self) -> None:
        """Stop recording when nobody has listened for a while: an old `Last-Event-ID` then finds a gap, and is told so."""
        if self._listeners or self._log is not None or self._now() < self._forget_at:
            return
        self.is_recording = False
        self._kept.clear()
        self._told.clear()

    # Who listens

    def listen(self, last_event_id: str | None = None) -> Listener:
        """A new listener, with what it missed since `last_event_id`. Raises TooManyListenersError."""
        if len(self._listeners) >= LISTENERS_MAX:
            raise TooManyListenersError
        listener = Listener(self._missed(last_event_id), self._left)
        self._listeners.add(listener)
        self.is_recording = True
        return listener

    def _left(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        self._forget_at = self._now() + RESUME_S

    def _missed(self, last_event_id: str | None) -> Sequence[Frame]:
        if not last_event_id:
            return ()
        epoch, _, number = last_event_id.partition("-")
        is_ours = epoch == self._epoch and number.isascii() and number.isdigit()
        seen = int(number[:18]) if is_ours else 0
        missed = [frame for frame in self._kept if frame.number > seen]
        first = self._kept[0].number if self._kept else None
        is_whole = is_ours and first is not None and seen + 1 >= first
        if is_whole:
            return missed
        why = "donut was restarted" if epoch != self._epoch else "they are no longer kept"
        return [Frame(0, _frame("EventsMissed", {"because": why, "last_event_id": last_event_id[:64]})), *missed]


class Listener:
    """One open stream's queue."""

    def __init__(self, missed: Sequence[Frame], on_close: Callable[[Listener], None]) -> None:
        self._waiting: deque[bytes] = deque(frame.data for frame in missed)
        self._limit = WAITING_EVENTS + len(missed)
        self._on_close = on_close
        self._wake = asyncio.Event()
        self._is_over = False
        if self._waiting:
            self._wake.set()

    def offer(self, frame: Frame) -> None:
        if self._is_over:
            return
        if len(self._waiting) >= self._limit:
            self.end("this client reads too slowly; come back with Last-Event-ID")
            return
        self._waiting.append(frame.data)
        self._wake.set()

    def end(self, because: str) -> None:
        """Deliver what waits, say why there is no more, and end."""
        if self._is_over:
            return
        self._waiting.append(_frame("EventStreamEnded", {"because": because}))
        self.close()

    def close(self) -> None:
        """Nothing more comes in. Safe to call again."""
        if not self._is_over:
            self._is_over = True
            self._on_close(self)
        self._wake.set()

    async def next(self, patience_s: float) -> bytes | None:
        """The frames that wait, joined; a comment when none came within `patience_s`; None at the end."""
        if not self._waiting and not self._is_over:
            self._wake.clear()
            try:
                async with asyncio.timeout(patience_s):
                    await self._wake.wait()
            except TimeoutError:
                return b": still here\n\n"
        if not self._waiting:
            return None
        pieces: list[bytes] = []
        size = 0
        while self._waiting and size < PIECE_BYTES:
            pieces.append(self._waiting.popleft())
            size += len(pieces[-1])
        return b"".join(pieces)


def _frame(name: str, data: dict[str, Any], id_: str | None = None) -> bytes:
    """One event of a text/event-stream. JSON of orjson has no line break in it."""
    lines = [f"id: {id_}".encode()] if id_ is not None else []
    lines += [f"event: {name}".encode(), b"data: " + orjson.dumps(data, default=str)]
    return b"\n".join(lines) + b"\n\n"
