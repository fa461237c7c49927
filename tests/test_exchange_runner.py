"""One task runs what a connection asks for, one after the other; whatever happens to one, the next is served."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from proxy.exchange_runner import ExchangeRunner


class Story:
    """What happened, and on which task."""

    def __init__(self) -> None:
        self.open: set[asyncio.Task[None]] = set()
        self.runner = ExchangeRunner(asyncio.get_running_loop(), self.open)
        self.events: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, name: str, *, turns: int = 1, error: BaseException | None = None, swallows: bool = False) -> asyncio.Task[None]:
        async def exchange() -> None:
            self.tasks.append(asyncio.current_task())  # type: ignore[arg-type]
            self.events.append(f"{name} began")
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
                if error is not None:
                    raise error
            except asyncio.CancelledError:
                self.events.append(f"{name} cancelled")
                if not swallows:
                    raise

        return self.runner.run(exchange(), lambda: self.events.append(f"{name} ended"))


async def turns(count: int = 8) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_one_after_the_other_on_one_task() -> None:
    story = Story()
    for name in "abc":
        story.ask(name)
        await turns()
    assert story.events == ["a began", "a ended", "b began", "b ended", "c began", "c ended"]
    assert len(set(story.tasks)) == 1


async def test_one_that_is_still_under_way_does_not_hold_up_the_next() -> None:
    story = Story()
    slow = story.ask("slow", turns=20)
    await turns(3)
    quick = story.ask("quick")
    await turns()
    assert quick is not slow
    assert story.events == ["slow began", "quick began", "quick ended"]
    await turns(30)
    assert story.events[-1] == "slow ended"
    assert slow.done(), "the task that was overtaken is not needed any more"
    assert story.ask("third") is quick
    await turns()
    assert story.events[-2:] == ["third began", "third ended"]


async def test_an_exchange_that_was_cancelled_and_has_dealt_with_it_leaves_its_task_to_the_next() -> None:
    story = Story()
    task = story.ask("a", turns=20, swallows=True)
    await turns(3)
    task.cancel()
    await turns()
    task.uncancel()
    assert story.ask("b") is task
    await turns()
    assert story.events == ["a began", "a cancelled", "a ended", "b began", "b ended"]


async def test_after_one_that_broke_the_next_gets_a_new_task() -> None:
    story = Story()
    broken = story.ask("a", error=ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        await broken
    assert story.ask("b") is not broken
    await turns()
    assert story.events == ["a began", "a ended", "b began", "b ended"]


async def test_cancelled_before_it_began_it_never_begins_and_is_over() -> None:
    story = Story()
    task = story.ask("a")
    await turns()
    assert story.ask("b") is task
    task.cancel()
    await turns()
    assert story.events == ["a began", "a ended", "b ended"]
    assert task.done()


@pytest.mark.parametrize("is_busy", [False, True])
async def test_the_task_ends_with_its_connection(is_busy: bool) -> None:
    story = Story()
    task = story.ask("a", turns=6)
    await turns(3 if is_busy else 12)
    story.runner.end()
    await turns(12)
    assert task.done()
    assert story.events == ["a began", "a ended"], "what is under way goes on: the exchange is told by its connection"


async def test_nothing_is_left_for_the_collector() -> None:
    story = Story()
    task = story.ask("a")
    await turns()
    story.runner.end()
    await turns()
    assert task.done()
    gc.collect()
    gc.disable()
    try:
        runner, trace = story.runner, weakref.ref(task)
        story.tasks.clear()
        del task, story
        del runner
        assert trace() is None
    finally:
        gc.enable()
