"""Ties one run together: router, upstreams, people, the oracle that watches and the tally that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from routing.facts import AttemptFailed, AttemptFinished
from routing.fleet import Fleet
from routing.router import Router
from routing.types import Catalog, Decision, Dispatch, Price, TargetKind
from tests.playbook import router_for
from tests.simulation.calls import Call, Outcome, Stage, Status
from tests.simulation.events import Events
from tests.simulation.exchange import Attempt, Exchange
from tests.simulation.machine import Memory
from tests.simulation.oracle import Oracle, must
from tests.simulation.people import HOUR_S, People
from tests.simulation.places import LIMITS, PLACES, POLICIES, logical_models, replica_of
from tests.simulation.quota import Allowance, Window
from tests.simulation.report import Report
from tests.simulation.tally import Tally
from tests.simulation.trace import Trace
from tests.simulation.upstream import FINE, Upstream, Weather

NOON_S = 12 * HOUR_S

MakeRouter = Callable[[Catalog, Fleet], Router]
"""The production router of `tests.playbook`, unless a test wants to see a broken one caught."""


class BrokenRunError(Exception):
    """A run went wrong; `str()` says how to see it again."""


class World:
    def __init__(
        self,
        scenario: str,
        arrange: Callable[[World], None],
        seed: int,
        hours: float,
        load: float = 1.0,
        make_router: MakeRouter = router_for,
    ) -> None:
        """`arrange` writes the trouble into the world before time begins. `hours` are centred at noon."""
        self._scenario, self._seed, self._load, self.hours = scenario, seed, load, hours
        self.starts_s = max(0.0, NOON_S - hours * HOUR_S / 2)
        self.middle_s = self.starts_s + hours * HOUR_S / 2
        self.events = Events(self.starts_s)
        self.tally = Tally()
        self.trace = Trace()
        self._fleet = Fleet()
        self._catalog = catalog_with({})
        self._make_router = make_router
        self._router = make_router(self._catalog, self._fleet)
        self._oracle = Oracle(self._catalog)
        self._allowances = {provider_id: Allowance(LIMITS.get(provider_id, ())) for provider_id in self.providers()}
        memories = {place.machine.id: Memory(place.machine, self.starts_s) for place in PLACES if place.machine is not None}
        self._upstreams = {
            place.id: Upstream(
                place,
                self._allowances[place.provider_id],
                memories[place.machine.id] if place.machine is not None and place.is_local else None,
                self.events,
                self._chance(place.id),
            )
            for place in PLACES
        }
        self.stage = Stage(self.events, self._send)
        self.people = People(self.stage, self.events, self._chance("people"), load)
        self._running: dict[str, int] = dict.fromkeys(self._upstreams, 0)
        self._open = 0
        self._homes: dict[str, str] = {}
        """Conversation → the replica of its newest good answer."""
        self._exchanges = 0
        arrange(self)

    def run(self) -> Report:
        """To the end of everything that was begun. Raises BrokenRunError when something happened that must not."""
        self.people.arrive_until(self.starts_s + self.hours * HOUR_S)
        try:
            self.events.run(self._check)
            self._check_the_end()
        except AssertionError as error:
            last = "\n".join(self.trace.last)
            raise BrokenRunError(f"{last}\n{type(error).__name__}: {error}\nagain with: {self._command()}") from error
        return Report(self._scenario, self._seed, self.hours, self.trace.digest, self.events.handled, self.tally)

    # For scenarios

    def providers(self) -> list[str]:
        return list(dict.fromkeys(place.provider_id for place in PLACES))

    def weather(self, providers: Iterable[str], weather: Weather, from_s: float, for_s: float) -> None:
        """Weather over all replicas of some providers, and fine weather afterwards."""
        hit = frozenset(providers)
        self.tally.troubled |= hit
        self.tally.trouble_ends_s = max(self.tally.trouble_ends_s or 0.0, from_s + for_s)
        self.events.at(from_s, lambda: self._change(hit, weather))
        self.events.at(from_s + for_s, lambda: self._change(hit, FINE))

    def squeeze(self, limits: dict[str, tuple[Window, ...]]) -> None:
        for provider_id, windows in limits.items():
            self.trace.note(self.events.now_s, f"other limits at {provider_id}")
            self._allowances[provider_id].squeeze(windows)

    def reprice(self, prices: dict[str, Price]) -> None:
        """The catalog is replaced, as on a reload: belief stays, and what is under way goes on with the old one."""
        self.trace.note(self.events.now_s, f"other prices for {', '.join(sorted(prices))}")
        self._catalog = catalog_with(prices)
        self._router = self._make_router(self._catalog, self._fleet)
        self._oracle.catalog = self._catalog

    def _change(self, providers: frozenset[str], weather: Weather) -> None:
        self.trace.note(self.events.now_s, f"weather at {', '.join(sorted(providers))}: {weather}")
        for upstream in self._upstreams.values():
            if upstream.place.provider_id in providers:
                upstream.change(weather)

    # What happens

    def _send(self, call: Call, done: Callable[[Outcome], None]) -> None:
        self._exchanges += 1
        exchange = Exchange(self._exchanges, call, self._router, self._upstreams, self.events, self, done)
        demand = call.demand
        self.trace.note(
            self.events.now_s, f"#{exchange.number} {call.conversation} asks for {demand.target.id}, {demand.tokens_estimated} tokens"
        )
        exchange.start()

    def decided(self, exchange: Exchange, decision: Decision) -> None:
        now_s = self.events.now_s
        self._oracle.decided(exchange.call.demand, exchange.tried, decision, now_s, same_model_first=not exchange.is_too_long)
        self.tally.decided(exchange, decision)
        if isinstance(decision, Dispatch):
            self._running[decision.replica.id] += 1
            self._open += 1
            self._note_home(exchange, decision)
            panic = " in panic" if decision.evidence.panic else ""
            self.trace.note(now_s, f"#{exchange.number} -> {decision.replica.id}{panic}")
        else:
            self.trace.note(now_s, f"#{exchange.number} refused: {decision.reason}, retry after {decision.retry_after_s}")

    def settled(self, attempt: Attempt, fact: AttemptFinished | AttemptFailed) -> None:
        now_s = self.events.now_s
        failure = fact.failure if isinstance(fact, AttemptFailed) else None
        self._running[attempt.replica.id] -= 1
        self._open -= 1
        self._oracle.settled(attempt.replica, attempt.reservation, failure, now_s)
        self.tally.settled(attempt, fact, now_s)
        self.trace.note(now_s, f"{attempt.reservation} on {attempt.replica.id}: {failure.kind if failure else 'finished'}")

    def ended(self, exchange: Exchange, outcome: Outcome) -> None:
        self.tally.ended(exchange, outcome, self.events.now_s)
        self.trace.note(self.events.now_s, f"#{exchange.number} {outcome.status}")
        if outcome.status is Status.OK:
            self._homes[exchange.call.conversation] = exchange.attempts[-1].replica.id

    def _note_home(self, exchange: Exchange, decision: Dispatch) -> None:
        """Did the conversation keep its replica? Asked once per request, of the first attempt."""
        call = exchange.call
        home = self._homes.get(call.conversation)
        if exchange.attempts or home is None or call.demand.target.kind is not TargetKind.TIER:
            return
        replica = self._catalog.replicas[home]
        wanted = next((stage for stage in self._oracle.stages(call.demand) if decision.replica in stage), ())
        if decision.replica.id == home:
            self.tally.kept += 1
        elif replica in wanted and self._oracle.can_answer(replica, call.demand, exchange.tried, self.events.now_s):
            self.tally.moved_while_well += 1
        else:
            self.tally.moved_away += 1

    # What must hold

    def _check(self) -> None:
        fleet = self._fleet
        must(fleet.open_reservations == self._open, fleet.open_reservations, "reservations for", self._open, "attempts")
        for replica_id, running in self._running.items():
            in_flight = fleet.state(replica_id).in_flight
            must(in_flight == running, replica_id, "has", running, "attempts, and donut believes", in_flight)

    def _check_the_end(self) -> None:
        must(self.stage.running == 0, self.stage.running, "clients wait for ever")
        must(self._open == 0, self._open, "attempts never ended")
        tokens = self._fleet.tokens_reserved()
        must(not tokens, tokens, "are still held")

    def _chance(self, purpose: str) -> Random:
        """Dice of their own for each purpose, so that one more throw here changes nothing there."""
        return Random(f"{self._seed}/{purpose}")

    def _command(self) -> str:
        load = "" if self._load == 1.0 else f" --load {self._load:g}"
        return f"scripts/simulate --scenario {self._scenario} --seed {self._seed} --hours {self.hours:g}{load}"


def catalog_with(prices: dict[str, Price]) -> Catalog:
    return Catalog.build(logical_models(), [replica_of(place, prices.get(place.id)) for place in PLACES], policies=POLICIES)
