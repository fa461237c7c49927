"""One client request from its first byte to its last record: read, decide, attempt – again elsewhere while nothing was sent – and leave
exactly one journal row. The only attempt loop there is.

One object per exchange, no task of its own, no await in any `finally`: cancelling the exchange at any point settles what it held.
The usual one (one attempt, its answer relayed) goes straight through; what is rare hangs on it by one test each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any

import orjson
import structlog

from providers.codecs import UntranslatableError
from providers.dialects import EVENT_STREAM, Ask, BadRequestError, ErrorReply
from providers.transport.port import Answer, UpstreamRequest
from proxy import errors
from proxy.attempt import Attempt
from proxy.body import BodyError, ClientDisconnectedError, plain_body, read_body
from proxy.caller import Caller
from proxy.checkpoints import Resumption, checkpoint_key
from proxy.client_side import ClientSide
from proxy.demand import Understood, demand_for, remember
from proxy.downstream import Downstream, Lines, Receive, as_lines, as_pairs
from proxy.gateway import Gateway
from proxy.journal.records import ExchangeRecord, Status
from proxy.keepalive import Patience, patience_of
from proxy.layout import laid_out
from proxy.open_exchanges import NEVER
from proxy.relay import Relay
from proxy.serving import OnDisconnect
from proxy.silence import Silence
from proxy.translation import HoldingRelay, Source, Translation, translate, with_losses
from routing.facts import Failure, FailureKind
from routing.resolve import UnknownModel
from routing.translation import upstream_dialect
from routing.types import Capability, Decision, Demand, Dispatch, ModelReplica, Refusal

log = structlog.get_logger("donut.exchange")

NOBODY: frozenset[str] = frozenset()
GONE = Failure(FailureKind.CLIENT_GONE, "the client left")
STOPPING = Failure(FailureKind.CLIENT_GONE, "donut was stopped in the middle of the answer")


@laid_out
class Exchange(ClientSide):
    # How each begins: defaults of the class, which no exchange has to set.
    due_s = NEVER
    """By when the answer has to begin: one deadline covers the whole chain of attempts until the commit takes it away."""
    is_draining = False
    _is_client_gone = False
    _is_too_late = False
    _ask: Ask
    _parsed: dict[str, Any] | None = None
    """The body parsed, until the first attempt. A second one is rare, and parses it again: most requests wait long, and hold bytes only."""
    _patience: Patience | None = None
    """Of a stream whose client a sign of life helps."""
    _resumption: Resumption | None = None
    """Where the client sent an idempotency key."""

    def __init__(self, gateway: Gateway, caller: Caller, downstream: Downstream, body: bytes, decision_id: str) -> None:
        """`body`: as far as it has arrived, which is all or nothing."""
        self._gateway = gateway
        self._serving = caller.serving
        self._caller = caller
        self._downstream = downstream
        # Kept in one place until the commit and no longer: a thousand open streams must not hold a thousand prompts.
        self._prompt = body
        self._began = gateway.now()
        request_id = caller.request_id or decision_id
        self.record = ExchangeRecord(decision_id, request_id, gateway.wall(), caller.dialect.name, caller.key)

    async def run(self, receive: Receive | None = None, length: bytes | None = None) -> None:
        """Serve the request. A body that has not arrived is `receive`d; it is `length` long if the client says so.

        Raises nothing: when the server is stopping, its cancellation has done its work once the client knows.
        """
        connection, exchanges, now_s = self._downstream.connection, self._gateway.exchanges, self._began
        if not exchanges:
            exchanges.begin_sweeping()
        exchanges.add(self)
        connection.on_lost = self._client_left
        try:
            if receive is not None or connection.is_lost:
                now_s = await self._receive(receive, length)
            await self._attempts(self._understand(now_s), now_s)
        except errors.WrongRequestError as error:
            await self._reply_error(error.reply, Status.REFUSED)
        except asyncio.CancelledError:
            await self._interrupted()
        except ClientDisconnectedError:
            self._is_client_gone = True
        except Exception as error:  # noqa: BLE001 - the outermost edge: a bug must not cost the row, nor show a traceback to a user
            await self._crashed(error)
        finally:
            connection.on_lost = None
            exchanges.discard(self)
            if self._silence is not None:
                self._end_silence()
            self._finish()
            # It knows this exchange: without the cycle its memory is free at once, and still in the cache for the next request.
            self._attempt = None

    # Reading

    async def _receive(self, receive: Receive | None, length: bytes | None) -> float:
        """The body, which is still on its way. Returns when it was there."""
        if self._downstream.connection.is_lost or receive is None:
            raise ClientDisconnectedError
        try:
            self._prompt = await read_body(receive, length, None, self._serving.limits.body_bytes)
        except BodyError as error:
            raise errors.WrongRequestError(errors.unreadable(error)) from None
        return self._gateway.now()

    def _understand(self, now_s: float) -> Demand:
        """What the request demands. Raises WrongRequestError."""
        caller, record, body, limits = self._caller, self.record, self._prompt, self._serving.limits
        try:
            if len(body) > limits.body_bytes or caller.content_encoding is not None:
                body = self._prompt = plain_body(body, caller.content_encoding, limits.body_bytes)
            record.bytes_in = size = len(body)
            data = self._parsed = _parse(body, caller.in_path)
            ask = self._ask = caller.dialect.read(data, size)
            record.requested_model, record.stream = ask.model, ask.stream
            record.input_tokens_estimated = ask.input_tokens_estimated
            asker = self._asker = caller.asker or caller.read_asker()
            found = demand_for(asker, ask, data, now_s)
        except BodyError as error:
            raise errors.WrongRequestError(errors.unreadable(error)) from None
        except BadRequestError as error:
            raise errors.WrongRequestError(errors.bad_request(error)) from None
        demand = found if isinstance(found, Demand) else self._remembered(found, now_s)
        if b"idempotency-key" in caller.by_name:
            demand = self._resumed(demand, caller.by_name[b"idempotency-key"])
        record.harness, record.use_case = demand.harness, demand.use_case._value_
        keys = demand.affinity_keys
        if keys:
            record.affinity_key = keys[0]
        self.due_s = now_s + asker.deadline_s
        if ask.stream and ask.stream_type is EVENT_STREAM and limits.keepalive_s > 0:
            self._begin_silence(demand.harness, asker.deadline_s)
        return demand

    def _remembered(self, found: Understood | UnknownModel, now_s: float) -> Demand:
        if isinstance(found, UnknownModel):
            raise errors.WrongRequestError(errors.unknown_model(found))
        if found.turn is not None or found.is_stripped:
            remember(found, self._serving, now_s)
        return found.demand

    def _resumed(self, demand: Demand, given: bytes) -> Demand:
        key = self.record.idempotency_key = checkpoint_key(given, self.record.client_key)
        if key is None:
            return demand
        self._resumption = Resumption(self._serving.memory.checkpoints, key, self._gateway.now())
        return self._resumption.noted(demand)

    # Attempts

    async def _attempts(self, demand: Demand, now_s: float) -> None:
        record, shared = self.record, self._gateway.shared
        tried = NOBODY if self._resumption is None else self._resumption.tried
        panicked = False
        decision: Decision = self._serving.router.decide(demand, now_s, tried)
        if tried and isinstance(decision, Refusal):
            assert self._resumption is not None
            tried = self._resumption.begin_anew()
            decision = self._decide(demand, tried, panicked)
        while True:
            if shared is not None and isinstance(decision, Dispatch):
                decision = await shared.admitted(decision, partial(self._decide, demand, tried, panicked))
                now_s = self._gateway.now()
            if isinstance(decision, Refusal):
                await self._refused(decision)
                return
            attempt = Attempt(self._gateway, self._serving, decision, len(record.attempts) + 1, now_s)
            running = self._try(attempt)
            if running is not None:
                await running
            failure = attempt.failure
            if failure is None:
                return
            if self._downstream.has_started:
                record.status = attempt.record.status
                self._note_failure(failure)
                return
            if not attempt.may_try_again:
                tried |= {decision.replica.id}
            panicked |= decision.evidence.panic
            if not failure.policy.try_elsewhere or len(record.attempts) >= self._serving.limits.max_attempts or self._is_client_gone:
                await self._reply_failure(attempt)
                return
            now_s = self._gateway.now()
            decision = self._serving.router.decide(demand, now_s, tried, panicked=panicked)

    def _decide(self, demand: Demand, tried: frozenset[str], panicked: bool) -> Decision:
        return self._serving.router.decide(demand, self._gateway.now(), tried, panicked=panicked)

    async def _refused(self, refusal: Refusal) -> None:
        """Nobody may be asked now: because of the request, or because all have failed."""
        if self._attempt is not None:
            await self._reply_failure(self._attempt)
        else:
            self.record.last_decision = refusal
            await self._reply_error(errors.refused(refusal), Status.REFUSED)

    def _try(self, attempt: Attempt) -> Coroutine[Any, Any, None] | None:
        """What is to be awaited, not a coroutine itself; None where the upstream's dialect has no words for the request."""
        self._attempt = attempt
        record, events = self.record, self._gateway.events
        record.attempts.append(attempt.record)
        record.last_decision = attempt.dispatch
        if events.is_recording:
            events.attempt_began(record)
        ask, caller, upstream, prompt = self._ask, self._caller, attempt.upstream, self._prompt
        dialect, replica = caller.dialect, upstream.replica
        parsed, self._parsed = self._parsed, None
        if parsed is None:
            parsed = _parse(prompt, caller.in_path)
        if ask.defaults:
            ask.is_for_reasoner = _reasons(replica)
        spoken = dialect.name
        if spoken not in replica.dialects or upstream.absent or ask.needs_all_of_responses:
            spoken = self._spoken_with(attempt)
        limits = self._serving.limits
        if spoken == dialect.name:
            self._translation = None
            body = dialect.prepare(prompt, parsed, ask, replica.upstream_model)
            relay = Relay(self._downstream, dialect, ask, limits, self._commit)
        else:
            translation = self._translation = self._translated(attempt, parsed, spoken)
            if translation is None:
                return None
            body = translation.take_body()
            relay = HoldingRelay(self._downstream, translation.dialect, ask, limits, self._commit)
        target = (upstream.stream_targets if ask.stream else upstream.targets)[spoken]
        headers = caller.to_upstream.get(replica.id) or caller.cross_to(upstream)
        request = UpstreamRequest(upstream.origin, b"POST", target, headers, body, upstream.deadlines, True, replica.id)
        return attempt.run(request, spoken, relay)

    def _spoken_with(self, attempt: Attempt) -> str:
        """The dialect of an attempt for which the client's may not do."""
        upstream, name, demand = attempt.upstream, self._caller.dialect.name, attempt.dispatch.evidence.demand
        replica = upstream.replica
        # Neither an endpoint that was not there just now, nor one that lacks what the request needs.
        is_beyond = self._ask.needs_all_of_responses and not upstream.kind.has_all_of_responses
        absent = [*upstream.absent_at(self._gateway.now()), *([name] if is_beyond else ())]
        spoken = upstream_dialect(demand, replica, absent) or upstream_dialect(demand, replica)
        assert spoken is not None, "the gate lets nobody pass who is not understood"
        return spoken

    def _translated(self, attempt: Attempt, parsed: dict[str, Any], spoken: str) -> Translation | None:
        """The request in the dialect `spoken`. None: the attempt has failed, for there are no words for it."""
        source = Source(self._caller.dialect, parsed, self._ask, self.record.id, int(self._gateway.wall()))
        try:
            translation = translate(source, self._serving.dialects[spoken], attempt.upstream.replica)
        except UntranslatableError as error:
            attempt.refuse(error)
            return None
        self.record.last_decision = with_losses(attempt.dispatch, translation)
        return translation

    def _commit(self, answer: Answer, stream_type: bytes | None) -> Lines:
        """The first content byte goes out now: no other replica may answer, and the deadline has done its work."""
        attempt = self._attempt
        assert attempt is not None
        self.due_s = NEVER
        self._prompt = b""
        record = self.record
        # The time to a whole generated answer says how long it was, not how quick the replica is.
        attempt.committed(record.stream or record.dialect == "embeddings")
        told = attempt.told if self._translation is None else self._translation.lines
        if stream_type is not None:
            if self._patience is not None and not answer.has_ended():
                self._silence_of(self._patience).watch()
            if stream_type is not EVENT_STREAM:
                told = as_lines([(name, stream_type if name == b"content-type" else value) for name, value in as_pairs(told)])
        asker = self._asker
        assert asker is not None
        return self._beside_own(as_pairs(told)) if asker.tells_more else self._own_lines(told)

    # Silence

    def _begin_silence(self, harness: str, deadline_s: float) -> None:
        patience = self._patience = patience_of(self._caller.dialect.name, harness)
        # Some harnesses give up on a head before donut's own deadline.
        if patience is not None and patience.speak_by_s < deadline_s:
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

    # Leaving

    def _client_left(self) -> None:
        """Called by the connection, not awaited by anyone: cancel, or read on for the sake of the account."""
        self._is_client_gone = True
        task, gateway = self._downstream.task, self._gateway
        upstream = self._attempt.upstream if self._attempt is not None else None
        is_answered = self._downstream.has_started or not self.record.stream
        wants_drain = upstream is not None and upstream.on_disconnect is OnDisconnect.DRAIN and is_answered
        if upstream is None or not wants_drain or gateway.draining >= upstream.drain_max_concurrent:
            task.cancel()
            return
        self.is_draining = True
        asyncio.get_running_loop().call_later(upstream.drain_s, task.cancel)

    def deadline_passed(self) -> None:
        """Called by the sweep."""
        if not self._downstream.has_started:
            self._is_too_late = True
            self._downstream.task.cancel()

    async def _interrupted(self) -> None:
        """The task was cancelled: the client left, the deadline passed, or the server stops."""
        if self._is_client_gone:
            self._abandon(GONE, Status.CLIENT_GONE)
        elif self._is_too_late:
            assert self._asker is not None
            self._downstream.task.uncancel()
            self._abandon(Failure(FailureKind.STALLED, "no content within the exchange's deadline"), Status.UPSTREAM_ERROR)
            await self._reply_error(errors.deadline_passed(self._asker.deadline_s), Status.UPSTREAM_ERROR)
        else:
            await self._say_goodbye()

    async def _say_goodbye(self) -> None:
        """The server stops and the grace is over: tell the client instead of vanishing."""
        self._abandon(STOPPING, Status.TRUNCATED if self._downstream.has_started else Status.UPSTREAM_ERROR)
        self.record.error_code = "shutting_down"
        self._downstream.task.uncancel()  # before Python 3.11.3 a timeout in a task that was cancelled does not end as one
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

    def _abandon(self, failure: Failure, status: Status) -> None:
        self.record.status = status
        if self._attempt is not None:
            self._attempt.abandon(failure, status)

    def _finish(self) -> None:
        record, downstream, attempt, gateway = self.record, self._downstream, self._attempt, self._gateway
        record.total_s = gateway.now() - self._began
        record.http_status = downstream.status
        record.bytes_out = downstream.bytes_out
        if self._is_client_gone:
            record.status, record.http_status = Status.CLIENT_GONE, 499
        if attempt is not None:
            replica = attempt.upstream.replica
            record.logical_model_id, record.replica_id = replica.logical_model_id, replica.id
            record.provider_id, record.tier = replica.provider_id, replica.tier._value_
        if self._resumption is not None:
            failed = (attempt.replica_id for attempt in record.attempts if attempt.is_tried)
            self._resumption.end(failed, gateway.now(), is_answered=record.status is Status.OK)
        gateway.put(record)


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
