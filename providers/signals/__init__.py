"""What a vendor says about its limits, unasked, with every answer: one file per vendor's way exports `SIGNALS`; provider kinds refer to it.

Rules that every file keeps:
- Pure, and total: whatever an upstream sends is read or ignored, nothing raises, and no figure is passed on that is negative, endless
  or no number (tests/test_signals_hostile.py).
- Reading headers happens on every answer. Where none of a vendor's marks is there it costs one look at each name (0.4 µs for 15
  headers), so `marks` names every header without which there is nothing to read.
- Moments are measured against the `wall_s` that is handed in, seconds since 1970; nobody here has a clock.
- What was not said stays None. Whether a figure is believed, and for how long, is for `routing/headroom` to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from providers.transport.port import Headers
from routing.headroom.types import ReportedLimit

Limits = tuple[ReportedLimit, ...]
Names = Mapping[bytes, bytes]
"""An answer's headers by name, in lower case."""


def no_headers(names: Names, wall_s: float) -> Limits:
    """Of a vendor that says nothing in headers."""
    del names, wall_s
    return ()


def no_body(status: int, body: bytes, wall_s: float) -> Limits:
    """Of a vendor whose refusals say nothing about limits that its headers do not."""
    del status, body, wall_s
    return ()


def no_event(event: Mapping[str, Any], wall_s: float) -> Limits:
    """Of a vendor that says nothing inside its streams."""
    del event, wall_s
    return ()


@dataclass(frozen=True, slots=True)
class Signals:
    """One vendor's way of telling what is left. All three readers are total and give `()` where nothing is said."""

    name: str
    marks: frozenset[bytes] = frozenset()
    """Header names in lower case, of which at least one is there whenever headers say anything."""
    read_names: Callable[[Names, float], Limits] = no_headers
    """(headers by name, wall_s) → limits. Asked only when a mark is there."""
    read_body: Callable[[int, bytes, float], Limits] = no_body
    """(status, body, wall_s) of an answer that is not 2xx → limits."""
    read_event: Callable[[Mapping[str, Any], float], Limits] = no_event
    """(an event of a stream that carries no part of the answer, wall_s) → limits."""
    charges_asked_output: bool = False
    """Does it charge `max_tokens` when a request begins, and give back the rest at its end? Then that is what to reserve."""

    def read_headers(self, headers: Headers, wall_s: float) -> Limits:
        """Limits from the headers of any answer, whatever its status."""
        marks = self.marks
        for name, _ in headers:
            if name in marks:
                return self.read_names(dict(headers), wall_s)
        return ()

    def read_refusal(self, status: int, headers: Headers, body: bytes, wall_s: float) -> Limits:
        """Limits from everything that an answer which is not 2xx says."""
        return self.read_headers(headers, wall_s) + self.read_body(status, body, wall_s)


NOTHING = Signals("nothing")
"""Of somebody without limits, or who keeps them to himself."""


def together(name: str, *parts: Signals) -> Signals:
    """Of somebody who may speak as any of `parts`: a gateway that passes on what its own upstreams say."""

    def read_names(names: Names, wall_s: float) -> Limits:
        found: Limits = ()
        keys = names.keys()
        for part in parts:
            if not keys.isdisjoint(part.marks):
                found += part.read_names(names, wall_s)
        return found

    def read_body(status: int, body: bytes, wall_s: float) -> Limits:
        return tuple(limit for part in parts for limit in part.read_body(status, body, wall_s))

    def read_event(event: Mapping[str, Any], wall_s: float) -> Limits:
        return tuple(limit for part in parts for limit in part.read_event(event, wall_s))

    return Signals(name, frozenset().union(*(part.marks for part in parts)), read_names, read_body, read_event)
