"""How many exchanges there are, and that one whose time is up is told so once."""

from __future__ import annotations

import asyncio

from proxy.deadlines import SWEEP_S
from proxy.open_exchanges import NEVER, OpenExchanges
from tests.upstreams import eventually


class Waiting:
    def __init__(self, due_s: float, *, is_draining: bool = False) -> None:
        self.due_s = due_s
        self.is_draining = is_draining
        self.times_late = 0

    def deadline_passed(self) -> None:
        self.times_late += 1


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def test_whoever_is_late_is_told_once() -> None:
    clock = Clock()
    exchanges = OpenExchanges(clock)
    soon, later, answered = Waiting(101.0), Waiting(150.0), Waiting(NEVER)
    exchanges.begin_sweeping()
    exchanges.update((soon, later, answered))
    await asyncio.sleep(2 * SWEEP_S)
    assert soon.times_late == 0
    clock.now_s = 101.0
    await eventually(lambda: soon.times_late == 1)
    clock.now_s = 120.0
    await asyncio.sleep(2 * SWEEP_S)
    assert (soon.times_late, later.times_late, answered.times_late) == (1, 0, 0)
    clock.now_s = 1e9
    await eventually(lambda: later.times_late == 1)
    assert answered.times_late == 0, "its answer has begun"


async def test_nothing_is_swept_while_nobody_is_there_and_the_next_is_swept_again() -> None:
    clock = Clock()
    exchanges = OpenExchanges(clock)
    first, second = Waiting(NEVER), Waiting(100.0)
    exchanges.begin_sweeping()
    exchanges.add(first)
    exchanges.discard(first)
    await eventually(lambda: exchanges._timer is None)
    exchanges.begin_sweeping()
    exchanges.add(second)
    await eventually(lambda: second.times_late == 1)
    exchanges.clear()


def test_those_that_are_read_on_for_accounting_are_counted() -> None:
    exchanges = OpenExchanges(Clock())
    exchanges.update((Waiting(NEVER), Waiting(NEVER, is_draining=True)))
    assert (len(exchanges), exchanges.draining) == (2, 1)
