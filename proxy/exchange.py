"""One client request from its first byte to its last record: read, decide, attempt – again elsewhere while nothing was sent – and leave
exactly one journal row. The only attempt loop there is.

One object per exchange, no task of its own, no await in any `finally`: cancelling the exchange at any point settles what it held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import structlog

from providers.codecs import UntranslatableError
from providers.dialects import EVENT_STREAM, Ask, BadRequestError, ErrorReply
from providers.transport.port import Answer, Headers
from proxy import errors
from proxy.allowances import limit_headers
from proxy.attempt import Attempt
from proxy.body import BodyError, ClientDisconnectedError, plain_body, read_body
from proxy.caller import Caller
from proxy.checkpoints import checkpoint_key
from proxy.demand import Understood, demand_for, remember
from proxy.downstream import Downstream, LinedHeaders, Receive, as_pairs, own_lines
from proxy.gateway import Gateway
from proxy.harness import HARNESSES
from proxy.harnesses._manners import retry_headers
from proxy.headers import header_text, to_client
from proxy.journal.records import ExchangeRecord, Status
from proxy.keepalive import Patience, patience_of
from proxy.relay import Relay
from proxy.serving import OnDisconnect, Upstream
from proxy.silence import Silence
from proxy.translation import HoldingRelay, Source, Translation, translate, with_losses
from routing import explain
from routing.facts import Failure, FailureKind
from routing.resolve import UnknownModel
from routing.translation import upstream_dialect
from routing.types import Capability, Decision, Demand, Dispatch, ModelReplica, Refusal

log = structlog.get_logger("donut.exchange")

# Kinds whose own words the client must see as they are: its request is at fault, and its harness reacts to the vendor's text.
PASSED_THROUGH = frozenset({FailureKind.BAD_REQUEST, FailureKind.CONTENT_POLICY, FailureKind.CONTEXT_TOO_LONG, FailureKind.NOT_FOUND})

CLIENT_GONE = Status.CLIENT_GONE
"""A name of the module is found quicker than a member of an enum."""

GONE = Failure(FailureKind.CLIENT_GONE, "the client left")
STOPPING = Failure(FailureKind.CLIENT_GONE, "donut was stopped in the middle of the answer")


class Exchange:
    # How each begins: defaults of the class, which no exchange has to set.
    _task: asyncio.Task[Any] | None = None
    _is_client_gone = False
    _prompt = b""
    """The request's body, as it came, until the commit."""
    _parsed: dict[str, Any] | None = None
    """The same parsed, until the first attempt. A second one is rare, and parses it again: most requests wait long, and hold bytes only."""
    _attempt: Attempt | None = None
    _decision: Decision | None = None
    _upstream: Upstream | None = None
    _translation: Translation | None = None
    """Of the attempt under way, where its replica does not speak the client's dialect."""
    _deadline = 0
    """The ticket of the deadline while it runs."""
    _deadline_s = 0.0
    _is_too_late = False
    _patience: Patience | None = None
    """Of a stream whose client a sign of life helps."""
    _silence: Silence | None = None
    """While there may be need of one."""
    _is_draining = False
    _is_debug = False
    _checkpoint: str | None = None
    """The digest of the client's idempotency key, where it sent one."""
    _resumed: frozenset[str] = frozenset()
    """Replicas that failed under that key before, and are not to be tried again."""

    def __init__(self, gateway: Gateway, caller: Caller, downstream: Downstream, record: ExchangeRecord) -> None:
        """`record` has been begun; it is finished and handed over when the exchange ends."""
        self._gateway = gateway
        self._serving = caller.serving
        self._dialect = caller.dialect
        self._caller = caller
        self._downstream = downstream
        self._began = gateway.now()
        self.record = record

    async def run(self, receive: Receive, length: bytes | None) -> None:
        """Serve the request, whose body is `length` long if the client says so.

        Raises nothing: when the server is stopping, its cancellation has done its work once the client knows.
        """
        self._task = asyncio.current_task(self._downstream.connection.loop)  # without the loop Python 3.11 asks the kernel who it is
        self._gateway.in_flight += 1
        self._downstream.connection.watch(self._client_left)
        try:
            await self._serve(receive, length)
        except asyncio.CancelledError:
            if self._is_client_gone:
                self._abandon(GONE, Status.CLIENT_GONE)
            elif self._is_too_late:
                await self._too_late()
            else:
                await self._say_goodbye()
        except ClientDisconnectedError:
            self.record.status = Status.CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the outermost edge: a bug must not cost the row, nor show a traceback to a user
            await self._crashed(error)
        finally:
            self._downstream.connection.watch(None)
            if self._deadline:
                self._gateway.deadlines.stop(self._deadline)
            if self._silence is not None:
                self._end_silence()
            self._gateway.in_flight -= 1
            self._gateway.draining -= self._is_draining
            self._finish()
            # Both know this exchange: without the cycle its memory is free at once, and still in the cache for the next request.
            self._task = self._attempt = None

    # Reading

    async def _serve(self, receive: Receive, length: bytes | None) -> None:
        caller, limit = self._caller, self._serving.limits.body_bytes
        encoding = caller.by_name.get(b"content-encoding")
        try:
            body = self._downstream.connection.take_body()
            if body is None:
                body = await read_body(receive, length, encoding, limit)
                now_s = self._gateway.now()
            else:
                body, now_s = plain_body(body, encoding, limit), self._began
        except BodyError as error:
            await self._refuse(ErrorReply(error.status, "request_too_large" if error.status == 413 else "invalid_request", str(error)))
            return
        record, serving, dialect = self.record, self._serving, self._dialect
        record.bytes_in = len(body)
        try:
            data = _parse(body, caller.in_path)
            ask = dialect.read(data, len(body))
            record.requested_model, record.stream = ask.model, ask.stream
            record.input_tokens_estimated = ask.input_tokens_estimated
            asker = caller.asker()
            self._is_debug = asker.steering.debug
            demand = demand_for(asker, ask, data, now_s)
        except BadRequestError as error:
            await self._refuse(errors.bad_request(error))
            return
        if isinstance(demand, UnknownModel):
            await self._refuse(errors.unknown_model(demand))
            return
        if isinstance(demand, Understood):
            remember(demand, serving, now_s)
            demand = demand.demand
        if b"idempotency-key" in caller.by_name:
            demand = self._resume(demand, caller.by_name[b"idempotency-key"])
        record.harness, record.use_case = demand.harness, demand.use_case._value_
        if demand.affinity_keys:
            record.affinity_key = demand.affinity_keys[0]
        self._deadline_s = asker.steering.deadline_s or serving.limits.deadline_s
        self._deadline = self._gateway.deadlines.start(self._deadline_s, self._deadline_passed, now_s)
        if ask.stream and ask.stream_type is EVENT_STREAM and serving.limits.keepalive_s > 0:
            self._begin_silence(demand.harness)
        # Kept in one place until the commit and no longer: a thousand open streams must not hold a thousand prompts.
        self._prompt, self._parsed = body, data
        del body, data
        await self._attempts(ask, demand, now_s)

    # Checkpoints

    def _resume(self, demand: Demand, given: bytes) -> Demand:
        """Go on where an earlier request with the same idempotency key stopped."""
        self._checkpoint = self.record.idempotency_key = checkpoint_key(given, self.record.client_key)
        self._resumed = self._serving.memory.checkpoints.tried(self._checkpoint, self._gateway.now())
        if not self._resumed:
            return demand
        note = f"an earlier request with this idempotency-key failed on {', '.join(sorted(self._resumed))}: the others come first"
        return demand._replace(notes=(*demand.notes, note))

    def _keep_checkpoint(self, checkpoint: str) -> None:
        checkpoints = self._serving.memory.checkpoints
        if self.record.status is Status.OK:
            checkpoints.spend(checkpoint)
        else:
            failed = (attempt.replica_id for attempt in self.record.attempts if attempt.is_tried)
            checkpoints.keep(checkpoint, self._resumed.union(failed), self._gateway.now())

    # Attempts

    async def _attempts(self, ask: Ask, demand: Demand, now_s: float) -> None:
        shared, limits = self._gateway.shared, self._serving.limits
        tried = self._resumed
        last: Attempt | None = None
        panicked = False
        while True:
            decision = self._serving.router.decide(demand, now_s, tried, panicked=panicked)
            if tried and last is None and isinstance(decision, Refusal):
                # All were tried under this idempotency key: the plan begins anew.
                tried = self._resumed = frozenset()
                decision = self._decide(demand, tried, panicked)
            if shared is not None and isinstance(decision, Dispatch):
                decision = await shared.admitted(decision, partial(self._decide, demand, tried, panicked))
                now_s = self._gateway.now()
            if isinstance(decision, Refusal):
                if last is None:
                    self._decision = decision
                    await self._reply_error(errors.refused(decision), Status.REFUSED)
                else:
                    await self._reply_failure(last)
                return
            self._decision = decision
            last = Attempt(self._gateway, self._serving, decision, len(self.record.attempts) + 1, now_s)
            running = self._try(last, ask)
            if running is not None:
                await running
            failure = last.failure
            if failure is None or self._downstream.has_started:
                self.record.status = last.record.status
                self._note_failure(failure)
                return
            if not last.may_try_again:
                tried |= {decision.replica.id}
            panicked |= decision.evidence.panic
            if not failure.policy.try_elsewhere or len(self.record.attempts) >= limits.max_attempts or self._is_client_gone:
                await self._reply_failure(last)
                return
            now_s = self._gateway.now()

    def _decide(self, demand: Demand, tried: frozenset[str], panicked: bool) -> Decision:
        return self._serving.router.decide(demand, self._gateway.now(), tried, panicked=panicked)

    def _try(self, attempt: Attempt, ask: Ask) -> Coroutine[Any, Any, None] | None:
        """What is to be awaited, not a coroutine itself; None where the upstream's dialect has no words for the request."""
        self._attempt = attempt
        self._upstream = attempt.upstream
        self.record.attempts.append(attempt.record)
        if self._gateway.events.is_recording:
            self._gateway.events.attempt_began(self.record)
        if ask.defaults:
            ask.is_for_reasoner = _reasons(attempt.upstream.replica)
        dialect, replica, limits = self._dialect, attempt.upstream.replica, self._serving.limits
        spoken = self._spoken_with(attempt.upstream, ask)
        if dialect.name != spoken:
            return self._try_translated(attempt, ask, spoken)
        self._translation = None
        relay = Relay(self._downstream, dialect, ask, limits, self._commit)
        return attempt.run(dialect.prepare(self._prompt, self._take_parsed(), ask, replica.upstream_model), spoken, self._caller, relay)

    def _take_parsed(self) -> dict[str, Any]:
        parsed, self._parsed = self._parsed, None
        return _parse(self._prompt, self._caller.in_path) if parsed is None else parsed

    def _spoken_with(self, upstream: Upstream, ask: Ask) -> str:
        """The dialect of the attempt: the client's where the upstream has it, and not one whose endpoint was not there just now."""
        replica, name = upstream.replica, self._dialect.name
        is_beyond = ask.needs_all_of_responses and not upstream.kind.has_all_of_responses
        if name in replica.dialects and not upstream.absent and not is_beyond:
            return name
        assert isinstance(self._decision, Dispatch)
        demand = self._decision.evidence.demand
        absent = [*upstream.absent_at(self._gateway.now()), *([name] if is_beyond else ())]
        spoken = upstream_dialect(demand, replica, absent) or upstream_dialect(demand, replica)
        assert spoken is not None, "the gate lets nobody pass who is not understood"
        return spoken

    def _try_translated(self, attempt: Attempt, ask: Ask, spoken: str) -> Coroutine[Any, Any, None] | None:
        assert isinstance(self._decision, Dispatch)
        source = Source(self._dialect, self._take_parsed(), ask, self.record.id, int(self._gateway.wall()))
        try:
            translation = translate(source, self._serving.dialects[spoken], attempt.upstream.replica)
        except UntranslatableError as error:
            attempt.refuse(error)
            return None
        self._translation = translation
        self._decision = with_losses(self._decision, translation)
        del source
        relay = HoldingRelay(self._downstream, translation.dialect, ask, self._serving.limits, self._commit)
        return attempt.run(translation.take_body(), spoken, self._caller, relay)

    def _commit(self, answer: Answer) -> Headers:
        """The first content byte goes out now: no other replica may answer, and the deadline has done its work."""
        assert self._attempt is not None
        self._gateway.deadlines.stop(self._deadline)
        self._deadline = 0
        self._prompt = b""
        self._attempt.committed(is_stream=self.record.stream)
        if self._patience is not None and not answer.has_ended():
            self._silence_of(self._patience).watch()
        told = to_client(answer.headers) if self._translation is None else self._translation.headers
        if self._is_debug or self._serving.tells_limits:
            return self._beside_own(told)
        return LinedHeaders(told, self._own_lines())

    # Silence

    def _begin_silence(self, harness: str) -> None:
        patience = self._patience = patience_of(self._dialect.name, harness)
        # Some harnesses give up on a head before donut's own deadline.
        if patience is not None and patience.speak_by_s < self._deadline_s:
            self._silence_of(patience).open_in_time(patience.speak_by_s, self._names)

    def _silence_of(self, patience: Patience) -> Silence:
        """Made when there is need of it: most streams are over before anything could be said in them."""
        if self._silence is None:
            after_s = self._serving.limits.keepalive_s
            self._silence = Silence(self._gateway, self._downstream, patience, after_s, self._is_between_events)
        return self._silence

    def _is_between_events(self) -> bool:
        relay = self._attempt.relay if self._attempt is not None else None
        return relay is not None and relay.is_between_events

    def _end_silence(self) -> None:
        if self._silence is not None:
            self._silence.end()
            self._silence = None

    # Leaving

    def _client_left(self) -> None:
        """Called by the connection, not awaited by anyone: cancel, or read on for the sake of the account."""
        self._is_client_gone = True
        task, upstream, gateway = self._task, self._upstream, self._gateway
        assert task is not None
        is_answered = self._downstream.has_started or not self.record.stream
        wants_drain = upstream is not None and upstream.on_disconnect is OnDisconnect.DRAIN and is_answered
        if upstream is None or not wants_drain or gateway.draining >= upstream.drain_max_concurrent:
            task.cancel()
            return
        gateway.draining += 1
        self._is_draining = True
        asyncio.get_running_loop().call_later(upstream.drain_s, task.cancel)

    def _deadline_passed(self) -> None:
        """Called by the sweep: one deadline covers the whole chain of attempts until the commit takes it away."""
        if not self._downstream.has_started and self._task is not None:
            self._is_too_late = True
            self._task.cancel()

    async def _too_late(self) -> None:
        assert self._task is not None
        self._task.uncancel()
        self._abandon(Failure(FailureKind.STALLED, "no content within the exchange's deadline"), Status.UPSTREAM_ERROR)
        await self._reply_error(errors.deadline_passed(self._deadline_s), Status.UPSTREAM_ERROR)

    def _abandon(self, failure: Failure, status: Status) -> None:
        self.record.status = status
        if self._attempt is not None:
            self._attempt.abandon(failure, status)

    async def _say_goodbye(self) -> None:
        """The server stops and the grace is over: tell the client instead of vanishing."""
        self._abandon(STOPPING, Status.TRUNCATED if self._downstream.has_started else Status.UPSTREAM_ERROR)
        self.record.error_code = "shutting_down"
        assert self._task is not None
        self._task.uncancel()  # before Python 3.11.3 a timeout in a task that was cancelled does not end as one
        try:
            # Only what goes out without waiting: the journal closes next, and the row must be in it by then.
            async with asyncio.timeout(0):
                await self._end_with(ErrorReply(503, "shutting_down", "donut is shutting down.", None, 1.0))
        except TimeoutError:
            self._downstream.connection.abort()

    async def _crashed(self, error: Exception) -> None:
        log.error("internal_error", id=self.record.id, exc_info=error)
        failure = Failure(FailureKind.CLIENT_GONE, f"internal error: {type(error).__name__}")
        self._abandon(failure, Status.INTERNAL_ERROR)
        reply = ErrorReply(500, "internal_error", f"donut has a bug; its log knows more under the id {self.record.id}.")
        self._note_error(reply)
        await self._end_with(reply)

    def _finish(self) -> None:
        record, gateway = self.record, self._gateway
        record.total_s = gateway.now() - self._began
        if self._is_client_gone:
            record.status = CLIENT_GONE
        record.http_status = 499 if record.status is CLIENT_GONE else self._downstream.status
        record.bytes_out = self._downstream.bytes_out
        if self._upstream is not None:
            replica = self._upstream.replica
            record.logical_model_id, record.replica_id = replica.logical_model_id, replica.id
            record.provider_id, record.tier = replica.provider_id, replica.tier._value_
        record.last_decision = self._decision
        if self._checkpoint is not None:
            self._keep_checkpoint(self._checkpoint)
        gateway.put(record)

    # Errors

    async def _refuse(self, reply: ErrorReply) -> None:
        await self._reply_error(reply, Status.REFUSED)

    async def _reply_error(self, reply: ErrorReply, status: Status) -> None:
        self.record.status = status
        self._note_error(reply)
        await self._end_with(reply)

    async def _end_with(self, reply: ErrorReply) -> None:
        """An error, wherever the answer stands: as the answer, as the stream's last event, or as a connection that breaks off."""
        self._end_silence()
        if not self._downstream.has_started and not self._downstream.is_open:
            await self._send_error(reply)
        elif self.record.stream:
            self._downstream.connection.close_after_response()
            relay = self._attempt.relay if self._attempt is not None else None
            await self._downstream.end(self._dialect.error_events(reply) if relay is None else relay.last_words(reply))
        else:
            self._downstream.connection.abort()

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

    async def _send_error(self, reply: ErrorReply) -> None:
        told = retry_headers(reply, HARNESSES.get(self.record.harness))
        headers = [(b"content-type", b"application/json"), *told, *self._own_headers()]
        await self._downstream.reply(reply.status, headers, self._dialect.error_body(reply))

    def _note_error(self, reply: ErrorReply) -> None:
        self.record.error_code, self.record.error_message = reply.code, reply.message

    def _note_failure(self, failure: Failure | None) -> None:
        if failure is not None:
            self.record.error_code, self.record.error_message = failure.policy.error_code, failure.message

    # Headers

    def _own_lines(self) -> bytes:
        record, upstream = self.record, self._upstream
        of_upstream = upstream.answer_lines if upstream is not None else b""
        return own_lines(record.request_id, record.id, len(record.attempts), record.use_case, of_upstream)

    def _names(self) -> Headers:
        """The request's id and the decision's, which are known before anybody answers."""
        return as_pairs(LinedHeaders([], self._own_lines()))[:2]

    def _own_headers(self) -> Headers:
        headers = as_pairs(LinedHeaders([], self._own_lines()))
        if self._serving.tells_limits and self._decision is not None:
            headers += limit_headers(self._decision, self._serving.router.fleet.headroom, self._gateway.now())
        if self._is_debug:
            headers += self._debug_headers()
        return headers

    def _beside_own(self, told: Headers) -> Headers:
        """The upstream's headers and donut's own. Where a client's key has limits, those are what the client must heed."""
        own = self._own_headers()
        if self._serving.tells_limits:
            names = {name for name, _ in own}
            told = [header for header in told if header[0] not in names]
        return [*told, *own]

    def _debug_headers(self) -> Headers:
        words = explain.in_words(self._decision) if self._decision is not None else "no decision was needed"
        timings = [f"total;dur={(self._gateway.now() - self._began) * 1000:.2f}"]
        for attempt in self.record.attempts:
            timings.append(f"queue{attempt.number};dur={attempt.queue_s * 1000:.2f}")
            timings.append(f"connect{attempt.number};dur={attempt.connect_s * 1000:.2f}")
        headers = [(b"x-donut-because", header_text(words)), (b"server-timing", ", ".join(timings).encode())]
        if self._translation is not None and self._translation.lost:
            headers.append((b"x-donut-lost", header_text(self._translation.lost_in_words)))
        return headers


def _reasons(replica: ModelReplica) -> bool:
    """Is its model known to reason? One that nobody described is taken to do everything, and what both reasons and embeds is such a one."""
    bits = replica.capability_bits
    return bool(bits & Capability.REASONING) and not bits & Capability.EMBEDDINGS


def _parse(body: bytes, in_path: Mapping[str, Any] | None) -> dict[str, Any]:
    """`in_path`: members of the request that its path says."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequestError(f"the body is not valid JSON: {error.msg} at {where}", None, "invalid_json") from None
    if not isinstance(data, dict):
        raise BadRequestError("the body must be a JSON object", None, "invalid_json")
    return data if in_path is None else {**data, **in_path}
