"""What donut believes about every replica, and the reservations that are open. Changed by `Router.decide` and `Router.observe` only."""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from routing.affinity import Affinity
from routing.calibration import Calibration
from routing.facts import FailureKind
from routing.headroom.book import Book
from routing.headroom.counters import CounterKey
from routing.headroom.limits import Limits
from routing.headroom.sizing import Sizing
from routing.headroom.standing import FULL, Standing
from routing.headroom.types import ReportedLimit
from routing.health import HEALTHY, Health, HealthState
from routing.retry import RetryWindow
from routing.skew import Twins
from routing.timing import UNMEASURED, Timing
from routing.types import Demand, ModelReplica, Usage

TICK_S = 15.0
"""How often belief ages. What fades does so over minutes, so a finer grain would only cost rankings."""

ERROR_SMOOTHING = 0.2
ERROR_HALF_LIFE_S = 120.0
"""Twice the longest ejection: to fail now and then, below what ejects, must not cost less than to fail three times in a row."""
ERROR_FORGOTTEN = 0.01

TURN_SMOOTHING = 0.2
"""As for the other times (routing/timing.py)."""

QUEUE_MOST_S = 60.0
"""The longest queue that anybody is sent into while somebody else can answer. Chosen, not measured: to leave costs a dearer model and often
the prompt cache, and a minute of waiting costs more than either."""

TIMING_REST_S = 0.005
"""Between two first tokens of one replica that are timed: all of them while they are few. Five outweigh all before them, so a share of what
thousands say in a second is the same news."""

WARM_S = 300.0
"""Ollama unloads a model, and Anthropic drops a prompt cache, five minutes after the last use unless told otherwise."""

TIMING_FORGOTTEN_S = 600.0
"""Nobody asks a replica that was once measured as slow, so nobody would learn that it is slow no more: after ten minutes it is unknown."""


class Belief(Protocol):
    """The part of a replica's state that factors read."""

    @property
    def in_flight(self) -> int: ...

    @property
    def waiting(self) -> int:
        """Of the attempts in flight, those whose first token has not come."""

    @property
    def timing(self) -> Timing: ...

    @property
    def error_rate(self) -> float:
        """Share of the newest attempts that failed by its fault; fades with time, so that nobody is shunned for ever."""

    @property
    def is_warm(self) -> bool:
        """Did it answer lately?"""

    @property
    def standing(self) -> Standing:
        """What is left of its limits."""

    @property
    def skew(self) -> float:
        """How much more of its model's traffic it gets than an even part, as a share of all of it; negative for less."""


class Reading(NamedTuple):
    """A belief as it was at one moment."""

    in_flight: int = 0
    waiting: int = 0
    timing: Timing = UNMEASURED
    error_rate: float = 0.0
    is_warm: bool = False
    standing: Standing = FULL
    skew: float = 0.0


@dataclass(slots=True)
class ReplicaState:
    """Belief about one replica. Survives a config reload as long as the replica's id does."""

    health: HealthState = field(default_factory=HealthState)
    in_flight: int = 0
    begun: int = 0
    """Of the attempts in flight, those whose first token has come."""
    timing: Timing = UNMEASURED
    timing_rests_until_s: float = -math.inf
    """No first token that comes before is timed."""
    error_rate: float = 0.0
    answered_s: float | None = None
    is_warm: bool = False
    is_at_its_best: bool = False
    """Is one more good answer no news? Said by `Fleet.judge_health`; False where nobody has looked."""
    standing: Standing = FULL
    """What the book of limits (`Fleet.headroom`) last said of it."""
    recent: float = 0.0
    """Attempts of the last minutes, fading."""
    skew: float = 0.0
    began_s: float | None = None
    """When its newest attempt to begin began."""
    turn_s_ewma: float | None = None
    """Seconds from one beginning to the next while somebody waited: what each place in its queue costs. None: nobody ever waited, or it is
    not on this machine: a vendor's queue is not ours to count."""
    finished: int = 0
    failed: int = 0
    changed: int = 0
    """`Fleet.changes` at its latest change."""

    @property
    def headroom(self) -> float:
        """What is left before its tightest limit, as a share; 1.0 for what is unmetered or not known."""
        return self.standing.share

    @property
    def waiting(self) -> int:
        return self.in_flight - self.begun

    @property
    def ttft_s_ewma(self) -> float | None:
        return self.timing.ttft_s_ewma

    def reading(self) -> Reading:
        return Reading(self.in_flight, self.in_flight - self.begun, self.timing, self.error_rate, self.is_warm, self.standing, self.skew)

    @property
    def queue_s(self) -> float:
        """How long a new attempt would wait for those that wait already; 0.0 while it was never seen to keep anybody waiting."""
        return self.waiting * self.turn_s_ewma if self.turn_s_ewma is not None else 0.0

    def began(self, sent_s: float, now_s: float) -> None:
        """The answer to what was sent at `sent_s` begins. If another one began since then, this one stood in a queue.

        The gap between two such beginnings holds all that limits a server, the prompts it reads and the slots that answers keep busy,
        without asking which of them it was.
        """
        previous_s, self.began_s = self.began_s, now_s
        if previous_s is None or previous_s <= sent_s:
            return
        turn_s, known = now_s - previous_s, self.turn_s_ewma
        self.turn_s_ewma = turn_s if known is None else known + TURN_SMOOTHING * (turn_s - known)

    def answered(self, now_s: float) -> None:
        self.answered_s = now_s
        self.is_warm = True

    def note_outcome(self, *, is_error: bool) -> None:
        if is_error or self.error_rate:
            self.error_rate += ERROR_SMOOTHING * (is_error - self.error_rate)

    def age(self, seconds: float, now_s: float) -> bool:
        """Let time pass; False once nothing here fades any more."""
        rate = self.error_rate * 0.5 ** (seconds / ERROR_HALF_LIFE_S)
        self.error_rate = rate if rate >= ERROR_FORGOTTEN else 0.0
        idle_s = now_s - self.answered_s if self.answered_s is not None else TIMING_FORGOTTEN_S
        self.is_warm = self.is_warm and idle_s < WARM_S
        if idle_s >= TIMING_FORGOTTEN_S:
            self.timing, self.turn_s_ewma = UNMEASURED, None
        return bool(self.error_rate or idle_s < TIMING_FORGOTTEN_S)


class Errand(enum.Enum):
    """What an attempt is besides somebody's request."""

    PLAIN = "plain"
    PROBE = "probe"
    """The one that finds out whether a replica on probation is back."""
    PANIC = "panic"
    """Sent to one that is ill because nobody else was left. It takes no probe's place: several may be out at once."""

    TRIAL = "trial"
    """The one that finds out whether a rate limit is over. It was sent to a replica that was well, so it heals nothing."""

    @property
    def is_news(self) -> bool:
        """Does its end tell how the replica is now? It was sent after the illness had begun."""
        return self is Errand.PROBE or self is Errand.PANIC

    @property
    def is_alone(self) -> bool:
        """Do others wait for what it finds out?"""
        return self is Errand.PROBE or self is Errand.TRIAL


PLAIN = Errand.PLAIN
"""A name of the module is found quicker than a member of an enum."""


def errand_to(health: HealthState) -> Errand:
    """Of an attempt that is not sent in panic."""
    if health.health is not HEALTHY:
        return Errand.PROBE
    return Errand.TRIAL if health.limited_until_s > 0.0 else PLAIN  # `needs_probe` without the call


Reservation = tuple[ModelReplica, ReplicaState, Demand, float, Errand]
"""What one open attempt holds: a place at a replica, whose state is beside it; for whom, since when, and what the attempt is besides. Its
parts have no names: it is made once and taken apart once, which costs a seventh of reading them by name."""


class Fleet:
    def __init__(self, input_ratios: Mapping[str, float] | None = None, affinity: Affinity | None = None) -> None:
        """`input_ratios`: logical model id → reported ÷ estimated input tokens, as an earlier process learned them."""
        self.affinity = affinity if affinity is not None else Affinity()
        self.changes = 0
        """How often somebody's state became another."""
        self.retries = RetryWindow()
        self.headroom = Book(Sizing(input_ratios))
        self.twins = Twins()
        self.unwell: set[str] = set()
        """Ids of replicas that are ejected, on probation, rate limited or with a long queue: the only ones that gates
        need look at."""
        self._states: dict[str, ReplicaState] = {}
        self._open: dict[int, Reservation] = {}
        self._began: dict[int, float] = {}
        self._newest_reservation = 0
        self._fading: set[str] = set()
        self._tick = 0
        self.next_tick_s = TICK_S
        """Before this moment there is nothing to `advance`."""

    def state(self, replica_id: str) -> ReplicaState:
        found = self._states.get(replica_id)
        if found is None:
            found = self._states[replica_id] = ReplicaState()
        return found

    def siblings(self, replica_id: str) -> list[str]:
        """Ids of all known replicas of the same account, itself included."""
        account = replica_id.partition("/")[0]
        return [id_ for id_ in self._states if id_.partition("/")[0] == account]

    def calibration(self, logical_model_id: str) -> Calibration:
        return self.headroom.sizing.calibration(logical_model_id)

    def serve(self, replicas: Collection[ModelReplica], limits: Limits) -> None:
        """These replicas under these limits from now on. What is believed and counted stays."""
        self.headroom.configure(limits, replicas)
        self.twins.serve(replicas)
        self._take_standings()

    def advance(self, now_s: float) -> None:
        """Let time pass. Cheap within a tick."""
        if now_s < self.next_tick_s:
            return
        tick = int(now_s // TICK_S)
        seconds = (tick - self._tick) * TICK_S
        self._tick, self.next_tick_s = tick, (tick + 1) * TICK_S
        for id_ in sorted(self._fading):
            if not self._states[id_].age(seconds, now_s):
                self._fading.discard(id_)
            self.note(id_)
        self.headroom.advance(now_s)
        self._take_standings()
        for id_ in self.twins.weigh(self._states, seconds):
            self._mark(self._states[id_])

    def _take_standings(self) -> None:
        """What changed in the book of limits, rankings are to see."""
        changed = self.headroom.changed
        if changed:
            for place in changed:
                state = self.state(place.id)
                state.standing = place.standing
                self._mark(state)
            changed.clear()

    def note(self, replica_id: str) -> None:
        """Its state changed: rankings look at it again, gates too while it is unwell.

        A rate limit counts until the next success, even when its time is over: that is only slower.
        """
        state = self._states[replica_id]
        self._mark(state)
        self.judge_health(replica_id, state)

    def _mark(self, state: ReplicaState) -> None:
        """Rankings look at it again."""
        self.changes += 1
        state.changed = self.changes

    def judge_health(self, replica_id: str, state: ReplicaState) -> None:
        """Keep `unwell` and `is_at_its_best` true."""
        health = state.health
        if health.health is Health.HEALTHY and not health.limited_until_s and state.queue_s <= QUEUE_MOST_S:
            self.unwell.discard(replica_id)
        else:
            self.unwell.add(replica_id)
        state.is_at_its_best = state.is_warm and state.error_rate == 0.0 and health.is_spotless

    def note_fading(self, replica_id: str) -> None:
        """As `note`, and something in it fades with time."""
        self._fading.add(replica_id)
        self.note(replica_id)

    def note_fading_figures(self, replica_id: str, state: ReplicaState) -> None:
        """The same where its health and its queue are what they were."""
        self._fading.add(replica_id)
        self.changes = state.changed = self.changes + 1  # `_mark`, inlined

    @property
    def open_reservations(self) -> int:
        return len(self._open)

    def tokens_reserved(self) -> Counter[str]:
        """Replica id → what its open attempts were expected to take. Summed up when somebody asks."""
        found: Counter[str] = Counter()
        for replica, _, demand, _, _ in self._open.values():
            found[replica.id] += demand.tokens_estimated
        return found

    def reserve(self, replica: ModelReplica, state: ReplicaState, demand: Demand, now_s: float, errand: Errand = PLAIN) -> int:
        """Hold the demand's tokens and one slot; returns the reservation that must be settled exactly once. `state`: the replica's."""
        number = self._newest_reservation = self._newest_reservation + 1
        self._open[number] = (replica, state, demand, now_s, errand)
        state.in_flight += 1
        state.recent += 1.0
        if errand is not PLAIN and errand.is_alone:
            state.health.probe = number
        if state.turn_s_ewma is not None and state.queue_s > QUEUE_MOST_S:
            self.unwell.add(replica.id)
        if self.headroom.is_watching:
            self.headroom.hold(number, replica, demand, now_s)
            self._take_standings()
        if replica.is_local:
            self._mark(state)  # its queue tells how long the next one waits
        return number

    def count(self, number: int, usage: Usage | None, failure: FailureKind | None, now_s: float) -> None:
        """The open attempt `number` is over and used so much; to be followed by `settle`."""
        if self.headroom.is_watching:
            self.headroom.settle(number, usage, failure, now_s)
            self._take_standings()

    def report(self, replica_id: str, limits: Iterable[ReportedLimit], now_s: float) -> None:
        """What a provider said of its limits."""
        self.headroom.report(replica_id, limits, now_s)
        self._take_standings()

    def share_used(self, counter: CounterKey, used: int, now_s: float) -> None:
        """What all processes together used of one counter, and hold."""
        self.headroom.share_used(counter, used, now_s)
        self._take_standings()

    def began(self, number: int, now_s: float) -> Reservation:
        """The first token of an open attempt came; returns what it holds. Raises KeyError once it is settled."""
        held = self._open[number]
        if number not in self._began:
            self._began[number] = now_s
            replica, state, _, sent_s, errand = held
            state.begun += 1
            if replica.is_local:
                state.began(sent_s, now_s)
            if errand is Errand.TRIAL and state.health.probe == number:
                state.health.probe = None  # it has found out; a long answer need not keep anybody waiting
        return held

    def settle(self, number: int) -> tuple[Reservation, float | None]:
        """Give back what `number` held: what that was, and when its first token came. Settling twice is a bug and crashes loudly."""
        held = self._open.pop(number, None)
        assert held is not None, f"reservation {number} was settled before, or never made"
        replica, state, _, _, errand = held
        began_s = self._began.pop(number, None)
        if began_s is not None:
            state.begun -= 1
        state.in_flight -= 1
        assert state.in_flight >= state.begun
        if errand is not PLAIN and state.health.probe == number:
            state.health.probe = None
        if replica.is_local:
            self._mark(state)
        return held, began_s
