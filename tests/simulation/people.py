"""Who asks, and when: agents with tools, sub-agents and chores, scripts that name a model, indexers, people who keep things local."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.simulation.agents import Agent, Harness, Wishes
from tests.simulation.calls import Script, Stage
from tests.simulation.events import Events
from tests.simulation.tools import indexing, named_jobs, one_job

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
ACTIVITY = (1, 1, 0.5, 0.5, 0.5, 1, 2, 5, 8, 10, 10, 9, 6, 9, 10, 10, 9, 7, 5, 4, 4, 3, 2, 1)
"""How busy each hour of the day is, of 10."""
ARRIVALS_PER_HOUR = 58.0
"""At full activity: some 20,000 requests in a day."""

HARNESSES = (
    Harness("claude-code", opener_tokens=12_000, chores_per_turn=0.6),
    Harness("codex", opener_tokens=10_000, chores_per_turn=0.1),
    Harness("opencode", opener_tokens=7_500, chores_per_turn=0.15),
    Harness("qwen-code", opener_tokens=20_000, chores_per_turn=0.5),
)
ANYTHING = Wishes()


class People:
    def __init__(self, stage: Stage, events: Events, chance: Random, load: float = 1.0) -> None:
        self._stage = stage
        self._events = events
        self._chance = chance
        self._load = load
        self._arrived = 0

    def arrive_until(self, end_s: float) -> None:
        """A Poisson process whose rate follows the hour, by thinning."""
        gap_s = self._chance.expovariate(ARRIVALS_PER_HOUR * self._load / HOUR_S)
        if self._events.now_s + gap_s < end_s:
            self._events.after(gap_s, lambda: self._maybe(end_s))

    def crowd(self, count: int, within_s: float) -> None:
        """Many at once."""
        for _ in range(count):
            self._stage.start(self._agent(), self._chance.uniform(0.0, within_s))

    def farm(self, count: int, within_s: float) -> None:
        """Single requests of programs."""
        for _ in range(count):
            self._stage.start(one_job(self._name(), self._own_chance()), self._chance.uniform(0.0, within_s))

    def _maybe(self, end_s: float) -> None:
        activity = ACTIVITY[int(self._events.now_s % DAY_S // HOUR_S)]
        if self._chance.random() * 10.0 < activity:
            self._stage.start(self._somebody())
        self.arrive_until(end_s)

    def _somebody(self) -> Script:
        kinds: tuple[tuple[float, Callable[[], Script]], ...] = (
            (0.52, self._agent),
            (0.08, lambda: self._agent(Wishes(is_private=True))),
            (0.06, lambda: self._agent(Wishes(is_signed=True))),
            (0.05, lambda: self._agent(Wishes(excluded=frozenset({"openai-a", "openai-b"})))),
            (0.05, lambda: self._agent(Wishes(sees=True))),
            (0.03, lambda: self._agent(Wishes(policy="deep_research"))),
            (0.18, lambda: named_jobs(self._name(), self._own_chance())),
            (0.03, lambda: indexing(self._name(), self._own_chance(), self._stage)),
        )
        return self._chance.choices([make for _, make in kinds], [share for share, _ in kinds])[0]()

    def _agent(self, wishes: Wishes = ANYTHING) -> Script:
        return Agent(self._name(), self._chance.choice(HARNESSES), self._own_chance(), self._stage, wishes).session()

    def _name(self) -> str:
        self._arrived += 1
        return f"p{self._arrived}"

    def _own_chance(self) -> Random:
        """Each person has dice of their own, so that what one is told never changes what another one asks."""
        return Random(self._chance.getrandbits(64))
