"""OpenRouter speaks of limits only when it refuses: three headers, and the same three in the body where a gateway has eaten them.

What is left of a key's money is behind `GET /api/v1/key`, which is no answer to anything and so not read here.
https://openrouter.ai/docs/api-reference/limits
"""

from __future__ import annotations

from providers.errors import error_member
from providers.signals import Limits, Signals
from providers.signals._values import Row, epoch, marks_of, reader
from routing.headroom.types import ReportedScope, Unit

_ROWS = (
    Row(
        "requests",
        Unit.REQUESTS,
        b"x-ratelimit-limit",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset",
        # Its limits are those of free models (`free-models-per-day`): they do not bind what is paid for.
        scope=ReportedScope.MODEL,
        until=epoch,
    ),
)
_read = reader(_ROWS)


def read_body(status: int, body: bytes, wall_s: float) -> Limits:
    """`error.metadata.headers` of a 429."""
    if status != 429 or b'"headers"' not in body:
        return ()
    metadata = error_member(body).get("metadata")
    headers = metadata.get("headers") if isinstance(metadata, dict) else None
    if not isinstance(headers, dict):
        return ()
    names = {name.lower().encode("utf-8", "replace"): str(value).encode("utf-8", "replace") for name, value in headers.items()}
    return _read(names, wall_s)


SIGNALS = Signals("openrouter", marks_of(_ROWS), _read, read_body)
