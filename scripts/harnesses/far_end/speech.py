"""What a dialect's file of the far end exports, one constant `SPEECH`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.harnesses.far_end.script import Asked, Move

INPUT, CACHED, OUTPUT, THINKING = 1200, 1000, 20, 4
"""Tokens that every answer reports: 1200 in, of which 1000 from the cache; 20 out, of which 4 for thinking."""


@dataclass(frozen=True, slots=True)
class Speech:
    """One dialect, from the vendor's side. Everything pure."""

    name: str
    read: Callable[[Mapping[str, Any], str], Asked]
    """(body, request target) → what the script needs."""
    objections: Callable[[Mapping[str, Any]], Sequence[str]]
    """What the vendor would answer 400 to; the harness's own requests have none, so each one is a defect of a translation."""
    frames: Callable[[Asked, Move], Iterator[bytes]]
    """A streamed answer, event by event; the last one is terminal."""
    whole: Callable[[Asked, Move], Mapping[str, Any]]
    refusal: Callable[[int, str], Mapping[str, Any]]
    """(status, message) → the body of an error answer."""
    overflow: Callable[[], Mapping[str, Any]]
    """The 400 for a prompt that is too long."""
    broken: Callable[[], bytes]
    """An error inside a stream that began with 200: overloaded."""


def sse(data: object, event: str | None = None) -> bytes:
    """One event of a stream."""
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    return (f"event: {event}\n" if event else "").encode() + b"data: " + text.encode() + b"\n\n"


def unpaired(calls: Sequence[str], results: Sequence[str], word: str) -> list[str]:
    """Every call needs exactly one result, and every result a call."""
    missing = sorted(set(calls) - set(results))
    strange = sorted(set(results) - set(calls))
    twice = sorted({one for one in results if results.count(one) > 1} | {one for one in calls if calls.count(one) > 1})
    named = (("without a result", missing), ("without a call", strange), ("more than once", twice))
    return [f"{word} {what}: {', '.join(ids)}" for what, ids in named if ids]
