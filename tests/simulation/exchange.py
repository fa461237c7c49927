"""What `proxy/exchange.py` does with one request, in virtual time: decide, attempt, elsewhere while nothing was sent, settle once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from routing.facts import AttemptFailed, AttemptFinished, Fact, Failure, FailureKind, FirstToken
from routing.router import Router
from routing.types import Decision, Dispatch, Refusal, Usage
from tests.simulation.calls import Call, Outcome, Status
from tests.simulation.events import Action, Events, Timer
from tests.simulation.upstream import Job, Upstream

MAX_ATTEMPTS = 4
"""`proxy.serving.Limits`, as shipped."""


class Attempt:
    def __init__(self, dispatch: Dispatch, job: Job, began_s: float) -> None:
        self.replica = dispatch.replica
        self.reservation = dispatch.reservation
        self.job = job
        self.began_s = began_s
        self.ttft_s: float | None = None


class Observer(Protocol):
    """Who wants to know."""

    def decided(self, exchange: Exchange, decision: Decision) -> None: ...
    def settled(self, attempt: Attempt, fact: AttemptFinished | AttemptFailed) -> None: ...
    def ended(self, exchange: Exchange, outcome: Outcome) -> None: ...


class Exchange:
    """Keeps the router it began with, as an exchange keeps its `Serving`."""

    def __init__(
        self,
        number: int,
        call: Call,
        router: Router,
        upstreams: dict[str, Upstream],
        events: Events,
        observer: Observer,
        done: Callable[[Outcome], None],
    ) -> None:
        self.number = number
        self.call = call
        self.began_s = events.now_s
        self.tried: frozenset[str] = frozenset()
        self.attempts: list[Attempt] = []
        self.last_failure: Failure | None = None
        self._router = router
        self._upstreams = upstreams
        self._events = events
        self._observer = observer
        self._done = done
        self._timers: list[Timer] = []
        self._has_started = False
        self._is_over = False
        self._panicked = False

    def start(self) -> None:
        call = self.call
        self._timer(call.deadline_s, self._too_late)
        self._timer(call.patience_s, lambda: self._client_left(Status.GAVE_UP))
        if call.leaves_after_s is not None:
            # Not among the timers that the commit stops: a person presses escape in the middle of an answer.
            self._events.after(call.leaves_after_s, lambda: self._client_left(Status.CANCELLED))
        self._attempt()

    @property
    def is_too_long(self) -> bool:
        """Did the last attempt say that the prompt does not fit? Then the same model elsewhere is no better."""
        return self.last_failure is not None and self.last_failure.kind is FailureKind.CONTEXT_TOO_LONG

    def _timer(self, delay_s: float, action: Action) -> None:
        self._timers.append(self._events.after(delay_s, action))

    def _attempt(self) -> None:
        call = self.call
        decision = self._router.decide(call.demand, self._events.now_s, self.tried, panicked=self._panicked)
        self._observer.decided(self, decision)
        if isinstance(decision, Refusal):
            failure = self.last_failure
            if failure is None:
                self._end(Status.REFUSED, decision.retry_after_s)
            else:
                self._end(Status.FAILED, failure.retry_after_s)
            return
        self._panicked |= decision.evidence.panic
        demand = call.demand
        job = Job(call.conversation, demand.input_tokens_estimated, call.output_tokens, self._commit, self._ended)
        self.attempts.append(Attempt(decision, job, self._events.now_s))
        self._upstreams[decision.replica.id].send(job)

    def _commit(self) -> None:
        attempt = self.attempts[-1]
        self._has_started = True
        self._stop_timers()
        attempt.ttft_s = self._events.now_s - attempt.began_s
        if self.call.demand.stream or self.call.demand.dialect == "embeddings":
            self._observe(FirstToken(attempt.reservation, attempt.ttft_s))

    def _ended(self, result: Usage | Failure) -> None:
        attempt = self.attempts[-1]
        if isinstance(result, Usage):
            self._settle(AttemptFinished(attempt.reservation, result, self.call.output_tokens))
            self._end(Status.OK)
            return
        self.last_failure = result
        self._settle(AttemptFailed(attempt.reservation, result))
        self.tried |= {attempt.replica.id}
        if self._has_started:
            self._end(Status.TRUNCATED)
        elif not result.policy.try_elsewhere or len(self.tried) >= MAX_ATTEMPTS:
            self._end(Status.FAILED, result.retry_after_s)
        else:
            self._attempt()

    def _client_left(self, status: Status) -> None:
        if not self._is_over:
            self._abandon(Failure(FailureKind.CLIENT_GONE, "the client left"), status)

    def _too_late(self) -> None:
        self._abandon(Failure(FailureKind.STALLED, "no content within the exchange's deadline"), Status.FAILED)

    def _abandon(self, failure: Failure, status: Status) -> None:
        attempt = self.attempts[-1]
        self._upstreams[attempt.replica.id].leave(attempt.job)
        self._settle(AttemptFailed(attempt.reservation, failure))
        self._end(status)

    def _settle(self, fact: AttemptFinished | AttemptFailed) -> None:
        self._observe(fact)
        self._observer.settled(self.attempts[-1], fact)

    def _observe(self, fact: Fact) -> None:
        self._router.observe(fact, self._events.now_s)

    def _end(self, status: Status, retry_after_s: float | None = None) -> None:
        assert not self._is_over, "an exchange ends once"
        self._is_over = True
        self._stop_timers()
        provider_id = self.attempts[-1].replica.provider_id if self.attempts else None
        outcome = Outcome(status, provider_id, retry_after_s)
        self._observer.ended(self, outcome)
        self._done(outcome)

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
