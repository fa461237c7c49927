"""The transport of the simulated fleet: the same port as the network's, answered in-process, without sockets.

Rules: the same request is answered with the same bytes; nothing is generated before it is read, so a slow reader costs nothing; time
enters through `clock` and `sleep`, so a test needs no real second. Deadlines count as on a network: too slow is STALLED.
Counterpart: `fleet.py` says who answers, `reply.py` what, `wire_format.py` in which bytes.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator

import orjson

from providers.sim.fleet import FLEET, SimReplica, find
from providers.sim.quota import Quota
from providers.sim.reply import reply_to_chat, reply_to_prompt
from providers.sim.request import Asked, RequestError, context_too_long, read_request
from providers.sim.wire_format import (
    CREATED_S,
    Paced,
    chat_body,
    chat_events,
    completion_body,
    completion_events,
    embeddings_body,
)
from providers.transport.port import Answer, Deadlines, Headers, Timings, TransportError, UpstreamRequest, pump_by_reading
from routing.facts import FailureKind

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]

_JSON: Headers = [(b"content-type", b"application/json")]
_EVENTS: Headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
_DIALECT_BY_PATH = (("/chat/completions", "chat"), ("/completions", "completions"), ("/embeddings", "embeddings"))
"""The longer path first: one ends with the other."""


class _Pace:
    """Waits until a moment of one request, in seconds since it was sent, and keeps the request's deadlines."""

    def __init__(self, clock: Clock, sleep: Sleep, deadlines: Deadlines) -> None:
        self._clock = clock
        self._sleep = sleep
        self._started_s = clock()
        self._total_s = deadlines.total_s

    async def until(self, due_s: float, limit_s: float | None) -> None:
        """Sleep until `due_s`; at least one turn of the loop, so that a fast reader starves nobody. Raises TransportError (STALLED)."""
        elapsed_s = self._clock() - self._started_s
        wait_s = max(0.0, due_s - elapsed_s)
        patience_s = math.inf if limit_s is None else limit_s
        if self._total_s is not None:
            patience_s = min(patience_s, max(0.0, self._total_s - elapsed_s))
        await self._sleep(min(wait_s, patience_s))
        if wait_s > patience_s:
            raise TransportError(FailureKind.STALLED, "the simulated upstream was slower than the deadline allows")


class SimAnswer:
    """Implements `providers.transport.port.Answer` over a lazy iterator of (due, bytes)."""

    def __init__(self, status: int, headers: Headers, body: Iterator[tuple[float, bytes]], pace: _Pace, idle_s: float | None) -> None:
        self.status = status
        self.headers = headers
        self.timings = Timings(reused=True)
        self._body = body
        self._pace = pace
        self._idle_s = idle_s
        self._next: tuple[float, bytes] | None = None
        self._is_closed = False

    async def read(self) -> bytes:
        if self._is_closed:
            raise TransportError(FailureKind.CUT, "the simulated answer was closed before its end")
        # Kept until it is handed out: a read that is cancelled while waiting must not lose a piece.
        self._next = self._next or next(self._body, None)
        if self._next is None:
            return b""
        due_s, data = self._next
        await self._pace.until(due_s, self._idle_s)
        self._next = None
        return data

    async def pump(self, sink: Callable[[bytes], bool]) -> bool:
        return await pump_by_reading(self, sink)

    def has_ended(self) -> bool:
        return False

    def close(self) -> None:
        self._is_closed = True
        self._next = None
        self._body = iter(())


class SimTransport:
    """Implements `providers.transport.port.Transport`. One instance is one world: its quotas are shared by everyone who uses it."""

    def __init__(self, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep, fleet: tuple[SimReplica, ...] = FLEET) -> None:
        self._clock = clock
        self._sleep = sleep
        self._fleet = fleet
        self._quotas = {r.id: Quota(r.requests_per_minute) for r in fleet if r.requests_per_minute is not None}

    async def send(self, request: UpstreamRequest) -> Answer:
        """Answer after the replica's time to first token (whole answers: after all of it). Raises TransportError (STALLED)."""
        pace = _Pace(self._clock, self._sleep, request.deadlines)
        try:
            return await self._answer(request, pace)
        except RequestError as error:
            return self._whole(error.status, _JSON + error.headers, error.body, pace)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _answer(self, request: UpstreamRequest, pace: _Pace) -> Answer:
        provider_id = request.hint.partition("/")[0]
        path = request.target.split(b"?", 1)[0].decode("latin-1")
        if request.method == b"GET" and path.endswith("/models"):
            return self._whole(200, list(_JSON), self._models_body(provider_id), pace)
        dialect = next((dialect for suffix, dialect in _DIALECT_BY_PATH if path.endswith(suffix)), None)
        if dialect is None or request.method != b"POST":
            raise RequestError(404, "unknown_url", f"Unknown request URL: {request.method.decode('latin-1')} {path}.")
        asked = read_request(bytes(request.body))
        replica = self._replica(provider_id, asked, dialect)
        headers = [(b"x-request-id", f"sim-{asked.short_id}".encode()), *self._use_quota(replica)]
        limit_s = request.deadlines.first_byte_s
        if dialect == "embeddings":
            body = embeddings_body(asked, replica.context_window)
            await pace.until(replica.ttft_s, limit_s)
            return self._whole(200, _JSON + headers, body, pace)
        reply = reply_to_chat(asked, replica) if dialect == "chat" else reply_to_prompt(asked, replica)
        if asked.stream:
            events = chat_events(asked, reply) if dialect == "chat" else completion_events(asked, reply)
            await pace.until(replica.ttft_s, limit_s)
            return SimAnswer(200, _EVENTS + headers, _due(events, replica), pace, request.deadlines.idle_s)
        body = chat_body(asked, reply) if dialect == "chat" else completion_body(asked, reply)
        await pace.until(replica.ttft_s + reply.output_tokens / replica.tokens_per_s, limit_s)
        return self._whole(200, _JSON + headers, body, pace)

    def _replica(self, provider_id: str, asked: Asked, dialect: str) -> SimReplica:
        """Who answers. Raises RequestError when nobody has the model (404), or it does not do this, or the request does not fit (400)."""
        replica = find(provider_id, asked.model, self._fleet)
        if replica is None:
            raise RequestError(404, "model_not_found", f"The model '{asked.model}' does not exist.")
        if dialect not in replica.dialects:
            raise RequestError(400, "unsupported_dialect", f"The model '{asked.model}' does not answer {dialect} requests.", param="model")
        # An embedder reads each input by itself, so its window is checked there.
        if dialect != "embeddings" and asked.input_tokens > replica.context_window:
            raise context_too_long(asked.input_tokens, replica.context_window, "messages")
        return replica

    def _use_quota(self, replica: SimReplica) -> Headers:
        """Take one request of the replica's quota; the limit headers of the answer. Raises RequestError (429)."""
        quota = self._quotas.get(replica.id)
        if quota is None:
            return []
        now_s = self._clock()
        if not quota.take(now_s):
            # Rounded up: a client that comes back a millisecond early is refused once more.
            wait_s = max(1, math.ceil(quota.seconds_until_free(now_s)))
            raise RequestError(
                429,
                "rate_limit_exceeded",
                f"Rate limit reached for {replica.upstream_model}: {quota.limit} requests per minute. Please try again in {wait_s}s.",
                type_="requests",
                headers=[*quota.headers(now_s), (b"retry-after", str(wait_s).encode())],
            )
        return quota.headers(now_s)

    def _whole(self, status: int, headers: Headers, body: bytes, pace: _Pace) -> Answer:
        length = (b"content-length", str(len(body)).encode())
        return SimAnswer(status, [*headers, length], iter([(0.0, body)]), pace, None)

    def _models_body(self, provider_id: str) -> bytes:
        """OpenAI's model list: of one provider where the hint names one of the fleet's, else of all."""
        own = [r for r in self._fleet if r.provider_id == provider_id] or self._fleet
        names = dict.fromkeys(replica.upstream_model for replica in own)
        data = [{"id": name, "object": "model", "created": CREATED_S, "owned_by": "donut-sim"} for name in names]
        return orjson.dumps({"object": "list", "data": data})


def _due(events: Paced, replica: SimReplica) -> Iterator[tuple[float, bytes]]:
    """Tokens said so far → seconds since the request, at the replica's pace."""
    for tokens, data in events:
        yield replica.ttft_s + tokens / replica.tokens_per_s, data
