"""The programs that wrap a model for a person, one file each: how to recognise it, what it sends, how it takes errors and silence, and how
it is connected to donut.

Each public module exports one `HARNESS`; `_registry` finds them, and nothing else names them. Facts: reference/clients.md and the traces,
recorded in November 2026; a comment says where one comes from anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.harnesses._recipe import Recipe

ONLY_BYTES = frozenset({"comment", "event"})
"""Any byte resets the clock of its patience."""
ONLY_EVENTS = frozenset({"event"})


@dataclass(frozen=True, slots=True)
class Temper:
    """How it takes errors and silence. A field that nobody measured has the careful value."""

    heeds_retry_after: bool = False
    """Does it wait for as long as `retry-after` says?"""
    heeds_should_retry: bool = False
    """Does `x-should-retry: false` stop it?"""
    needs_retry_after_on_429: bool = False
    """Is a 429 without `retry-after` the end for it?"""
    header_limit_s: float | None = None
    """How long it waits for an answer's headers; None where it gives up only after donut's own deadlines."""
    silence_limit_s: float | None = None
    """The same for silence in the middle of a stream."""
    patience: frozenset[str] = ONLY_EVENTS
    """What shows it that the stream is alive: `comment`, `event`, or both. Empty: nothing may be sent to it that is no answer."""


@dataclass(frozen=True, slots=True)
class Harness:
    name: str
    """As journal, rules and classifier call it."""
    title: str
    user_agents: tuple[str, ...]
    """Beginnings of its User-Agent, in lower case."""
    headers: tuple[bytes, ...] = ()
    """Headers that nobody else sends: they tell where a gateway in between has put its own User-Agent."""
    is_in_body: Callable[[Mapping[str, Any]], bool] | None = None
    """(parsed body) → does it say so itself? Asked last; cheap, and never raises."""
    body_members: tuple[str, ...] = ()
    """Members of the body without which it does not."""
    is_gateway: bool = False
    """May another harness be behind it? Then what the request itself says of its sender is nearer the truth than the User-Agent."""
    session_headers: tuple[bytes, ...] = ()
    """Headers that name a conversation, the most specific first."""
    agent_headers: tuple[bytes, ...] = ()
    """Headers by which a sub-agent that shares its parent's session is told from it."""
    reads_anthropic_lists: bool = False
    """Does it want GET /v1/models in Anthropic's shape, also where no header says so?"""
    temper: Temper = field(default_factory=Temper)
    recipe: Recipe | None = None
    """How `donut connect` sets it up."""
