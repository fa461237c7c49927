"""Gemini has no headers: a refusal's body names the quotas that were met, and how long to wait.

https://ai.google.dev/gemini-api/docs/rate-limits (quotas per day reset at midnight Pacific time)
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.errors import error_member
from providers.signals import Limits, Signals
from providers.signals._values import DAY_S, MINUTE_S, amount_in
from providers.waits import LONGEST_S, seconds_until
from routing.headroom.types import ReportedLimit, ReportedScope, Unit

_MIDNIGHT_UTC_S = 8 * 3600.0
"""Midnight in California in winter; in summer it is an hour earlier, and who asks an hour late has lost little."""
_VIOLATIONS_MOST = 10


def until_midnight_s(wall_s: float) -> float:
    """Seconds until the quotas per day are whole again."""
    return DAY_S - (wall_s - _MIDNIGHT_UTC_S) % DAY_S


def read_body(status: int, body: bytes, wall_s: float) -> Limits:
    """One limit per violated quota; where none is named, one for a day's quota that is gone."""
    if status != 429:
        return ()
    details = error_member(body).get("details")
    found = [detail for detail in (details if isinstance(details, list) else ()) if isinstance(detail, dict)]
    delays = (seconds_until(delay) for detail in found if isinstance(delay := detail.get("retryDelay"), str))
    delay_s = next((delay for delay in delays if delay is not None and delay <= LONGEST_S), None)
    violations = [
        violation
        for detail in found
        if isinstance(told := detail.get("violations"), list)
        for violation in told[:_VIOLATIONS_MOST]
        if isinstance(violation, dict)
    ]
    limits = [limit for violation in violations if (limit := _limit(violation, delay_s, wall_s)) is not None]
    if not limits and any(detail.get("reason") == "QUOTA_EXHAUSTED" for detail in found):
        limits = [ReportedLimit("QUOTA_EXHAUSTED", Unit.SHARE, window_s=DAY_S, resets_in_s=until_midnight_s(wall_s), is_spent=True)]
    return tuple(limits)


def _limit(violation: Mapping[str, object], delay_s: float | None, wall_s: float) -> ReportedLimit | None:
    quota = violation.get("quotaId")
    if not isinstance(quota, str):
        return None
    is_daily = "PerDay" in quota
    dimensions = violation.get("quotaDimensions")
    of_one_model = "PerModel" in quota or (isinstance(dimensions, dict) and "model" in dimensions)
    return ReportedLimit(
        quota[:100],
        Unit.INPUT_TOKENS if "InputToken" in quota else Unit.TOKENS if "Token" in quota else Unit.REQUESTS,
        ReportedScope.MODEL if of_one_model else ReportedScope.ACCOUNT,
        DAY_S if is_daily else MINUTE_S if "PerMinute" in quota else None,
        most=amount_in(violation.get("quotaValue")),
        left=0.0,
        resets_in_s=until_midnight_s(wall_s) if is_daily else delay_s,
        is_spent=True,
    )


SIGNALS = Signals("gemini", read_body=read_body)
