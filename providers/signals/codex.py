"""The ChatGPT plans behind Codex: a primary window (five hours) and a secondary one (a week), as percent used.

Told three ways: in the headers of an answer, in a `codex.rate_limits` event at the beginning of a stream, and in the body of a refusal.
Some models have windows of their own, a family (`x-codex-bengalfox-primary-…`); `x-codex-active-limit` names the family that this answer
counts against, and other families bind other models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from providers.errors import error_member
from providers.signals import Limits, Names, Signals
from providers.signals._values import DAY_S, MINUTE_S, amount_in, number, share_left
from providers.waits import LONGEST_S, until
from routing.headroom.types import ReportedLimit, ReportedScope, Unit

_PREFIX = b"x-codex-"
_WINDOWS = ("primary", "secondary")
_ENDS = (b"-used-percent", b"-window-minutes", b"-reset-after-seconds", b"-reset-at")
_EVENT = "codex.rate_limits"
_OF_THE_ACCOUNT = "codex"
_PERCENT_MOST = 1000.0
"""Tenfold overuse; a larger figure is no percentage."""
_WINDOW_MOST_S = 366 * DAY_S


def read_names(names: Names, wall_s: float) -> Limits:
    """The account's windows, and those of the family that the answer counts against."""
    active = names.get(b"x-codex-active-limit", b"").decode("latin-1")
    is_refused = b"x-codex-rate-limit-reached-type" in names
    limits = []
    for prefix, family in _families(active):
        for window in _WINDOWS:
            stem = prefix + window.encode()
            used, minutes, after_s, at_s = (number(names.get(stem + end)) for end in _ENDS)
            told = _Told(used, minutes, after_s if after_s is not None else until(at_s, wall_s))
            limits.append(_limit(family, window, told, is_refused=is_refused))
    return tuple(limit for limit in limits if limit is not None)


def _families(active: str) -> Iterator[tuple[bytes, str]]:
    """(what its headers begin with, its name or nothing)"""
    yield _PREFIX, ""
    family = _family(active)
    if family:
        yield _PREFIX + family.encode("ascii", "replace") + b"-", family


def _family(limit: object) -> str:
    """`codex_bengalfox` → `bengalfox`; nothing for the account's own."""
    if not isinstance(limit, str):
        return ""
    name = limit.strip().lower().replace("_", "-")
    return "" if name == _OF_THE_ACCOUNT else name.removeprefix(_OF_THE_ACCOUNT + "-")[:50]


class _Told(NamedTuple):
    """A window as it came."""

    used_percent: float | None
    minutes: float | None
    resets_in_s: float | None


def _limit(family: str, window: str, told: _Told, *, is_refused: bool) -> ReportedLimit | None:
    used, minutes, resets_in_s = told
    if used is None or used > _PERCENT_MOST or not any(told):  # a plan without this window says zero in all three
        return None
    window_s = minutes * MINUTE_S if minutes else None
    return ReportedLimit(
        f"{family}-{window}" if family else window,
        Unit.SHARE,
        ReportedScope.MODEL if family else ReportedScope.ACCOUNT,
        window_s if window_s is not None and window_s <= _WINDOW_MOST_S else None,
        left_share=share_left(used),
        resets_in_s=resets_in_s if resets_in_s is not None and resets_in_s <= LONGEST_S else None,
        is_spent=is_refused and used >= 100.0,
    )


def read_event(event: Mapping[str, Any], wall_s: float) -> Limits:
    """`{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent",…},"secondary":…},"metered_limit_name"}`"""
    told = event.get("rate_limits")
    if event.get("type") != _EVENT or not isinstance(told, dict):
        return ()
    family = _family(event.get("metered_limit_name") or event.get("limit_name"))
    windows = ((window, _told(told.get(window), wall_s)) for window in _WINDOWS)
    limits = (_limit(family, window, each, is_refused=told.get("limit_reached") is True) for window, each in windows)
    return tuple(limit for limit in limits if limit is not None)


def _told(window: object, wall_s: float) -> _Told:
    if not isinstance(window, dict):
        return _Told(None, None, None)
    after_s = amount_in(window.get("reset_after_seconds"))
    resets_in_s = after_s if after_s is not None else until(amount_in(window.get("reset_at")), wall_s)
    return _Told(amount_in(window.get("used_percent")), amount_in(window.get("window_minutes")), resets_in_s)


def read_body(status: int, body: bytes, wall_s: float) -> Limits:
    """`usage_limit_reached`: the plan's allowance is used up until `resets_at`."""
    del status
    if b"usage_limit_reached" not in body:
        return ()
    error = error_member(body)
    if "usage_limit_reached" not in (error.get("type"), error.get("code")):
        return ()
    after_s = amount_in(error.get("resets_in_seconds"))
    resets_in_s = after_s if after_s is not None and after_s <= LONGEST_S else until(amount_in(error.get("resets_at")), wall_s)
    return (ReportedLimit("usage_limit_reached", Unit.SHARE, left_share=0.0, resets_in_s=resets_in_s, is_spent=True),)


_MARKS = frozenset(
    {b"x-codex-primary-used-percent", b"x-codex-secondary-used-percent", b"x-codex-active-limit", b"x-codex-rate-limit-reached-type"}
)

SIGNALS = Signals("codex", _MARKS, read_names, read_body, read_event)
