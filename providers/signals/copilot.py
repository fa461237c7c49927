"""GitHub Copilot: snapshots of a plan's quotas as little query strings, `ent=1500&rem=31.3&rst=2026-04-01T00%3A00%3A00Z&…`.

`ent` is the allowance (-1: unlimited, 0: not told), `rem` the percentage that is left, `rst` when it is whole again. Only the percentage is
read: a request takes as much of the allowance as its model's multiplier says, so a count would be no count of requests. A quota of premium
requests that is gone leaves the plan's base models, so a snapshot binds only the model with whose answer it came.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from providers.signals import Limits, Names, Signals
from providers.signals._values import FIVE_HOURS_S, WEEK_S, duration, number, rfc3339
from routing.headroom.types import ReportedLimit, ReportedScope, Unit

_SNAPSHOTS = (
    (b"x-quota-snapshot-chat", "chat", ReportedScope.MODEL, None),
    (b"x-quota-snapshot-premium_models", "premium_models", ReportedScope.MODEL, None),
    (b"x-quota-snapshot-premium_interactions", "premium_interactions", ReportedScope.MODEL, None),
    (b"x-usage-ratelimit-session", "session", ReportedScope.ACCOUNT, FIVE_HOURS_S),
    (b"x-usage-ratelimit-weekly", "weekly", ReportedScope.ACCOUNT, WEEK_S),
)
_EXCEEDED = b"x-ratelimit-exceeded"
_FIELDS_MOST = 20
_VALUE_BYTES_MOST = 500


def read_names(names: Names, wall_s: float) -> Limits:
    """One limit per snapshot that has one, and the one that was exceeded."""
    limits = [
        limit
        for header, name, scope, window_s in _SNAPSHOTS
        if (value := names.get(header)) is not None and (limit := _snapshot(value, name, scope, window_s, wall_s)) is not None
    ]
    if (exceeded := names.get(_EXCEEDED)) is not None:
        limits.append(_exceeded(exceeded, names.get(b"retry-after"), wall_s))
    return tuple(limits)


def _snapshot(value: bytes, name: str, scope: ReportedScope, window_s: float | None, wall_s: float) -> ReportedLimit | None:
    fields = _fields(value)
    left_percent = number(fields.get(b"rem"))
    if left_percent is None or left_percent > 100.0 or fields.get(b"ent", b"").startswith(b"-"):
        return None
    return ReportedLimit(
        name,
        Unit.SHARE,
        scope,
        window_s,
        left_share=left_percent / 100.0,
        resets_in_s=rfc3339(fields.get(b"rst", b""), wall_s),
    )


def _fields(value: bytes) -> dict[bytes, bytes]:
    try:
        return dict(parse_qsl(value[:_VALUE_BYTES_MOST], max_num_fields=_FIELDS_MOST))
    except ValueError:  # more fields than anybody sends
        return {}


def _exceeded(value: bytes, wait: bytes | None, wall_s: float) -> ReportedLimit:
    """`global-chat:global-chat-rate-limit` binds everything, a limit that names a model binds that one."""
    name = value.partition(b":")[0][:100].decode("latin-1").strip()
    scope = ReportedScope.MODEL if "model" in name else ReportedScope.ACCOUNT
    resets_in_s = None if wait is None else duration(wait, wall_s)
    return ReportedLimit(name, Unit.REQUESTS, scope, left=0.0, resets_in_s=resets_in_s, is_spent=True)


SIGNALS = Signals("copilot", frozenset({*(header for header, *_ in _SNAPSHOTS), _EXCEEDED}), read_names)
