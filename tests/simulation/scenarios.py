"""The troubles a fleet can have. Each writes itself into a world before time begins; the middle of a run is noon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.playbook import router_for
from tests.simulation.places import MINUTE_S, PLACES
from tests.simulation.quota import Window
from tests.simulation.upstream import Door, Weather
from tests.simulation.world import MakeRouter, World

HOUR_S = 3600.0
OPENAI = ("openai-a", "openai-b")
CLOUDS = (*OPENAI, "anthropic", "resale")

Arrange = Callable[[World], None]


def calm(world: World) -> None:
    """Nothing special: quotas, cold models, a box that sleeps, clients that cancel."""
    del world


def outage(world: World) -> None:
    """A vendor is down at noon: first errors, then nothing, then it stutters back."""
    down_s = min(HOUR_S, world.hours * HOUR_S / 6)
    world.weather(OPENAI, Weather(error_share=0.6), world.middle_s - down_s * 0.2, down_s * 0.2)
    world.weather(OPENAI, Weather(Door.REFUSING), world.middle_s, down_s)
    world.weather(OPENAI, Weather(error_share=0.3), world.middle_s + down_s, down_s * 0.2)


def squeeze(world: World) -> None:
    """From noon on, all accounts have a tenth of their limits."""
    tight = {
        "openai-a": (Window(MINUTE_S, requests=8, tokens=120_000),),
        "openai-b": (Window(MINUTE_S, requests=8, tokens=80_000),),
        "anthropic": (Window(MINUTE_S, requests=5, tokens=100_000), Window(5 * HOUR_S, requests=150)),
        "resale": (Window(MINUTE_S, requests=20),),
    }
    world.events.at(world.middle_s, lambda: world.squeeze(tight))


def unplugged(world: World) -> None:
    """Somebody pulls the box's plug at noon: its address does not even refuse."""
    world.weather(("box",), Weather(Door.SILENT), world.middle_s, world.hours * HOUR_S / 6)


def price_jump(world: World) -> None:
    """At noon one of two accounts for the same models becomes eight times dearer; the catalog is replaced under load."""
    dear = {
        place.id: replace(place.price, input=(place.price.input or 0.0) * 8, output=(place.price.output or 0.0) * 8, version="jumped")
        for place in PLACES
        if place.provider_id == "openai-a"
    }
    world.events.at(world.middle_s, lambda: world.reprice(dear))


def herd(world: World) -> None:
    """A hundred sessions begin within a minute while every cloud errs for half of what it is asked."""
    world.weather(CLOUDS, Weather(error_share=0.5), world.middle_s, 5 * MINUTE_S)
    world.events.at(world.middle_s, lambda: world.people.crowd(100, within_s=MINUTE_S))


def stampede(world: World) -> None:
    """A build farm sends a thousand single requests within five seconds while every cloud errs nearly always, and slowly."""
    world.weather(CLOUDS, Weather(error_share=0.9, error_s=2.0), world.middle_s, MINUTE_S)
    world.events.at(world.middle_s, lambda: world.people.farm(1000, within_s=5.0))


def blackout(world: World) -> None:
    """Everything is down for ten minutes: the office's network, and the power."""
    world.weather(world.providers(), Weather(Door.SILENT), world.middle_s, 10 * MINUTE_S)


def flapping(world: World) -> None:
    """One account is up for forty seconds and down for twenty, again and again."""
    period_s = 60.0
    rounds = int(min(2 * HOUR_S, world.hours * HOUR_S / 3) / period_s)
    for number in range(rounds):
        world.weather(("openai-a",), Weather(Door.REFUSING), world.middle_s + number * period_s, 20.0)


def slow_death(world: World) -> None:
    """One vendor becomes slower and slower, stops answering some requests at all, cuts others, and is restarted at last."""
    stage_s = world.hours * HOUR_S / 16
    for number, slowness in enumerate((2.0, 5.0, 15.0, 40.0)):
        weather = Weather(slowness=slowness, stall_share=0.05 * number, cut_share=0.05 * number)
        world.weather(("anthropic",), weather, world.middle_s + number * stage_s, stage_s)


def expired_key(world: World) -> None:
    """An account's key is refused until a person has replaced it."""
    world.weather(("openai-a",), Weather(refuses_key=True), world.middle_s, world.hours * HOUR_S / 6)


SCENARIOS: Mapping[str, Arrange] = {
    "calm": calm,
    "outage": outage,
    "squeeze": squeeze,
    "unplugged": unplugged,
    "price-jump": price_jump,
    "herd": herd,
    "stampede": stampede,
    "blackout": blackout,
    "flapping": flapping,
    "slow-death": slow_death,
    "expired-key": expired_key,
}


def simulated(scenario: str, seed: int, hours: float, load: float = 1.0, make_router: MakeRouter = router_for) -> World:
    """The world of one run, ready to `run`. Raises KeyError for a scenario that does not exist."""
    return World(scenario, SCENARIOS[scenario], seed, hours, load, make_router)
