"""What an exchange knows of the state that several workers share, and how it is opened."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Protocol

from routing.router import Router
from routing.types import Decision, Dispatch


class Clock(Protocol):
    """`proxy.gateway.Gateway` is one."""

    def now(self) -> float: ...

    def wall(self) -> float: ...


class Shared(Protocol):
    @property
    def is_lost(self) -> bool:
        """Does every process count for itself, because the store does not answer?"""
        ...

    async def admitted(self, decision: Dispatch, decide_again: Callable[[], Decision]) -> Decision:
        """`decision` if the limits that bind it have room in all workers together, else what the router says when it knows that they
        have not. Waits 100 ms at most. What is refused, or cancelled while it waits, holds nothing any more."""
        ...

    async def run(self) -> None:
        """Its long-lived task, until cancelled."""
        ...


def shared_over(url: str, router: Callable[[], Router], clock: Clock) -> Shared:
    """Over Redis. `router`: the one in force; its fleet has counted what the journal remembers, and stays the same.

    Loaded by name, because the client is an extra: it may not be installed, and costs a start that does not need it 200 ms.
    """
    shared: Shared = importlib.import_module("proxy.shared.state").open_state(url, router, clock)
    return shared
