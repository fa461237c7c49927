"""Keeps count of every limit: what was used, what open attempts hold, what providers report.

`hold` and `settle` frame each attempt. `Router.decide` calls the first after its gates have seen that it fits, in the same synchronous
step, so of any number of concurrent requests only as many pass as fit. A request that one limit rejects has been charged to none. What
attempts take beyond their estimates is the overshoot: at most the sum of those differences over the attempts that were open at once.

Where no limit is configured and no provider reports any, all of this is one look at `is_watching` per attempt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from routing.facts import FailureKind
from routing.headroom.alerts import Alerts
from routing.headroom.calendar import Epoch
from routing.headroom.counters import Ceiling, Counter, CounterKey
from routing.headroom.limits import ANY, NO_LIMITS, PLACES, Amounts, Limit, Limits, Scope, counted, key_of
from routing.headroom.meters import meter_for
from routing.headroom.near import Near
from routing.headroom.pacing import paced
from routing.headroom.people import People
from routing.headroom.places import Account, Place, amounts_of
from routing.headroom.reports import Report
from routing.headroom.sizing import Sizing
from routing.headroom.standing import FULL
from routing.headroom.types import ReportedLimit, ReportedScope, Unit
from routing.pricing import cost_usd
from routing.types import Demand, ModelReplica, Price, Usage

HOLD_EXPIRES_S = 3600.0
"""What an attempt holds is given back after this even if nobody ever says how it ended. Longer than any answer that is not lost: donut
itself ends a silent one after 15 minutes. One that lives longer is counted when it ends, and holds nothing until then."""

COUNTERS_KEPT = 16_384
"""Sessions and the like; about 0.5 KB each. Beyond it those are forgotten that nobody looks at and that hold nothing."""

NOT_COUNTED = frozenset({FailureKind.CONNECT, FailureKind.UNTRANSLATABLE, FailureKind.RATE_LIMITED})
"""Failures that cost no request: nothing arrived, or it was turned away at the door."""


class Charge(NamedTuple):
    """What one attempt holds of one counter, in plain values: for a store that several processes share."""

    counter: CounterKey
    amount: int
    """Counted (`limits.counted`)."""
    most: int | None
    """The tightest limit that stops anybody, counted; None where nothing does."""


class Hold(NamedTuple):
    counters: Sequence[Counter]
    reports: Sequence[tuple[Report, int, int]]
    """(report, its version, what is held of it)."""
    amounts: Amounts
    price: Price | None
    place: Place
    expires_s: float


class Book:
    def __init__(self, sizing: Sizing | None = None) -> None:
        self.sizing = sizing if sizing is not None else Sizing()
        self.epoch = Epoch()
        self.alerts = Alerts()
        self.is_watching = False
        """Is there any limit or report at all?"""
        self.has_pacing = False
        self.people = People((), self._make)
        self.dearest = 0.0
        """Billionths of a USD for the dearest token that is sold."""
        self.changed: list[Place] = []
        """Places whose standing is another; whoever reads it empties it."""
        self.counters: dict[CounterKey, Counter] = {}
        self.places: dict[str, Place] = {}
        self.limits: Limits = NO_LIMITS
        self._accounts: dict[str, Account] = {}
        self._ceilings: dict[tuple[Limit, str], Sequence[Ceiling]] = {}
        """Of places: replicas of one account share them."""
        self._near = Near()
        self._holds: dict[int, Hold] = {}
        """In the order in which they expire."""
        self._lapsed: dict[int, Hold] = {}
        self._told_s = 0.0
        """As of when the newest report and the newest tick are: a reload knows no time of its own."""

    # Set up

    def configure(self, limits: Limits, replicas: Iterable[ModelReplica]) -> None:
        """These limits over these replicas from now on. What was counted stays where a limit still asks for it."""
        self.limits = limits
        self._ceilings.clear()
        for counter in self.counters.values():
            counter.ceilings.clear()
            counter.place_ids.clear()
            counter.low, counter.high, counter.is_alerting = 0, -1, False
        self.people = People(limits.limits, self._make)
        self.has_pacing = any(paced(limit) for limit in limits.limits)
        self.dearest = 0.0
        for account in self._accounts.values():
            account.spare = 0.0
        for place in self.places.values():
            place.ceilings, place.counters = [], []
        for replica in replicas:
            self._serve(replica)
        self.is_watching = bool(limits.limits or self._holds) or any(place.is_bound for place in self.places.values())
        self._look_around(self.places.values(), self._told_s)

    def _serve(self, replica: ModelReplica) -> None:
        place = self.place(replica.id)
        ids = {Scope.PROVIDER: replica.provider_id, Scope.REPLICA: replica.id, Scope.MODEL: replica.logical_model_id}
        binding = [
            (limit, ids[limit.scope]) for limit in self.limits.limits if limit.scope in PLACES and limit.id in (ANY, ids[limit.scope])
        ]
        place.serve(replica, [ceiling for limit, id_ in binding for ceiling in self._shared(limit, id_)])
        place.account.spare = self.limits.spare.get(replica.provider_id, 0.0)
        for counter in place.counters:
            counter.place_ids.append(replica.id)
        self.dearest = max(self.dearest, place.rates.dearest)

    def _shared(self, limit: Limit, id_: str) -> Sequence[Ceiling]:
        found = self._ceilings.get((limit, id_))
        if found is None:
            found = self._ceilings[limit, id_] = self._make(limit, id_)
        return found

    def _make(self, limit: Limit, id_: str) -> Sequence[Ceiling]:
        """The limit, and the one that keeps it to its pace where it has a pace."""
        soft = paced(limit)
        hard = Ceiling(limit, self.counter(_key(limit, id_)))
        return (hard,) if soft is None else (hard, Ceiling(soft, self.counter(_key(soft, id_)), is_soft=True))

    def counter(self, key: CounterKey) -> Counter:
        found = self.counters.get(key)
        if found is None:
            if len(self.counters) >= COUNTERS_KEPT:
                self._forget()
            found = self.counters[key] = Counter(key, meter_for(key.window, calendar=key.calendar, epoch=self.epoch))
        return found

    def _forget(self) -> None:
        idle = [key for key, counter in self.counters.items() if not counter.ceilings and not counter.held]
        for key in idle[: COUNTERS_KEPT // 8]:
            del self.counters[key]

    def place(self, replica_id: str) -> Place:
        found = self.places.get(replica_id)
        if found is None:
            provider_id = replica_id.partition("/")[0]
            account = self._accounts.setdefault(provider_id, Account(provider_id))
            found = self.places[replica_id] = Place(replica_id, account)
        return found

    # Attempts

    def amounts(self, place: Place, logical_model_id: str, demand: Demand) -> Amounts:
        """What `demand` is expected to need there."""
        size = self.sizing.size(logical_model_id, demand)
        return amounts_of(size.input_tokens, size.output_tokens, place.price)

    def near(self, demand: Demand) -> Set[str]:
        """Ids of the replicas that `demand` might not fit; everybody else has room for it."""
        return self._near.of(self.sizing.most_tokens(demand))

    def hold(self, number: int, replica: ModelReplica, demand: Demand, now_s: float) -> None:
        """Hold what attempt `number` is expected to need, of every limit that binds it. It has passed the gates, or they were set aside."""
        place = self.place(replica.id)
        if place.replica is None:
            place.serve(replica, ())  # nobody has configured anything: a provider's reports are all there is
        amounts = self.amounts(place, replica.logical_model_id, demand)
        counters = place.counters
        if not self.people.is_empty:
            ours = dict.fromkeys(each.counter for each in self.people.ceilings(demand) if each.is_counted)
            counters = [*counters, *ours]
        for counter in counters:
            counter.held += amounts[counter.slot]
            if counter.place_ids and counter.may_have_stepped:
                self._look_at(counter, now_s)
        reports = [(report, report.version, report.hold(amounts)) for report in place.all_reports()] if place.has_reports else []
        self._holds[number] = Hold(counters, reports, amounts, replica.price, place, now_s + HOLD_EXPIRES_S)
        for report, _, _ in reports:
            if report.may_have_stepped:
                self._look_into(place, reports, now_s)
                break

    def settle(self, number: int, usage: Usage | None, failure: FailureKind | None, now_s: float) -> None:
        """Give back what `number` held and count what it used. Once per number: a hold that has expired meanwhile is counted now."""
        hold, held = self._holds.pop(number, None), True
        if hold is None:
            hold, held = self._lapsed.pop(number, None), False
        if hold is None:
            return  # it began before there was anything to count
        used = amounts_used(usage, cost_usd(usage, hold.price) if usage is not None else None, failure)
        is_estimated = usage is not None and not usage.reported
        for counter in hold.counters:
            slot = counter.slot
            counter.settle(int(hold.amounts[slot]) if held else 0, int(used[slot]), now_s, is_estimated=is_estimated)
            if counter.is_alerting:
                self.alerts.look(counter, now_s)
            if counter.place_ids:
                self._look_at(counter, now_s)
        for report, version, amount in hold.reports:
            report.settle(version, amount if held else 0, used)
        if hold.reports:
            self._look_into(hold.place, hold.reports, now_s)

    def charges_of(self, number: int) -> tuple[Charge, ...]:
        """What an open attempt holds; empty where nothing binds it."""
        hold = self._holds.get(number)
        if hold is None:
            return ()
        return tuple(
            Charge(
                each.id,
                int(hold.amounts[each.slot]),
                min((ceiling.most for ceiling in each.ceilings if ceiling.stops and not ceiling.is_soft), default=None),
            )
            for each in hold.counters
        )

    # Facts and time

    def report(self, replica_id: str, limits: Iterable[ReportedLimit], now_s: float) -> None:
        """What a provider said with an answer of `replica_id`."""
        place = self.place(replica_id)
        self._told_s = now_s
        ours = theirs = False
        for limit in limits:
            is_accounts = limit.scope is ReportedScope.ACCOUNT
            if place.report(limit, now_s, is_accounts=is_accounts):
                ours, theirs = True, theirs or is_accounts
        if ours:
            self.is_watching = True
            self._refresh(list(place.account.places.values()) if theirs else (place,), now_s)

    def share_used(self, key: CounterKey, used: int, now_s: float) -> None:
        """All processes together used and hold `used`, counted, of one counter."""
        counter = self.counters.get(key)
        if counter is not None:
            counter.others = max(0, used - counter.meter.used(now_s) - counter.held)
            if counter.place_ids:
                self._look_at(counter, now_s)

    def advance(self, now_s: float) -> None:
        """Let time pass: holds expire, windows give back. Once per tick."""
        self._told_s = now_s
        while self._holds:
            number, hold = next(iter(self._holds.items()))
            if now_s < hold.expires_s:
                break
            del self._holds[number]
            self._lapsed[number] = hold
            self._give_back(hold, now_s)
        if self.is_watching:
            self._look_around([place for place in self.places.values() if place.is_bound or place.standing is not FULL], now_s)

    def _give_back(self, hold: Hold, now_s: float) -> None:
        for counter in hold.counters:
            counter.settle(int(hold.amounts[counter.slot]), 0, now_s, is_estimated=False)
        for report, version, amount in hold.reports:
            report.settle(version, amount, NOTHING)

    @property
    def open_holds(self) -> Mapping[int, Hold]:
        return self._holds

    def _look_into(self, place: Place, reports: Iterable[tuple[Report, int, int]], now_s: float) -> None:
        """These changed: does anybody's ranking or room?"""
        ours = theirs = False
        for report, _, _ in reports:
            if report.has_stepped(now_s):
                ours, theirs = True, theirs or report.key.scope is ReportedScope.ACCOUNT
        if ours:
            self._refresh(list(place.account.places.values()) if theirs else (place,), now_s)

    def _look_around(self, places: Collection[Place], now_s: float) -> None:
        """Everything of these anew: time has given back."""
        for counter in dict.fromkeys(counter for place in places for counter in place.counters):
            counter.has_stepped(now_s)
        for report in dict.fromkeys(report for place in places for report in place.all_reports()):
            report.has_stepped(now_s)
        self._refresh(places, now_s)

    def _look_at(self, counter: Counter, now_s: float) -> None:
        if counter.has_stepped(now_s):
            self._refresh([self.places[id_] for id_ in counter.place_ids], now_s)

    def _refresh(self, places: Iterable[Place], now_s: float) -> None:
        for place in places:
            if place.refresh(now_s):
                self._near.put(place.id, place.room_bits)
                self.changed.append(place)


NOTHING = Amounts()


def amounts_used(usage: Usage | None, cost: float | None, failure: FailureKind | None) -> Amounts:
    """What an attempt that is over counts for. `cost`: USD; None when it is not known, which counts for nothing."""
    requests = 0 if failure in NOT_COUNTED else 1
    if usage is None:
        return Amounts(requests=requests)
    return Amounts(
        usage.input + usage.output, usage.input, usage.output, requests, counted(Unit.COST, cost) if cost else 0, cost is not None
    )


def _key(limit: Limit, id_: str) -> CounterKey:
    return CounterKey(key_of(limit.scope, id_), limit.unit, limit.window, limit.calendar)
