"""Which program is asking. Its User-Agent says so; behind a gateway that has put its own there, its other headers or the body may."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from proxy.harnesses._registry import load_harnesses

UNKNOWN = "unknown"
HARNESSES = load_harnesses()
_PREFIXES = tuple((prefix, harness.name) for harness in HARNESSES.values() for prefix in harness.user_agents)
_BY_HEADER = {header: harness.name for harness in HARNESSES.values() for header in harness.headers}
_UNSURE = frozenset({UNKNOWN, *(harness.name for harness in HARNESSES.values() if harness.is_gateway)})
_IN_BODY = tuple((harness.is_in_body, harness.name) for harness in HARNESSES.values() if harness.is_in_body is not None)
BODY_MEMBERS = frozenset(name for harness in HARNESSES.values() for name in harness.body_members)
"""A body without any of these tells nothing of its harness: one look instead of one per harness, for every request that says no name."""


@lru_cache(maxsize=256)
def harness_of(user_agent: bytes | None) -> str:
    """The harness's name by its User-Agent alone, or `unknown`."""
    text = (user_agent or b"").decode("latin-1").lower()
    return next((name for prefix, name in _PREFIXES if text.startswith(prefix)), UNKNOWN)


def in_head(user_agent: bytes | None, headers: Mapping[bytes, bytes]) -> tuple[str, bool]:
    """The harness's name, or `unknown`, and whether there may be another behind it that the body tells of. A known User-Agent settles
    it."""
    name = harness_of(user_agent)
    if name not in _UNSURE:
        return name, False
    found = next((_BY_HEADER[header] for header in headers if header in _BY_HEADER), None)
    return (name, True) if found is None else (found, False)


def in_body(data: Mapping[str, Any]) -> str | None:
    """The harness that the body tells of."""
    return next((name for is_in_body, name in _IN_BODY if is_in_body(data)), None)
