"""Anthropic with a subscription: what is used of its windows of five hours and seven days, as fractions of an allowance that is not told.

Besides the two of the account there are windows of their own for single models (`7d-sonnet`, `7d_oi`), which come with those models'
answers only. With `unified-status: allowed` a window may be used up all the same: the account then pays for what goes beyond (overage).
"""

from __future__ import annotations

from providers.signals import Limits, Names, Signals
from providers.signals._values import FIVE_HOURS_S, WEEK_S, epoch, number
from providers.waits import until
from routing.headroom.types import ReportedLimit, ReportedScope, Unit

_PREFIX = b"anthropic-ratelimit-unified-"
_STATUS = _PREFIX + b"status"
_UTILIZATION = b"-utilization"
_OF_THE_ACCOUNT = (b"5h", b"7d")
_CLAIMS = {b"five_hour": b"5h", b"seven_day": b"7d"}
"""A window as `representative-claim` names it → as the headers name it."""
_WINDOWS_MOST = 10
_USED_MOST = 10.0
"""Tenfold overuse; a larger figure is no fraction."""


def read_names(names: Names, wall_s: float) -> Limits:
    """One limit per window of which the use is told, and the one that refused."""
    is_refused = names.get(_STATUS) == b"rejected"
    windows = [name[len(_PREFIX) : -len(_UTILIZATION)] for name in names if name.endswith(_UTILIZATION) and name.startswith(_PREFIX)]
    spent = _spent(names, windows) if is_refused else frozenset()
    limits = [
        limit for window in windows[:_WINDOWS_MOST] if (limit := _window(names, window, wall_s, is_spent=window in spent)) is not None
    ]
    if is_refused and not any(limit.is_spent for limit in limits):
        limits.append(_nameless(names, wall_s))
    return tuple(limits)


def _spent(names: Names, windows: list[bytes]) -> frozenset[bytes]:
    """The windows that refused: those that say so, else the one that the answer names."""
    spent = frozenset(window for window in windows if names.get(_PREFIX + window + b"-status") == b"rejected")
    claim = _CLAIMS.get(names.get(_PREFIX + b"representative-claim", b""))
    return spent or (frozenset((claim,)) if claim is not None else frozenset())


def _window(names: Names, window: bytes, wall_s: float, *, is_spent: bool) -> ReportedLimit | None:
    used = number(names.get(_PREFIX + window + _UTILIZATION))
    if used is None or used > _USED_MOST:
        return None
    resets = names.get(_PREFIX + window + b"-reset")
    return ReportedLimit(
        window[:50].decode("latin-1"),
        Unit.SHARE,
        ReportedScope.ACCOUNT if window in _OF_THE_ACCOUNT else ReportedScope.MODEL,
        FIVE_HOURS_S if window.startswith(b"5h") else WEEK_S if window.startswith(b"7d") else None,
        left_share=0.0 if is_spent else max(0.0, 1.0 - used),
        resets_in_s=None if resets is None else epoch(resets, wall_s),
        is_spent=is_spent,
    )


def _nameless(names: Names, wall_s: float) -> ReportedLimit:
    """Refused, and no window's figures say by which."""
    window = _CLAIMS.get(names.get(_PREFIX + b"representative-claim", b""))
    resets = names.get(_PREFIX + b"reset") if window is None else names.get(_PREFIX + window + b"-reset", names.get(_PREFIX + b"reset"))
    return ReportedLimit(
        "unified" if window is None else window.decode(),
        Unit.SHARE,
        left_share=0.0,
        resets_in_s=until(number(resets), wall_s),
        is_spent=True,
    )


SIGNALS = Signals("anthropic_unified", frozenset({_STATUS, *(_PREFIX + window + _UTILIZATION for window in _OF_THE_ACCOUNT)}), read_names)
