"""One try on one replica: sends the request, relays the answer, and settles the reservation exactly once, however it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers.codecs import UntranslatableError
from providers.pieces import Body
from providers.signals import Limits
from providers.transport.decoding import decoded
from providers.transport.port import Answer, Headers, TransportError, UpstreamRequest
from proxy.caller import Caller
from proxy.gateway import Gateway
from proxy.journal.records import AttemptRecord, Status
from proxy.redact import redacted, without_secrets
from proxy.relay import Relay, Relayed
from proxy.serving import Serving
from routing.facts import AttemptFailed, AttemptFinished, Failure, FailureKind, FirstToken, LimitsReported
from routing.pricing import cost_usd
from routing.translation import upstream_dialect
from routing.types import Dispatch, Usage

OK = Status.OK
"""A name of the module is found quicker than a member of an enum."""

ERROR_BODY_BYTES = 64 * 1024
"""How much of an upstream's error answer is read: more than any of them sends, less than hurts."""

ABSENT_S = 600.0
"""How long an endpoint that was not there is believed to be missing: our guess. Servers get it with an update, which takes minutes."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An upstream's error answer, kept as it came so that the client can have it when the request itself was at fault."""

    status: int
    headers: Headers
    body: bytes


class Attempt:
    """`run` returns when the attempt is over; `failure` then says whether it failed, `downstream.has_started` whether it committed."""

    # How each begins: defaults of the class, which no attempt has to set.
    _settled = False
    relay: Relay | None = None
    failure: Failure | None = None
    refused: Refused | None = None
    _spoken = ""
    """The dialect of the request that was sent."""
    may_try_again = False
    """The replica may be well in another dialect."""
    param: str | None = None
    """The member of the request that stands against this attempt."""

    def __init__(self, gateway: Gateway, serving: Serving, dispatch: Dispatch, number: int, now_s: float) -> None:
        """`number`: 1 for the first of its exchange; it begins at `now_s`."""
        self._gateway = gateway
        self._router = serving.router
        self._reservation = dispatch.reservation
        self._demand = dispatch.evidence.demand
        self._began = now_s
        replica = dispatch.replica
        self.upstream = serving.upstreams[replica.id]
        self.record = AttemptRecord(number, replica.id, replica.provider_id, replica.upstream_model, gateway.wall())

    async def run(self, body: Body, spoken: str, caller: Caller, relay: Relay) -> None:
        """Send `body`, which is of the dialect `spoken`, and relay the answer. When cancelled it leaves unsettled: the caller knows why,
        and says so with `abandon`."""
        upstream, self._spoken = self.upstream, spoken
        request = UpstreamRequest(
            upstream.origin,
            b"POST",
            (upstream.stream_targets if self._demand.stream else upstream.targets)[spoken],
            caller.to_upstream(upstream),
            body,
            upstream.deadlines,
            hint=upstream.replica.id,
        )
        del body
        try:
            answer = await upstream.transport.send(request)
            request.body = b""  # a stream may go on for an hour, and nobody needs its prompt any more
        except TransportError as error:
            timings = error.timings
            self.record.queue_s, self.record.connect_s, self.record.connection_reused = timings.queue_s, timings.connect_s, timings.reused
            self._fail(Failure(error.kind, str(error)))
            return
        try:
            names = dict(answer.headers)
            self._note_answer(answer, names)
            if answer.status >= 300:
                await self._read_refusal(answer)
            else:
                signals = upstream.kind.signals
                if not signals.marks.isdisjoint(names):
                    self._note_limits(signals.read_names(names, self._gateway.wall()))
                self.relay = relay
                plain = decoded(answer) if b"content-encoding" in names else answer
                self._conclude(await relay.run(plain, upstream.headers))
        finally:
            answer.close()

    def refuse(self, error: UntranslatableError) -> None:
        """Nothing can be sent: the upstream's dialect has no words for what the request means."""
        self.param = error.param or None
        self._fail(Failure(FailureKind.UNTRANSLATABLE, str(error)), Status.REFUSED)

    def committed(self, *, is_stream: bool) -> None:
        """The first content byte is about to go out."""
        now_s = self._gateway.now()
        self.record.ttft_s = ttft_s = now_s - self._began
        # The time to a whole generated answer says how long it was, not how quick the replica is.
        if is_stream or self._demand.dialect == "embeddings":
            self._router.observe(FirstToken(self._reservation, ttft_s), now_s)

    def abandon(self, failure: Failure, status: Status) -> None:
        """The exchange was cancelled under this attempt: settle with what is known. Does nothing once settled."""
        if self._settled:
            return
        # The request may have reached the upstream, which then counts its prompt: an estimate is nearer the truth than nothing.
        relayed = self.relay.note() if self.relay is not None else Relayed()
        now_s = self._gateway.now()
        self._take_usage(relayed, now_s)
        if relayed.aside is not None:
            self._take_aside(relayed.aside)
        self._fail(failure, status)

    def _note_answer(self, answer: Answer, names: Mapping[bytes, bytes]) -> None:
        record, timings = self.record, answer.timings
        record.queue_s, record.connect_s, record.connection_reused = timings.queue_s, timings.connect_s, timings.reused
        record.upstream_status = answer.status
        request_id = names.get(b"x-request-id") or names.get(b"request-id")
        if request_id is not None:
            record.upstream_request_id = request_id[:200].decode("latin-1")

    def _note_limits(self, limits: Limits) -> None:
        """What the provider said of its limits, unasked."""
        if limits:
            self._router.observe(LimitsReported(self.upstream.replica.id, limits), self._gateway.now())

    def _take_aside(self, aside: Mapping[str, Any]) -> None:
        self._note_limits(self.upstream.kind.signals.read_event(aside, self._gateway.wall()))

    async def _read_refusal(self, answer: Answer) -> None:
        plain = decoded(answer)
        body = b""
        try:
            while len(body) < ERROR_BODY_BYTES and (data := await plain.read()):
                body += data
        except TransportError:
            pass  # the status is enough to go on; what came of the body may still explain it
        secrets = self.upstream.headers
        body = without_secrets(body, secrets)
        headers = [(name, without_secrets(value, secrets)) for name, value in plain.headers]
        self.refused = Refused(answer.status, headers, body)
        self._note_limits(self.upstream.kind.signals.read_refusal(answer.status, answer.headers, body, self._gateway.wall()))
        self._fail(self.upstream.kind.classify(answer.status, answer.headers, body))

    def _unspoken(self, failure: Failure) -> Failure:
        """There is no such endpoint: another of the replica's dialects is tried next. Where none is left, the address is wrong."""
        upstream, now_s = self.upstream, self._gateway.now()
        upstream.absent[self._spoken] = now_s + ABSENT_S
        self.may_try_again = upstream_dialect(self._demand, upstream.replica, upstream.absent_at(now_s)) is not None
        if self.may_try_again or not self._demand.translatable_to:
            return failure
        return replace(failure, kind=FailureKind.NOT_FOUND)

    def _conclude(self, relayed: Relayed) -> None:
        now_s = self._gateway.now()
        self._take_usage(relayed, now_s)
        if relayed.aside is not None:
            self._take_aside(relayed.aside)
        if relayed.failure is None:
            self._settle(OK, now_s)
            usage = self.record.usage or Usage(reported=False)
            self._router.observe(AttemptFinished(self._reservation, usage, relayed.output_tokens_estimated), now_s)
        else:
            is_cut = relayed.failure.kind in (FailureKind.CUT, FailureKind.STALLED, FailureKind.CONNECT)
            committed = self.record.ttft_s is not None
            self._fail(relayed.failure, Status.TRUNCATED if committed and is_cut else Status.UPSTREAM_ERROR)

    def _fail(self, failure: Failure, status: Status = Status.UPSTREAM_ERROR) -> None:
        if failure.kind is FailureKind.UNSPOKEN:
            failure = self._unspoken(failure)
        # Whatever it says is stored, logged and shown: some upstreams repeat the key that they refuse.
        failure = replace(failure, message=redacted(failure.message, self.upstream.headers))
        if self.record.upstream_request_id is not None:
            self.record.upstream_request_id = redacted(self.record.upstream_request_id, self.upstream.headers)
        self.failure = failure
        self.record.failure_kind = failure.kind.value
        self.record.failure_message = failure.message
        now_s = self._gateway.now()
        self._settle(status, now_s)
        self._router.observe(AttemptFailed(self._reservation, failure, self.record.usage), now_s)

    def _settle(self, status: Status, now_s: float) -> None:
        assert not self._settled, "an attempt is settled once"
        self._settled = True
        record, price = self.record, self.upstream.replica.price
        record.status = status
        record.total_s = now_s - self._began
        if price is not None and record.usage is not None:
            record.cost_usd = cost_usd(record.usage, price, record.started_at)
            record.price_version = price.version

    def _take_usage(self, relayed: Relayed, now_s: float) -> None:
        """Reported usage if there is any; else an estimate, marked as one. Nothing at all when nothing was generated."""
        record = self.record
        if relayed.usage is not None:
            record.usage = relayed.usage
        elif relayed.failure is None or relayed.content_events:
            record.usage = self._estimate(relayed.output_tokens_estimated)
        if record.ttft_s is not None and relayed.content_events > 1:
            record.between_tokens_s = (now_s - self._began - record.ttft_s) / (relayed.content_events - 1)

    def _estimate(self, output_tokens: int) -> Usage:
        calibration = self._router.fleet.calibration(self.upstream.replica.logical_model_id)
        return Usage(
            input_uncached=calibration.input_tokens(self._demand.input_tokens_estimated),
            output=calibration.output_tokens(output_tokens),
            reported=False,
        )
