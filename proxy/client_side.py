"""An exchange as its client sees it: donut's own headers on whatever it answers, and errors, wherever the answer stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from providers.dialects import ErrorReply
from providers.transport.port import Headers
from proxy import errors
from proxy.allowances import limit_headers
from proxy.asker import Asker
from proxy.attempt import Attempt
from proxy.caller import Caller
from proxy.downstream import Downstream, Lines, as_lines, as_pairs
from proxy.gateway import Gateway
from proxy.harness import HARNESSES
from proxy.harnesses._manners import retry_headers
from proxy.headers import header_text, to_client
from proxy.journal.records import ExchangeRecord, Status
from proxy.serving import Serving
from proxy.silence import Silence
from proxy.translation import Translation
from routing import explain
from routing.facts import Failure, FailureKind
from routing.types import UseCase

# Kinds whose own words the client must see as they are: its request is at fault, and its harness reacts to the vendor's text.
PASSED_THROUGH = frozenset({FailureKind.BAD_REQUEST, FailureKind.CONTENT_POLICY, FailureKind.CONTEXT_TOO_LONG, FailureKind.NOT_FOUND})

USE_CASE_LINES: Mapping[str | None, Lines] = {
    None: b"",
    **{each.value: b"x-donut-use-case: %b\r\n" % each.value.encode() for each in UseCase},
}


class ClientSide:
    """What `Exchange` is built on, which sets all that stands here."""

    _gateway: Gateway
    _serving: Serving
    _caller: Caller
    _downstream: Downstream
    _began: float
    record: ExchangeRecord

    # How each begins: defaults of the class, which no exchange has to set.
    _asker: Asker | None = None
    """What the request's head says, once that was read."""
    _attempt: Attempt | None = None
    _translation: Translation | None = None
    """Of the attempt under way, where its replica does not speak the client's dialect."""
    _silence: Silence | None = None
    """While there may be need of one."""

    # Headers

    def _own_lines(self, told: Lines = b"") -> Lines:
        """`told` and the usual of donut's own behind it. All of it visible ASCII."""
        record, attempt = self.record, self._attempt
        return b"%bx-request-id: %b\r\nx-donut-decision: %b\r\nx-donut-attempts: %d\r\n%b%b" % (
            told,
            record.request_id.encode(),
            record.id.encode(),
            len(record.attempts),
            USE_CASE_LINES[record.use_case],
            b"" if attempt is None else attempt.upstream.answer_lines,
        )

    def _names(self) -> Lines:
        """The request's id and the decision's, which are known before anybody answers."""
        return b"x-request-id: %b\r\nx-donut-decision: %b\r\n" % (self.record.request_id.encode(), self.record.id.encode())

    def _own_headers(self) -> Headers:
        headers = as_pairs(self._own_lines())
        decision = self.record.last_decision
        if self._serving.tells_limits and decision is not None:
            headers += limit_headers(decision, self._serving.router.fleet.headroom, self._gateway.now())
        if self._asker is not None and self._asker.steering.debug:
            headers += self._debug_headers()
        return headers

    def _beside_own(self, told: Headers) -> Lines:
        """The upstream's headers and donut's own. Where a client's key has limits, those are what the client must heed."""
        own = self._own_headers()
        if self._serving.tells_limits:
            names = {name for name, _ in own}
            told = [header for header in told if header[0] not in names]
        return as_lines([*told, *own])

    def _debug_headers(self) -> Headers:
        decision = self.record.last_decision
        words = explain.in_words(decision) if decision is not None else "no decision was needed"
        timings = [f"total;dur={(self._gateway.now() - self._began) * 1000:.2f}"]
        for attempt in self.record.attempts:
            timings.append(f"queue{attempt.number};dur={attempt.queue_s * 1000:.2f}")
            timings.append(f"connect{attempt.number};dur={attempt.connect_s * 1000:.2f}")
        headers = [(b"x-donut-because", header_text(words)), (b"server-timing", ", ".join(timings).encode())]
        if self._translation is not None and self._translation.lost:
            headers.append((b"x-donut-lost", header_text(self._translation.lost_in_words)))
        return headers

    # Errors

    async def _reply_error(self, reply: ErrorReply, status: Status) -> None:
        self.record.status = status
        self._note_error(reply)
        await self._end_with(reply)

    async def _reply_failure(self, attempt: Attempt) -> None:
        """Nobody else is left to ask: what the last one said, in its own words where the request is at fault."""
        failure, refused = attempt.failure, attempt.refused
        assert failure is not None
        self.record.status = Status.UPSTREAM_ERROR
        self._note_failure(failure)
        is_passed = refused is not None and failure.kind in PASSED_THROUGH and refused.status < 500
        if refused is None or not is_passed:
            reply = errors.failed(failure, attempt.record.replica_id, len(self.record.attempts))
            await self._end_with(replace(reply, param=attempt.param))
        elif self._translation is not None or self._downstream.is_open:
            await self._end_with(errors.retold(failure, refused.status))
        else:
            await self._downstream.reply(refused.status, self._beside_own(to_client(refused.headers)), refused.body)

    async def _end_with(self, reply: ErrorReply) -> None:
        """An error, wherever the answer stands: as the answer, as the stream's last event, or as a connection that breaks off."""
        self._end_silence()
        if not self._downstream.has_started and not self._downstream.is_open:
            await self._send_error(reply)
        elif self.record.stream:
            self._downstream.connection.close_after_response()
            relay = self._attempt.relay if self._attempt is not None else None
            await self._downstream.end(self._caller.dialect.error_events(reply) if relay is None else relay.last_words(reply))
        else:
            self._downstream.connection.abort()

    async def _send_error(self, reply: ErrorReply) -> None:
        told = retry_headers(reply, HARNESSES.get(self.record.harness))
        headers = [(b"content-type", b"application/json"), *told, *self._own_headers()]
        await self._downstream.reply(reply.status, as_lines(headers), self._caller.dialect.error_body(reply))

    def _note_error(self, reply: ErrorReply) -> None:
        self.record.error_code, self.record.error_message = reply.code, reply.message

    def _note_failure(self, failure: Failure) -> None:
        self.record.error_code, self.record.error_message = failure.policy.error_code, failure.message

    def _end_silence(self) -> None:
        if self._silence is not None:
            self._silence.end()
            self._silence = None
