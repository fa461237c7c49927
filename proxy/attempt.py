"""One try on one replica: sends the request, relays the answer, and settles the reservation exactly once, however it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers.codecs import UntranslatableError
from providers.signals import Limits
from providers.transport.decoding import decoded
from providers.transport.port import AT_ONCE, Answer, Headers, Timings, TransportError, UpstreamRequest
from proxy.downstream import Lines, as_lines
from proxy.gateway import Gateway
from proxy.headers import to_client
from proxy.journal.records import AttemptRecord, Status
from proxy.layout import laid_out
from proxy.redact import redacted, without_secrets
from proxy.relay import Relay, Relayed
from proxy.serving import Serving
from routing.facts import AttemptFailed, AttemptFinished, Failure, FailureKind, FirstToken, LimitsReported
from routing.pricing import cost_usd
from routing.translation import upstream_dialect
from routing.types import Dispatch, Usage

NO_HEADERS: tuple[tuple[bytes, ...], tuple[bytes, ...]] = ((), ())

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


@laid_out
class Attempt:
    """`run` returns when the attempt is over; `failure` then says whether it failed, `downstream.has_started` whether it committed."""

    # How each begins: defaults of the class, which no attempt has to set.
    _settled = False
    relay: Relay | None = None
    told: Lines = b""
    """What the client may see of the answer's head."""
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
        self.dispatch = dispatch
        self._began = now_s
        replica = dispatch.replica
        self.upstream = serving.upstreams[replica.id]
        self.record = AttemptRecord(number, replica.id, replica.provider_id, replica.upstream_model, gateway.wall())

    async def run(self, request: UpstreamRequest, spoken: str, relay: Relay) -> None:
        """Send `request`, which is of the dialect `spoken`, and relay the answer. When cancelled it leaves unsettled: the caller knows why,
        and says so with `abandon`."""
        record, upstream, self._spoken = self.record, self.upstream, spoken
        try:
            answer = await upstream.transport.send(request)
            request.body = b""  # a stream may go on for an hour, and nobody needs its prompt any more
        except TransportError as error:
            self._note_timings(error.timings)
            self._fail(Failure(error.kind, str(error)))
            return
        try:
            if answer.timings is AT_ONCE:
                record.connection_reused = True
            else:
                self._note_timings(answer.timings)
            record.upstream_status = answer.status
            names, values = zip(*answer.headers) if answer.headers else NO_HEADERS  # noqa: B905 - pairs
            head = upstream.heads.get(names) or upstream.new_head(names)
            if head.request_id_at >= 0:
                record.upstream_request_id = values[head.request_id_at][:200].decode("latin-1") or None
            if answer.status >= 300:
                await self._read_refusal(answer)
                return
            if head.tells_limits:
                self._note_limits(upstream.kind.signals.read_names(dict(answer.headers), self._gateway.wall()))
            self.relay = relay
            if head.is_encoded:
                plain = decoded(answer)
                self.told = as_lines(to_client(plain.headers))
                self._conclude(await relay.run(plain, upstream.headers))
            else:
                self.told = head.lines % head.told(values)
                self._conclude(await relay.run(answer, upstream.headers))
        finally:
            answer.close()

    def refuse(self, error: UntranslatableError) -> None:
        """Nothing can be sent: the upstream's dialect has no words for what the request means."""
        self.param = error.param or None
        self._fail(Failure(FailureKind.UNTRANSLATABLE, str(error)), Status.REFUSED)

    def committed(self, is_timed: bool) -> None:
        """The first content byte is about to go out. `is_timed`: does it say how quick the replica is?"""
        now_s = self._gateway.now()
        self.record.ttft_s = ttft_s = now_s - self._began
        if is_timed:
            self._router.observe(FirstToken(self.dispatch.reservation, ttft_s), now_s)

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

    def _note_timings(self, timings: Timings) -> None:
        record = self.record
        record.queue_s, record.connect_s, record.connection_reused = timings.queue_s, timings.connect_s, timings.reused

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
        upstream, demand, now_s = self.upstream, self.dispatch.evidence.demand, self._gateway.now()
        upstream.absent[self._spoken] = now_s + ABSENT_S
        self.may_try_again = upstream_dialect(demand, upstream.replica, upstream.absent_at(now_s)) is not None
        if self.may_try_again or not demand.translatable_to:
            return failure
        return replace(failure, kind=FailureKind.NOT_FOUND)

    def _conclude(self, relayed: Relayed) -> None:
        now_s = self._gateway.now()
        if relayed.aside is not None:
            self._take_aside(relayed.aside)
        if relayed.failure is not None:
            self._broke_off(relayed, relayed.failure, now_s)
            return
        usage = self.record.usage = relayed.usage or self._estimate(relayed.output_tokens_estimated)
        if relayed.content_events > 1:
            self._note_pace(relayed, now_s)
        self._settle(now_s)
        self._router.observe(AttemptFinished(self.dispatch.reservation, usage, relayed.output_tokens_estimated), now_s)

    def _broke_off(self, relayed: Relayed, failure: Failure, now_s: float) -> None:
        self._take_usage(relayed, now_s)
        is_cut = failure.kind in (FailureKind.CUT, FailureKind.STALLED, FailureKind.CONNECT)
        committed = self.record.ttft_s is not None
        self._fail(failure, Status.TRUNCATED if committed and is_cut else Status.UPSTREAM_ERROR)

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
        self.record.status = status
        self._settle(now_s)
        self._router.observe(AttemptFailed(self.dispatch.reservation, failure, self.record.usage), now_s)

    def _settle(self, now_s: float) -> None:
        assert not self._settled, "an attempt is settled once"
        self._settled = True
        record, price = self.record, self.upstream.replica.price
        record.total_s = now_s - self._began
        if price is not None and record.usage is not None:
            record.cost_usd = cost_usd(record.usage, price, record.started_at)
            record.price_version = price.version

    def _take_usage(self, relayed: Relayed, now_s: float) -> None:
        """Of an answer that is not whole. Reported usage if there is any; else an estimate, marked as one. Nothing at all when it failed
        before anything was generated."""
        if relayed.usage is not None:
            self.record.usage = relayed.usage
        elif relayed.failure is None or relayed.content_events:
            self.record.usage = self._estimate(relayed.output_tokens_estimated)
        self._note_pace(relayed, now_s)

    def _note_pace(self, relayed: Relayed, now_s: float) -> None:
        ttft_s = self.record.ttft_s
        if ttft_s is not None and relayed.content_events > 1:
            self.record.between_tokens_s = (now_s - self._began - ttft_s) / (relayed.content_events - 1)

    def _estimate(self, output_tokens: int) -> Usage:
        calibration = self._router.fleet.calibration(self.upstream.replica.logical_model_id)
        return Usage(
            input_uncached=calibration.input_tokens(self.dispatch.evidence.demand.input_tokens_estimated),
            output=calibration.output_tokens(output_tokens),
            reported=False,
        )
