"""One replica as it really is: it queues, fills its cache, runs out of quota, and has weather. What it says is all that donut learns."""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from routing.facts import Failure, FailureKind
from routing.types import Usage
from tests.simulation.events import Action, Events, Timer
from tests.simulation.machine import Memory
from tests.simulation.places import Place
from tests.simulation.prefixes import Prefixes
from tests.simulation.quota import Allowance

CONNECT_DEADLINE_S = 5.0
FIRST_BYTE_DEADLINE_S = 600.0
"""Both as shipped: `providers.transport.port.Deadlines`."""
ROUND_TRIP_S = 0.03
JITTER = 0.35
"""Sigma of the log-normal spread of first tokens: the slowest in twenty takes about 1.8 times the median."""


class Door(enum.Enum):
    """How a replica takes a connection."""

    OPEN = "open"
    REFUSING = "refusing"
    """Nobody listens: an answer within milliseconds."""
    SILENT = "silent"
    """Nobody is there at all: the connection deadline passes."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong at a replica for a while. Shares are of the requests that would go well."""

    door: Door = Door.OPEN
    error_share: float = 0.0
    """Answered with 503, before anything is counted."""
    error_s: float = 0.2
    """How long such an answer takes: an overloaded front end takes its time."""
    stall_share: float = 0.0
    """Never answered."""
    cut_share: float = 0.0
    """Ended in the middle of the answer."""
    slowness: float = 1.0
    refuses_key: bool = False


FINE = Weather()


@dataclass(eq=False, slots=True)
class Job:
    """One attempt, as its upstream sees it. The callbacks are called in virtual time; `ended` at most once."""

    conversation: str
    input_tokens: int
    """As donut counts; the model's own count differs."""
    output_tokens: int
    began: Action
    ended: Callable[[Usage | Failure], None]
    timer: Timer | None = None
    usage: Usage = field(default_factory=Usage)


class Upstream:
    def __init__(self, place: Place, allowance: Allowance, memory: Memory | None, events: Events, chance: Random) -> None:
        self.place = place
        self.weather = FINE
        self._allowance = allowance
        self._memory = memory
        self._events = events
        self._chance = chance
        self._prefixes = Prefixes(int(place.slots) * 2 if math.isfinite(place.slots) else None)
        self._working: dict[Job, None] = {}
        """In the order in which they began: a set of objects iterates by address, which no seed decides."""
        self._line: deque[Job] = deque()

    def send(self, job: Job) -> None:
        match self.weather.door:
            case Door.REFUSING:
                self._fail_in(0.002, job, FailureKind.CONNECT, "connection refused")
            case Door.SILENT:
                self._fail_in(CONNECT_DEADLINE_S, job, FailureKind.CONNECT, "no connection within 5 s")
            case Door.OPEN:
                wait_s = self._memory.knock(self._events.now_s) if self._memory is not None else 0.0
                if wait_s > CONNECT_DEADLINE_S:
                    self._fail_in(CONNECT_DEADLINE_S, job, FailureKind.CONNECT, "no connection within 5 s")
                else:
                    job.timer = self._events.after(wait_s + ROUND_TRIP_S, lambda: self._arrive(job))

    def leave(self, job: Job) -> None:
        """The connection was closed from the other side."""
        if job.timer is not None:
            job.timer.cancel()
        if job in self._line:
            self._line.remove(job)
        self._free(job)

    def change(self, weather: Weather) -> None:
        """From now on. A door that shuts cuts what is under way, and what was in memory is gone."""
        self.weather = weather
        if weather.door is not Door.OPEN:
            self._prefixes.forget()
            if self._memory is not None:
                self._memory.forget()
            for job in [*self._working, *self._line]:
                self._fail(job, Failure(FailureKind.CUT, "the connection broke"))

    def _arrive(self, job: Job) -> None:
        now_s, weather = self._events.now_s, self.weather
        tokens = round(job.input_tokens * self.place.model.token_ratio)
        if weather.refuses_key:
            self._fail(job, Failure(FailureKind.UNAUTHORIZED, "the key is not valid", None, 401))
        elif self._chance.random() < weather.error_share:
            self._fail_in(weather.error_s, job, FailureKind.OVERLOADED, "overloaded", 503)
        elif tokens + 1 > self.place.window:
            self._fail(job, Failure(FailureKind.CONTEXT_TOO_LONG, f"{tokens} tokens, at most {self.place.window}", None, 400))
        elif (wait_s := self._allowance.take(tokens + job.output_tokens, now_s)) > 0.0:
            self._fail(job, Failure(FailureKind.RATE_LIMITED, "too many requests", float(math.ceil(wait_s)), 429))
        elif len(self._working) < self.place.slots:
            self._work(job)
        elif len(self._line) < self.place.line:
            self._line.append(job)
        else:
            self._fail(job, Failure(FailureKind.OVERLOADED, "the line is full", None, 503))

    def _work(self, job: Job) -> None:
        now_s, place = self._events.now_s, self.place
        self._working[job] = None
        if self._chance.random() < self.weather.stall_share:
            self._fail_in(FIRST_BYTE_DEADLINE_S, job, FailureKind.STALLED, "no first byte within 600 s")
            return
        tokens = round(job.input_tokens * place.model.token_ratio)
        cached = self._prefixes.read(job.conversation, tokens, now_s)
        job.usage = Usage(tokens - cached, cached, 0, round(job.output_tokens * place.model.token_ratio))
        self._prefixes.write(job.conversation, tokens, now_s)
        load_s = self._memory.load(place, now_s) if self._memory is not None else 0.0
        base_s = place.base_s * self._chance.lognormvariate(0.0, JITTER)
        first_s = load_s + (base_s + (tokens - cached) / place.prefill_per_s) * self.weather.slowness
        job.timer = self._events.after(first_s, lambda: self._answer(job))

    def _answer(self, job: Job) -> None:
        rest_s = job.usage.output / self.place.decode_per_s * self.weather.slowness
        is_cut = self._chance.random() < self.weather.cut_share
        job.began()
        if is_cut:
            self._fail_in(rest_s * self._chance.random(), job, FailureKind.CUT, "the connection broke")
        else:
            job.timer = self._events.after(rest_s, lambda: self._finish(job))

    def _finish(self, job: Job) -> None:
        self._free(job)
        job.ended(job.usage)

    def _fail_in(self, delay_s: float, job: Job, kind: FailureKind, words: str, status: int | None = None) -> None:
        job.timer = self._events.after(delay_s, lambda: self._fail(job, Failure(kind, words, None, status)))

    def _fail(self, job: Job, failure: Failure) -> None:
        if job.timer is not None:
            job.timer.cancel()
        if job in self._line:
            self._line.remove(job)
        self._free(job)
        job.ended(failure)

    def _free(self, job: Job) -> None:
        self._working.pop(job, None)
        while self._line and len(self._working) < self.place.slots:
            self._work(self._line.popleft())
