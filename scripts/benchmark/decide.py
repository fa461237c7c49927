"""What one decision costs: the production router with everything shipped, over fleets of several sizes, under steady traffic.

Each cycle decides, then tells the router how an earlier attempt began and ended, as sixteen exchanges in flight do; so every decision finds
replicas whose state has changed since the last one. Time is virtual: a request every millisecond.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections import deque
from typing import NamedTuple

from config.criteria import discover_criteria
from routing.criteria import Tuning
from routing.facts import AttemptFinished, FirstToken
from routing.headroom.limits import ANY, NO_LIMITS, Limit, Limits, Scope
from routing.headroom.types import Unit, Window
from routing.router import Router
from routing.types import Catalog, Demand, Dispatch, LogicalModel, ModelReplica, ModelTier, Price, Target, TargetKind, Usage

SIZES = (1, 50, 500)
CYCLES = 20_000
WARM_UP = 2_000
IN_FLIGHT = 16
REPLICAS_PER_MODEL = 5
SEED = 3


class Figures(NamedTuple):
    """Microseconds per call."""

    replicas: int
    limits: int
    """Per account: tokens in an hour, requests in a minute, money in a month, none of them near its end."""
    factors: int
    decide_p50_us: float
    decide_p99_us: float
    cycle_p50_us: float
    """Decide and both facts of one attempt."""
    cycle_p99_us: float


def fleet(size: int, chance: random.Random) -> Catalog:
    """One tier, every fifth replica local, five replicas per model."""
    models = {
        name: LogicalModel(name, ModelTier.MID, quality=chance.uniform(0.55, 0.8), output_tokens_per_s=chance.uniform(30, 200))
        for name in (f"model-{number}" for number in range(-(-size // REPLICAS_PER_MODEL)))
    }
    replicas = []
    for number in range(size):
        is_local = number % 5 == 0
        price = Price(0.0, 0.0) if is_local else Price(chance.uniform(0.5, 5), chance.uniform(2, 20))
        name = f"model-{number // REPLICAS_PER_MODEL}"
        account = f"account-{number % REPLICAS_PER_MODEL}"
        replicas.append(
            ModelReplica(
                f"{account}/{name}", account, name, name, ModelTier.MID, is_local, ("chat",), 3, context_window=200_000, price=price
            )
        )
    return Catalog.build(models, replicas)


LIMITS = Limits((
    Limit(Scope.PROVIDER, ANY, Unit.TOKENS, Window.HOUR, 1e10, "bench"),
    Limit(Scope.PROVIDER, ANY, Unit.REQUESTS, Window.MINUTE, 1e7, "bench"),
    Limit(Scope.PROVIDER, ANY, Unit.COST, Window.MONTH, 1e7, "bench"),
))  # fmt: skip


def measure(size: int, limits: Limits = NO_LIMITS, cycles: int = CYCLES, warm_up: int = WARM_UP) -> Figures:
    """Raises nothing; runs for about `cycles` × 50 µs."""
    chance = random.Random(SEED)
    criteria = discover_criteria()
    router = Router(fleet(size, chance), criteria, Tuning(limits=limits))
    demand = Demand("chat", Target(TargetKind.TIER, "mid"), "mid", input_tokens_estimated=3000, output_tokens_estimated=512)
    open_: deque[Dispatch] = deque()
    decides: list[int] = []
    rests: list[int] = []
    gc.collect()
    for cycle in range(warm_up + cycles):
        now_s = 1000.0 + cycle / 1000
        began_ns = time.perf_counter_ns()
        decision = router.decide(demand, now_s)
        decided_ns = time.perf_counter_ns()
        assert isinstance(decision, Dispatch)
        open_.append(decision)
        rest_ns = 0
        if len(open_) > IN_FLIGHT:
            number = open_.popleft().reservation
            first = FirstToken(number, chance.uniform(0.3, 0.9))
            finished = AttemptFinished(number, Usage(3000, output=400), 400)
            rest_began_ns = time.perf_counter_ns()
            router.observe(first, now_s)
            router.observe(finished, now_s + 4.0)
            rest_ns = time.perf_counter_ns() - rest_began_ns
        if cycle >= warm_up:
            decides.append(decided_ns - began_ns)
            rests.append(decided_ns - began_ns + rest_ns)
    return Figures(size, len(limits.limits), len(criteria.factors), *percentiles(decides), *percentiles(rests))


def percentiles(nanoseconds: list[int]) -> tuple[float, float]:
    """p50 and p99 in microseconds."""
    cuts = statistics.quantiles(nanoseconds, n=100)
    return round(cuts[49] / 1000, 1), round(cuts[98] / 1000, 1)


def markdown(figures: list[Figures]) -> str:
    lines = ["| replicas | limits | factors | decide p50 | decide p99 | decide + observe p50 | p99 |", "|---|---|---|---|---|---|---|"]
    lines += [
        f"| {each.replicas} | {each.limits} | {each.factors} | {each.decide_p50_us} µs | {each.decide_p99_us} µs "
        f"| {each.cycle_p50_us} µs | {each.cycle_p99_us} µs |"
        for each in figures
    ]
    return "\n".join(lines)
