"""Carries one upstream answer to the client: prelude, commit, pump. Knows bytes and a scanner, no JSON.

Until the first content byte nothing has been sent, so a failure is returned and another replica may answer. From then on the client
holds part of this answer: a failure ends it with one honest error, and nobody else speaks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from providers.dialects import Ask, Dialect, ErrorReply, StreamScanner
from providers.sse import EVENT_ENDS, looks_like_sse, may_become_sse
from providers.transport.port import Answer, Headers, TransportError
from proxy.downstream import Downstream, Lines
from proxy.layout import laid_out
from proxy.redact import without_secrets
from proxy.serving import Limits
from routing.facts import Failure, FailureKind
from routing.types import Usage

WHOLE_BYTES = 1024 * 1024
"""An answer that is not streamed is held up to this size, so that a cut or an error inside it can still fail over."""

TAIL_BYTES = 4096
"""What is kept of a larger answer: its end, where usage stands."""


@laid_out
class Relayed:
    """How the relaying of one answer ended. Committed or not is for the exchange to know. What nobody found out is the class's."""

    failure: Failure | None = None
    usage: Usage | None = None
    content_events: int = 0
    output_tokens_estimated: int = 0
    aside: dict[str, Any] | None = None
    """The newest event that was no part of the answer: some providers tell their limits there."""


@laid_out
class Relay:
    """One answer's way. `on_commit` is called once, just before the first byte goes out, with the content type that its client knows such a
    stream by (None: it is none); it returns the answer's headers."""

    _scanner: StreamScanner | None = None
    _prelude: Sequence[bytes] = ()
    _prelude_events = 0
    _prelude_bytes = 0
    _prelude_timer: asyncio.TimerHandle | None = None
    _early_commit: asyncio.Task[None] | None = None
    _pending = b""
    """What `_take` could not send."""
    _latest = b""
    """The newest piece of the stream that went out, while more may follow it."""

    def __init__(
        self, downstream: Downstream, dialect: Dialect, ask: Ask, limits: Limits, on_commit: Callable[[Answer, bytes | None], Lines]
    ) -> None:
        self._downstream = downstream
        self._dialect = dialect
        self._ask = ask
        self._limits = limits
        self._on_commit = on_commit
        self.result = Relayed()

    async def run(self, answer: Answer, secrets: Headers) -> Relayed:
        """Carry `answer` to its end. Raises nothing of the upstream's; cancellation passes through, with `result` up to date.

        `secrets` are our headers for the upstream: their values are taken out of an error event, the one place in a stream where an
        upstream might name them.
        """
        self._secrets = secrets
        try:
            first = await answer.read()
            if first.startswith(b"{"):  # an answer in one piece, and the rest of the question need not be asked
                rest = self._reply(answer, first) if answer.has_ended() else self._whole(answer, first)
                if rest is not None:
                    await rest
                return self.result
            is_stream = first.startswith(b"data:") or looks_like_sse(first)
            while not is_stream and may_become_sse(first) and (more := await answer.read()):
                first += more
                is_stream = looks_like_sse(first)
            if is_stream:
                await self._stream(answer, first)
            else:
                await self._whole(answer, first)
        except TransportError as error:
            await self._broke(error)
        finally:
            if self._prelude_timer is not None or self._early_commit is not None:
                self._stop_prelude_timer()
        return self.result

    # A stream

    async def _stream(self, answer: Answer, first: bytes) -> None:
        scanner = self._scanner = self._dialect.new_scanner(self._ask)
        out = scanner.feed(first)
        if scanner.is_finished and answer.has_ended():
            self._pending = out  # all of it came in one read: nothing to hold, to commit or to pump
        elif await self._wait_for_content(answer, scanner, out):
            await self._pump(answer, scanner)
        await self._stream_ended(answer, scanner)

    async def _wait_for_content(self, answer: Answer, scanner: StreamScanner, out: bytes) -> bool:
        """Hold events back until the first content, then commit. False: there is nothing to pump, the stream is over or has failed."""
        while True:
            if self._early_commit is not None:
                await self._finish_early_commit()
            if scanner.failure is not None:
                self._pending = out
                return False
            if self._downstream.has_started:
                self._latest = out or self._latest
                await self._downstream.write(out)
                return True
            if scanner.is_finished and answer.has_ended():
                self._pending = out
                return False
            if scanner.has_content or scanner.is_finished:
                await self._commit(answer, out)
                return True
            if out:
                self._hold(out)
                if self._prelude_is_full():
                    await self._commit(answer)
                    return True
                if self._prelude_timer is None:
                    self._prelude_timer = asyncio.get_running_loop().call_later(self._limits.prelude_s, self._prelude_is_over, answer)
            data = await answer.read()
            if not data:
                return False
            out = scanner.feed(data)

    async def _pump(self, answer: Answer, scanner: StreamScanner) -> None:
        """From commit to the end. Pieces go their way as they arrive; this task wakes when the client is slow, and at the end."""
        while not await answer.pump(self._take):
            if scanner.failure is not None or (scanner.is_finished and answer.has_ended()):
                return
            pending, self._pending = self._pending, b""
            self._latest = pending
            await self._downstream.write(pending)

    def _take(self, data: bytes) -> bool:
        """One piece, in the moment it arrives. False: kept in `_pending`, because it could not go or because it is the last."""
        scanner = self._scanner
        assert scanner is not None
        if not scanner.passes(data):
            data = scanner.feed(data)
            if scanner.is_finished or scanner.failure is not None:
                self._pending = data
                return False
            if not data:
                return True
        downstream = self._downstream
        if downstream.connection.write_piece(data):  # `try_write`, inlined
            downstream.bytes_out += len(data)
            self._latest = data
            return True
        self._pending = data
        return False

    async def _stream_ended(self, answer: Answer, scanner: StreamScanner) -> None:
        self._latest = b""
        if self._early_commit is not None:
            await self._finish_early_commit()
        rest = self._pending if scanner.failure is not None else self._pending + scanner.finish()
        self._pending = b""
        self._note(scanner)
        if scanner.failure is not None:
            self.result.failure = scanner.failure
            if self._downstream.has_started:
                # The upstream's own error event goes out; a second one would be one too many.
                self._downstream.connection.close_after_response()
                rest = without_secrets(rest, self._secrets)
                await self._downstream.end(rest if scanner.is_finished else rest + self._dialect.end_events)
        elif not scanner.is_finished:
            raise TransportError(FailureKind.CUT, "the stream ended before its terminal event")
        elif self._downstream.has_started:
            await self._downstream.end(rest)
        else:
            # All of it is here, and nothing has gone out: one write instead of two.
            if self._prelude:
                self._stop_prelude_timer()
                rest = b"".join((*self._prelude, rest))
            lines = self._on_commit(answer, self._ask.stream_type)
            if not self._downstream.try_reply(answer.status, lines, rest):
                await self._downstream.reply_in_turn(answer.status, lines, rest)

    def _hold(self, out: bytes) -> None:
        self._prelude = (*self._prelude, out)
        self._prelude_bytes += len(out)
        self._prelude_events += out.count(b"\n\n") or 1

    def _prelude_is_full(self) -> bool:
        return self._prelude_events > self._limits.prelude_events or self._prelude_bytes > self._limits.prelude_bytes

    def _prelude_is_over(self, answer: Answer) -> None:
        """The upstream has been preparing for too long: let the client see that something happens, and give up the way back.

        The one place where a task of its own sends: the exchange's task is waiting for the upstream and must go on waiting.
        """
        if not self._downstream.has_started:
            self._early_commit = asyncio.create_task(self._commit(answer))

    async def _finish_early_commit(self) -> None:
        task, self._early_commit = self._early_commit, None
        if task is not None:
            await task

    def _stop_prelude_timer(self) -> None:
        if self._prelude_timer is not None:
            self._prelude_timer.cancel()
        if self._early_commit is not None:
            self._early_commit.cancel()

    async def _commit(self, answer: Answer, out: bytes = b"") -> None:
        """All that is held goes out, and `out` behind it."""
        if self._prelude_timer is not None:
            self._prelude_timer.cancel()
        held = b"".join((*self._prelude, out)) if self._prelude else out
        self._prelude = ()
        self._latest = held
        await self._downstream.start(answer.status, self._on_commit(answer, self._ask.stream_type), held)

    # An answer in one piece

    async def _whole(self, answer: Answer, first: bytes) -> None:
        if answer.has_ended():
            await self._reply_in_turn(answer, first)
            return
        pieces = [first]
        size = len(first)
        while size <= WHOLE_BYTES:
            data = b"" if not first or answer.has_ended() else await answer.read()
            if not data:
                await self._reply_in_turn(answer, b"".join(pieces))
                return
            pieces.append(data)
            size += len(data)
        await self._pass_through(answer, b"".join(pieces))

    async def _reply_in_turn(self, answer: Answer, body: bytes) -> None:
        rest = self._reply(answer, body)
        if rest is not None:
            await rest

    def _reply(self, answer: Answer, body: bytes) -> Coroutine[Any, Any, None] | None:
        """What is to be awaited; None where the client has taken the answer at once, or gets none."""
        facts, result = self._dialect.read_answer(body), self.result
        result.usage = facts.usage
        result.output_tokens_estimated = facts.output_tokens_estimated
        if facts.failure is not None:
            result.failure = facts.failure
            return None
        if self._downstream.is_open:
            result.failure = Failure(FailureKind.PROTOCOL, "it answered in one piece where a stream was asked for")
            return None
        lines, body = self._on_commit(answer, None), body if facts.body is None else facts.body
        if self._downstream.try_reply(answer.status, lines, body):
            return None
        return self._downstream.reply_in_turn(answer.status, lines, body)

    async def _pass_through(self, answer: Answer, data: bytes) -> None:
        """A large answer (thousands of embeddings): commit, then pump without holding it."""
        await self._downstream.start(answer.status, self._on_commit(answer, None), data)
        tail = data[-TAIL_BYTES:]
        size = len(data)
        while data := await answer.read():
            size += len(data)
            tail = (tail + data)[-TAIL_BYTES:]
            await self._downstream.write(data)
        facts = self._dialect.read_large_answer(tail, size)
        self.result.usage = facts.usage
        self.result.output_tokens_estimated = facts.output_tokens_estimated
        await self._downstream.end()

    # Silence and failure

    @property
    def is_between_events(self) -> bool:
        """May something of ours go out now, behind what has gone out of the stream?"""
        return self._latest.endswith(EVENT_ENDS)

    def note(self) -> Relayed:
        """What is known now: for an exchange that is being cancelled."""
        if self._scanner is not None:
            self._note(self._scanner)
        return self.result

    def _note(self, scanner: StreamScanner) -> None:
        self.result.usage = scanner.usage
        self.result.content_events = scanner.content_events
        self.result.output_tokens_estimated = scanner.output_tokens_estimated
        self.result.aside = scanner.aside

    def last_words(self, reply: ErrorReply) -> bytes:
        """The frames that end a stream which can not go on, wherever it stands."""
        return self._dialect.error_events(reply) if self._scanner is None else self._scanner.end_with(reply)

    async def _broke(self, error: TransportError) -> None:
        scanner = self._scanner
        if scanner is not None:
            self._note(scanner)
            if scanner.is_finished:
                # All that matters had arrived: the terminal event was there, only the connection's end was missing.
                await self._finish_early_commit()
                await self._downstream.end()
                return
        self.result.failure = Failure(error.kind, str(error))
        self._latest = b""
        await self._finish_early_commit()
        if not self._downstream.has_started:
            return
        if scanner is None:
            self._downstream.connection.abort()  # half a JSON document can not be mended by anything appended to it
            return
        reply = ErrorReply(502, self.result.failure.policy.error_code, f"The upstream's answer broke off: {error}.")
        self._downstream.connection.close_after_response()
        await self._downstream.end(self.last_words(reply))
