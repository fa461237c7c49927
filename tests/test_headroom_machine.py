"""Any history of attempts against a model so plain that it is right by inspection: a list of what is open and a list of what has ended.

At every step: Σ held = Σ of what is open, used = Σ journal over the window, nobody was admitted beyond a limit, and whoever was refused was
charged to nothing; across expiry, clean restarts, and crashes after which the journal's rows are all that is left.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from routing.facts import AttemptFailed, AttemptFinished, Failure, FailureKind, FirstToken
from routing.fleet import Fleet
from routing.headroom.book import HOLD_EXPIRES_S, amounts_used
from routing.headroom.counters import CounterKey
from routing.headroom.limits import ANY, SLOT, Amounts, Limit, Limits, OnExceed, Scope, key_of
from routing.headroom.meters import GRAINS
from routing.headroom.storing import Subject, Use, replay, restore, snapshot
from routing.headroom.types import WINDOW_S, Unit, Window
from routing.pricing import cost_usd
from routing.router import Router
from routing.types import Demand, Dispatch, ModelReplica, ModelTier, Price, Refusal, Usage
from tests.playbook import catalog_of, demand_for, for_model, for_tier, replica, router_for

PRICE = Price(2.0, 10.0)
REPLICAS = (
    replica("far/a", "a", price=PRICE),
    replica("far/b", "b", price=Price(1.0, 3.0)),
    replica("near/a", "a", price=Price(0.0, 0.0), is_local=True),
    replica("other/c", "c", ModelTier.SMALL, price=None),
)
LIMITS = (
    Limit(Scope.PROVIDER, "far", Unit.TOKENS, Window.HOUR, 20_000, "far hourly"),
    Limit(Scope.PROVIDER, ANY, Unit.REQUESTS, Window.MINUTE, 7, "each provider"),
    Limit(Scope.REPLICA, "near/a", Unit.OUTPUT_TOKENS, Window.MINUTE, 3000, "the box"),
    Limit(Scope.ALL, ANY, Unit.COST, Window.DAY, 0.2, "a day's money", OnExceed.DEGRADE, allows_unpriced=False),
    Limit(Scope.CLIENT, ANY, Unit.TOKENS, Window.FIVE_HOURS, 15_000, "each key"),
    Limit(Scope.CLIENT, "ann", Unit.COST, Window.WEEK, 0.05, "ann's money"),
    Limit(Scope.SESSION, ANY, Unit.REQUESTS, Window.HOUR, 4, "each conversation"),
    Limit(Scope.HARNESS, "codex", Unit.INPUT_TOKENS, Window.MINUTE, 9000, "codex"),
    Limit(Scope.ALL, ANY, Unit.REQUESTS, Window.MONTH, 3, "only told", OnExceed.ALERT),
)
HARD = tuple(limit for limit in LIMITS if limit.on_exceed is not OnExceed.ALERT)

DEMANDS = st.builds(
    demand_for,
    st.sampled_from([for_model("a"), for_tier(ModelTier.MID), for_tier(ModelTier.SMALL)]),
    input_tokens_estimated=st.sampled_from([1, 100, 3000, 8000, 100_000]),
    output_tokens_estimated=st.sampled_from([0, 512, 2000]),
    client=st.sampled_from([None, "ann", "bob"]),
    harness=st.sampled_from(["codex", "sdk"]),
    affinity_keys=st.sampled_from([(), ("s1",), ("chore:s1",), ("s2", "s1")]),
)


class Open(NamedTuple):
    replica: ModelReplica
    demand: Demand
    amounts: Amounts
    expires_s: float


class Row(NamedTuple):
    """One attempt of the journal."""

    ended_s: float
    subject: Subject
    usage: Usage | None
    price: Price | None
    failure: FailureKind | None

    @property
    def cost(self) -> float | None:
        return cost_usd(self.usage, self.price) if self.usage is not None else None


def subject_of(replica: ModelReplica, demand: Demand) -> Subject:
    session = demand.affinity_keys[0].removeprefix("chore:") if demand.affinity_keys else None
    return Subject(replica.provider_id, replica.id, replica.logical_model_id, demand.client, demand.policy, demand.harness, session)


def id_in(scope: Scope, subject: Subject) -> str | None:
    return {
        Scope.ALL: ANY,
        Scope.PROVIDER: subject.provider_id,
        Scope.REPLICA: subject.replica_id,
        Scope.CLIENT: subject.client,
        Scope.HARNESS: subject.harness,
        Scope.SESSION: subject.session,
    }[scope]


def binds(limit: Limit, subject: Subject) -> bool:
    id_ = id_in(limit.scope, subject)
    return id_ is not None and limit.id in (ANY, id_)


class HeadroomMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.now_s = 5000.0
        self.open: dict[int, Open] = {}
        self.journal: list[Row] = []
        self.router = self.made(Fleet())

    def made(self, fleet: Fleet) -> Router:
        return router_for(catalog_of(*REPLICAS), fleet, limits=Limits(LIMITS))

    # What happens

    @rule(demand=DEMANDS)
    def ask(self, demand: Demand) -> None:
        before = self.held()
        foreseen = self.router.preview(demand, self.now_s)
        assert self.held() == before
        decision = self.router.decide(demand, self.now_s)
        assert type(foreseen) is type(decision)
        if isinstance(decision, Refusal):
            assert self.held() == before, "C4: a refused request was charged to something"
            return
        self.admitted(decision, demand)

    def admitted(self, decision: Dispatch, demand: Demand) -> None:
        book = self.router.fleet.headroom
        amounts = book.open_holds[decision.reservation].amounts
        self.open[decision.reservation] = Open(decision.replica, demand, amounts, self.now_s + HOLD_EXPIRES_S)
        subject = subject_of(decision.replica, demand)
        for limit in HARD:
            is_free = decision.replica.is_local and limit.on_exceed is OnExceed.DEGRADE
            if binds(limit, subject) and amounts[SLOT[limit.unit]] and not is_free:
                counter = book.counters[self.key(limit, subject)]
                most = next(ceiling for ceiling in counter.ceilings if ceiling.limit == limit).most
                assert counter.taken(self.now_s) <= most, f"{limit.source} was exceeded by being admitted"

    @precondition(lambda self: self.open)
    @rule(data=st.data(), output=st.sampled_from([0, 10, 700, 9000]), reported=st.booleans())
    def finish(self, data: st.DataObject, output: int, reported: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        if data.draw(st.booleans()):
            self.router.observe(FirstToken(number, 0.5), self.now_s)
        usage = Usage(self.open[number].demand.input_tokens_estimated, output=output, reported=reported)
        self.router.observe(AttemptFinished(number, usage, output), self.now_s)
        self.ended(number, usage, None)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), kind=st.sampled_from([FailureKind.CONNECT, FailureKind.CUT, FailureKind.CLIENT_GONE, FailureKind.BAD_REQUEST]))
    def fail(self, data: st.DataObject, kind: FailureKind) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        usage = data.draw(st.none() | st.just(Usage(50, output=20, reported=False)))
        self.router.observe(AttemptFailed(number, Failure(kind, "why"), usage), self.now_s)
        self.ended(number, usage, kind)

    def ended(self, number: int, usage: Usage | None, failure: FailureKind | None) -> None:
        done = self.open.pop(number)
        self.journal.append(Row(self.now_s, subject_of(done.replica, done.demand), usage, done.replica.price, failure))

    @rule(seconds=st.sampled_from([0.0, 1.0, 20.0, 61.0, 900.0, 3700.0, 90_000.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @precondition(lambda self: self.open)
    @rule(data=st.data(), output=st.sampled_from([0, 700]))
    def finish_late(self, data: st.DataObject, output: int) -> None:
        """What it held has expired meanwhile; what it used is counted all the same, and once."""
        self.now_s += HOLD_EXPIRES_S + 30.0
        self.router.fleet.advance(self.now_s)
        assert not self.held()
        self.finish(data, output, reported=True)

    @rule()
    def reload(self) -> None:
        """The same limits over the same replicas: nothing is forgotten, attempts under way are settled as ever."""
        self.router = self.made(self.router.fleet)

    @rule(seconds=st.sampled_from([0.0, 30.0, 4000.0]))
    def crash(self, seconds: float) -> None:
        """kill -9: attempts under way never end, and the journal's rows are all there is."""
        self.now_s += seconds
        self.open.clear()
        self.router = self.made(Fleet())
        replay(self.router.fleet.headroom, self.uses(), self.now_s)

    @rule(seconds=st.sampled_from([0.0, 30.0]))
    def restart(self, seconds: float) -> None:
        """A clean stop: attempts under way are settled as they are cut."""
        for number in sorted(self.open):
            self.router.observe(AttemptFailed(number, Failure(FailureKind.CLIENT_GONE, "shutdown")), self.now_s)
            self.ended(number, None, FailureKind.CLIENT_GONE)
        stored = snapshot(self.router.fleet.headroom, self.now_s)
        self.now_s += seconds
        self.router = self.made(Fleet())
        restore(self.router.fleet.headroom, stored, self.now_s, seconds)

    @rule(price=st.sampled_from([Price(0.5, 1.0), Price(40.0, 100.0), PRICE]))
    def correct_a_price(self, price: Price) -> None:
        """C5: what was spent is worked out anew."""
        self.journal = [row._replace(price=price) if row.subject.replica_id == "far/a" else row for row in self.journal]
        replay(self.router.fleet.headroom, self.uses(), self.now_s)

    def uses(self) -> list[Use]:
        return [Use(row.subject, self.now_s - row.ended_s, row.usage, row.cost, row.failure) for row in self.journal]

    # What holds

    def key(self, limit: Limit, subject: Subject) -> CounterKey:
        id_ = id_in(limit.scope, subject)
        assert id_ is not None
        return CounterKey(key_of(limit.scope, id_), limit.unit, limit.window, limit.calendar)

    def held(self) -> dict[CounterKey, int]:
        return {key: counter.held for key, counter in self.router.fleet.headroom.counters.items() if counter.held}

    @invariant()
    def what_is_held_is_what_is_open(self) -> None:
        if not hasattr(self, "router"):
            return
        book = self.router.fleet.headroom
        self.router.fleet.advance(self.now_s)
        expected: dict[CounterKey, int] = {}
        for each in self.open.values():
            subject = subject_of(each.replica, each.demand)
            if self.now_s < each.expires_s or any(hold.amounts is each.amounts for hold in book.open_holds.values()):
                for key in {self.key(limit, subject) for limit in LIMITS if binds(limit, subject)}:
                    expected[key] = expected.get(key, 0) + int(each.amounts[SLOT[key.unit]])
        assert self.held() == {key: amount for key, amount in expected.items() if amount}
        for number, each in self.open.items():
            is_late = self.now_s >= each.expires_s + 30.0
            assert not (is_late and number in book.open_holds), "an attempt that nobody ended still holds something"

    @invariant()
    def what_is_used_is_what_the_journal_says(self) -> None:
        if not hasattr(self, "router"):
            return
        for key, counter in self.router.fleet.headroom.counters.items():
            length_s = WINDOW_S[key.window]
            used = counter.meter.used(self.now_s)
            assert self.total(key, length_s - 1e-3) <= used <= self.total(key, length_s * (1 + 1 / GRAINS) + 1e-3)

    def total(self, key: CounterKey, seconds: float) -> int:
        found = 0
        for row in self.journal:
            if row.ended_s > self.now_s - seconds and any(
                binds(limit, row.subject) and self.key(limit, row.subject) == key for limit in LIMITS
            ):
                found += int(amounts_used(row.usage, row.cost, row.failure)[SLOT[key.unit]])
        return found


TestHeadroom: Any = HeadroomMachine.TestCase
TestHeadroom.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
