"""A month of people and twenty replicas whose limits have every shape: counted here, reported there, hidden, or lied about.

The production router in virtual time. What is true of each limit is kept in plain lists, and held against what the router did:

- A limit that donut counts is never exceeded by more than its open attempts took beyond their estimates.
- Whoever is turned away for lack of headroom is turned away with reason: there truly was no room, by plain arithmetic.
- A vendor's wall is hit seldom, whether its reports are true, missing or lies; and a lie costs no more than an hour at a time.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from routing.facts import AttemptFailed, AttemptFinished, Failure, FailureKind, FirstToken, LimitsReported
from routing.headroom.limits import SLOT, Limit, Limits, Scope, counted
from routing.headroom.meters import GRAINS
from routing.headroom.types import WINDOW_S, ReportedLimit, Unit, Window
from routing.types import Dispatch, ModelReplica, ModelTier, Price, Refusal, RejectReason, Usage
from tests.playbook import catalog_of, demand_for, for_tier, replica, router_for

DAY_S = 86_400.0
OURS = "budgeted"
"""Accounts whose limits are configured; the vendors themselves have none."""


@dataclass(slots=True)
class Open:
    account: str
    number: int
    held: dict[Unit, int]
    usage: Usage


@dataclass(slots=True)
class Wall:
    """A vendor's own limit: so many tokens or requests in a fixed window. Input counts at the start, output at the end."""

    window_s: float
    unit: Unit
    most: int
    reports: str = "truly"
    """truly, not, `plenty` (whatever happens) or `nothing` (for weeks)."""
    used: int = 0
    period: int = -1

    def turn(self, now_s: float) -> None:
        period = int(now_s // self.window_s)
        if period != self.period:
            self.period, self.used = period, 0

    def resets_in_s(self, now_s: float) -> float:
        return (int(now_s // self.window_s) + 1) * self.window_s - now_s

    def take(self, tokens: int, now_s: float) -> bool:
        self.turn(now_s)
        amount = 1 if self.unit is Unit.REQUESTS else tokens
        if self.used + amount > self.most:
            return False
        self.used += amount
        return True

    def add_output(self, tokens: int, now_s: float) -> None:
        self.turn(now_s)
        self.used += 0 if self.unit is Unit.REQUESTS else tokens

    def report(self, now_s: float) -> tuple[ReportedLimit, ...]:
        self.turn(now_s)
        left, resets_in_s = max(0, self.most - self.used), self.resets_in_s(now_s)
        if self.reports == "not":
            return ()
        if self.reports == "plenty":
            left = self.most
        if self.reports == "nothing":
            left, resets_in_s = 0, 18 * DAY_S
        if self.unit is Unit.SHARE:
            share = round(left / self.most, 2)
            return (ReportedLimit("plan", Unit.SHARE, window_s=self.window_s, left_share=share, resets_in_s=resets_in_s),)
        return (ReportedLimit("limit", self.unit, window_s=self.window_s, most=self.most, left=left, resets_in_s=resets_in_s),)


WALLS: dict[str, Wall] = {
    "minutely": Wall(60.0, Unit.TOKENS, 20_000),
    "plan": Wall(18_000.0, Unit.SHARE, 200_000),
    "daily": Wall(DAY_S, Unit.REQUESTS, 90),
    "weekly": Wall(7 * DAY_S, Unit.SHARE, 1_500_000),
    "silent": Wall(3600.0, Unit.TOKENS, 40_000, "not"),
    "boaster": Wall(3600.0, Unit.TOKENS, 40_000, "plenty"),
    "miser": Wall(3600.0, Unit.TOKENS, 600_000, "nothing"),
}
LIMITS: tuple[Limit, ...] = (
    Limit(Scope.PROVIDER, f"{OURS}-1", Unit.TOKENS, Window.MINUTE, 25_000, "tokens a minute"),
    Limit(Scope.PROVIDER, f"{OURS}-1", Unit.COST, Window.MONTH, 9.0, "dollars a month"),
    Limit(Scope.PROVIDER, f"{OURS}-2", Unit.REQUESTS, Window.HOUR, 8, "requests an hour"),
    Limit(Scope.PROVIDER, f"{OURS}-2", Unit.TOKENS, Window.DAY, 300_000, "tokens a day"),
    Limit(Scope.PROVIDER, f"{OURS}-3", Unit.TOKENS, Window.FIVE_HOURS, 120_000, "tokens in five hours"),
    Limit(Scope.PROVIDER, f"{OURS}-3", Unit.OUTPUT_TOKENS, Window.WEEK, 150_000, "output a week"),
)
"""Together less than what is asked by day, and more than what is asked by night."""
ACCOUNTS = (*WALLS, *sorted({limit.id for limit in LIMITS}))
OUTAGES = 3
"""Of each account."""
BURST = 60


def fleet() -> list[ModelReplica]:
    """Two models on each of ten accounts: all of one tier, at nearly one price."""
    return [
        replica(f"{account}/{model}", model, ModelTier.MID, price=Price(1.0 + i / 100, 4.0))
        for i, account in enumerate(ACCOUNTS)
        for model in ("x", "y")
    ]


@dataclass(slots=True)
class Tally:
    asked: int = 0
    answered: int = 0
    refused: int = 0
    walls_hit: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    by_replica: Counter[str] = field(default_factory=Counter)
    days_served: dict[str, set[int]] = field(default_factory=dict)
    overshoot: Counter[str] = field(default_factory=Counter)
    """Limit → the most by which it was exceeded, counted."""
    missed: Counter[str] = field(default_factory=Counter)
    """Account → refusals although it had room behind its wall: that was not known here, or it had said otherwise."""
    unfounded: list[str] = field(default_factory=list)
    """Rejects for lack of headroom where there was room."""


class Month:
    def __init__(self, seed: int, days: float = 30.0, per_day: int = 900) -> None:
        self.dice = Random(seed)
        self.ends_s = days * DAY_S
        self.walls = {name: Wall(each.window_s, each.unit, each.most, each.reports) for name, each in WALLS.items()}
        self.router = router_for(catalog_of(*fleet()), limits=Limits(LIMITS))
        self.tally = Tally()
        self.now_s = 0.0
        self.open: dict[int, Open] = {}
        self.ended: dict[str, deque[tuple[float, dict[Unit, int]]]] = {account: deque() for account in ACCOUNTS}
        self.allowed: Counter[str] = Counter()
        """Limit → how far it may be exceeded: what the open attempts took beyond their estimates, at the worst moment so far."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._arrive(per_day)
        self.down = {account: self._outages() for account in ACCOUNTS}

    def _outages(self) -> list[tuple[float, float]]:
        starts = [self.dice.uniform(0, self.ends_s) for _ in range(OUTAGES)]
        return [(start_s, start_s + self.dice.uniform(300, 4 * 3600)) for start_s in starts]

    def _arrive(self, per_day: int) -> None:
        now_s = 0.0
        while now_s < self.ends_s:
            is_day = 8 <= now_s % DAY_S / 3600 < 20
            now_s += self.dice.expovariate(per_day * (1.7 if is_day else 0.3) / DAY_S)
            for _ in range(BURST if self.dice.random() < 0.002 else 1):
                self.at(now_s, self.ask)

    def at(self, time_s: float, event: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (time_s, self._number, event))

    def run(self) -> Tally:
        while self._events:
            self.now_s, _, event = heapq.heappop(self._events)
            event()
        assert not self.router.fleet.open_reservations
        assert not any(counter.held for counter in self.router.fleet.headroom.counters.values())
        return self.tally

    # One request

    def ask(self) -> None:
        self.tally.asked += 1
        tokens = int(self.dice.lognormvariate(8.3, 0.9))
        self._try(tokens, frozenset())

    def _try(self, tokens: int, tried: frozenset[str]) -> None:
        demand = demand_for(for_tier(ModelTier.MID), input_tokens_estimated=tokens, output_tokens_estimated=512, stream=True)
        decision = self.router.decide(demand, self.now_s, tried)
        for reject in decision.evidence.rejected:
            if reject.reason is RejectReason.NO_HEADROOM:
                self._judge(reject.replica_id, tokens, reject.detail)
        if isinstance(decision, Refusal):
            self.tally.refused += 1
            self.tally.missed.update(account for account in self.walls if self._had_room(account, tokens))
            return
        self._send(decision, tokens, tried)

    def _had_room(self, account: str, tokens: int) -> bool:
        """Would that vendor truly have answered, with all that is under way there?"""
        wall = self.walls[account]
        wall.turn(self.now_s)
        if any(start_s <= self.now_s < end_s for start_s, end_s in self.down[account]):
            return False
        coming = sum(each.usage.output for each in self.open.values() if each.account == account)
        needed = 1 if wall.unit is Unit.REQUESTS else tokens + coming
        return wall.used + needed <= wall.most

    def _send(self, decision: Dispatch, tokens: int, tried: frozenset[str]) -> None:
        account = decision.replica.provider_id
        self.tally.attempts[account] += 1
        self.tally.by_replica[decision.replica.id] += 1
        wall = self.walls.get(account)
        if any(start_s <= self.now_s < end_s for start_s, end_s in self.down[account]):
            self._fail(decision, Failure(FailureKind.OVERLOADED, "down"), tokens, tried)
        elif wall is not None and not wall.take(tokens, self.now_s):
            self.tally.walls_hit[account] += 1
            wait_s = wall.resets_in_s(self.now_s)
            self._fail(decision, Failure(FailureKind.RATE_LIMITED, "wall", wait_s), tokens, tried)
        else:
            self._begin(decision, tokens)

    def _fail(self, decision: Dispatch, failure: Failure, tokens: int, tried: frozenset[str]) -> None:
        self.router.observe(AttemptFailed(decision.reservation, failure), self.now_s)
        if failure.kind is not FailureKind.RATE_LIMITED:
            self._ended(decision.replica.provider_id, Usage())
        self._try(tokens, tried | {decision.replica.id})

    def _begin(self, decision: Dispatch, tokens: int) -> None:
        account, number = decision.replica.provider_id, decision.reservation
        usage = Usage(tokens, output=int(self.dice.lognormvariate(6.0, 0.8)))
        hold = self.router.fleet.headroom.open_holds.get(number)
        held = {unit: int(hold.amounts[slot]) for unit, slot in SLOT.items()} if hold is not None else {}
        self.open[number] = Open(account, number, held, usage)
        self._note_allowed(account)
        if (wall := self.walls.get(account)) is not None and (limits := wall.report(self.now_s)):
            self.router.observe(LimitsReported(decision.replica.id, limits), self.now_s)
        self.router.observe(FirstToken(number, 0.5), self.now_s)
        self.at(self.now_s + self.dice.uniform(2, 60), lambda: self._finish(number))

    def _finish(self, number: int) -> None:
        done = self.open.pop(number)
        if (wall := self.walls.get(done.account)) is not None:
            wall.add_output(done.usage.output, self.now_s)
        self.router.observe(AttemptFinished(number, done.usage, done.usage.output), self.now_s)
        self.tally.answered += 1
        self.tally.days_served.setdefault(done.account, set()).add(int(self.now_s // DAY_S))
        self._ended(done.account, done.usage)
        self._look_at_limits(done.account)

    # What is true

    def _ended(self, account: str, usage: Usage) -> None:
        if account.startswith(OURS):
            used = self._used(account, usage)
            used[Unit.REQUESTS] = 1
            self.ended[account].append((self.now_s, used))

    def _used(self, account: str, usage: Usage) -> dict[Unit, int]:
        price = 1.0 + ACCOUNTS.index(account) / 100
        return {
            Unit.TOKENS: usage.input + usage.output,
            Unit.OUTPUT_TOKENS: usage.output,
            Unit.COST: counted(Unit.COST, (usage.input * price + usage.output * 4.0) / 1e6),
        }

    def _beyond(self, limit: Limit) -> int:
        """What the open attempts will have used beyond what they hold."""
        mine = [each for each in self.open.values() if each.account == limit.id]
        return sum(max(0, self._used(limit.id, each.usage).get(limit.unit, 1) - each.held[limit.unit]) for each in mine)

    def _note_allowed(self, account: str) -> None:
        for limit in LIMITS:
            if limit.id == account:
                self.allowed[limit.source] = max(self.allowed[limit.source], self._beyond(limit))

    def _total(self, limit: Limit, seconds: float) -> int:
        total, since_s = 0, self.now_s - seconds
        for time_s, used in reversed(self.ended[limit.id]):
            if time_s <= since_s:
                break
            total += used[limit.unit]
        return total

    def _look_at_limits(self, account: str) -> None:
        for limit in LIMITS:
            if limit.id == account:
                beyond = self._total(limit, WINDOW_S[limit.window]) - counted(limit.unit, limit.most)
                self.tally.overshoot[limit.source] = max(self.tally.overshoot[limit.source], beyond)

    def _judge(self, replica_id: str, tokens: int, detail: str) -> None:
        """Was there really no room?"""
        account = replica_id.partition("/")[0]
        if not account.startswith(OURS):
            return
        for limit in LIMITS:
            if limit.id == account and detail.startswith(limit.source):
                held = sum(each.held[limit.unit] for each in self.open.values() if each.account == account)
                # The largest need that donut may have seen in it: the prompt, and an answer as long as the longest expectation.
                sizing = self.router.fleet.headroom.sizing
                usage = Usage(sizing.calibration("x").input_tokens(tokens) + 1, output=sizing.outputs.most)
                needed = self._used(account, usage).get(limit.unit, 1)
                total = self._total(limit, WINDOW_S[limit.window] * (1 + 1 / GRAINS))
                if total + held + needed * 1.02 < counted(limit.unit, limit.most):
                    self.tally.unfounded.append(f"{self.now_s:.0f} {replica_id}: {detail}; truly {total} used, {held} held")
