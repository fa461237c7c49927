"""Careful looks into what others wrote: a value of the expected type and size, or nothing. No format trusts a file or a peer.

Booleans are no numbers, NaN and infinity are none either, and a text is something that can be printed on one line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

FILE_BYTES = 64 * 1024 * 1024
"""A larger file is refused before it is parsed: parsed JSON takes about ten times its size."""
TEXT_LENGTH = 256
"""Model ids, provider names, agents: none that is real comes near it."""
TOKENS_MOST = 1e12
MILLISECONDS_FROM = 1e11
"""A point of time above it is in milliseconds: as seconds it would lie in the year 5138."""


class FormatError(ValueError):
    """A file or an answer that can not be read at all. `str()` says why."""


def parsed(data: bytes) -> Any:
    """Raises FormatError."""
    if len(data) > FILE_BYTES:
        raise FormatError(f"it is larger than {FILE_BYTES // 1024 // 1024} MiB")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FormatError(f"it is no JSON: {error}") from error


def documents(data: bytes) -> list[Any]:
    """The documents of a JSON file, or of a JSONL file one per line; there a line that is no JSON (a torn last one) is left out. Raises
    FormatError when nothing in it is JSON."""
    try:
        return [parsed(data)]
    except FormatError:
        if len(data) > FILE_BYTES or b"\n" not in data.strip():
            raise
    found = []
    for line in data.splitlines():
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue
    if not found:
        raise FormatError("it is neither JSON nor JSONL")
    return found


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Mapping[str, Any]]:
    """The objects in a list; empty for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object, most: int = TEXT_LENGTH) -> str:
    """The value if it is a text of one printable line, else an empty one."""
    return value.strip() if isinstance(value, str) and len(value) <= most and value.isprintable() else ""


def number(value: object, least: float = 0.0, most: float = math.inf) -> float | None:
    """The value if it is a finite number within the bounds, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    found = float(value)
    return found if math.isfinite(found) and least <= found <= most else None


def positive(value: object, most: float = math.inf) -> float | None:
    """As `number`, but zero is nothing: for figures whose zero means that nobody measured."""
    return number(value, 0.0, most) or None


def count(value: object) -> int:
    """The value if it is a whole number of things from 0 on, else 0."""
    found = number(value, 0.0, TOKENS_MOST)
    return int(found) if found is not None else 0


def epoch(value: object) -> float | None:
    """Seconds since 1970 of an ISO time, of seconds or of milliseconds; None for anything else. A time without a zone is UTC."""
    found = number(value)
    if found is not None:
        found = found / 1000 if found > MILLISECONDS_FROM else found
        return found if found < MILLISECONDS_FROM else None
    try:
        moment = datetime.fromisoformat(text(value))
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def iso(epoch_s: float) -> str:
    """RFC 3339 in UTC, to the millisecond: `2026-11-21T18:00:00.000Z`."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
