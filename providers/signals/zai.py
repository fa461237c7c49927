"""z.ai (GLM): no headers; numbered codes in a refusal's body, and the end of a plan's window in its sentence.

`Usage limit reached for 5 hour. Your limit will reset at 2026-09-03 05:35:16`: the moment has no zone. https://docs.z.ai/api-reference/api-code
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from providers.errors import error_member
from providers.signals import Limits, Signals
from providers.signals._values import DAY_S, FIVE_HOURS_S
from providers.waits import LONGEST_S, rfc3339_s
from routing.headroom.types import ReportedLimit, ReportedScope, Unit

_RESET = re.compile(r"reset at (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_CHINA_S = 8 * 3600.0
_CODES: Mapping[str, tuple[ReportedScope, float | None]] = {
    "1304": (ReportedScope.MODEL, DAY_S),  # calls of one API per day
    "1308": (ReportedScope.ACCOUNT, None),  # a plan's window of hours
    "1310": (ReportedScope.ACCOUNT, None),  # a plan's week or month
}


def read_body(status: int, body: bytes, wall_s: float) -> Limits:
    """The limit that a plan has met, with its reset."""
    del status
    error = error_member(body) if b'"13' in body else {}
    code, message = error.get("code"), error.get("message")
    if not isinstance(code, str) or code not in _CODES or not isinstance(message, str):
        return ()
    scope, window_s = _CODES[code]
    if window_s is None and "5 hour" in message:
        window_s = FIVE_HOURS_S
    return (ReportedLimit(code, Unit.SHARE, scope, window_s, left_share=0.0, resets_in_s=reset_in_s(message, wall_s), is_spent=True),)


def reset_in_s(message: str, wall_s: float) -> float | None:
    """Seconds until the reset in a sentence. The earlier reading that is still ahead holds, China's time or UTC: to ask too early costs
    one refusal, to ask too late eight hours."""
    found = _RESET.search(message)
    as_utc_s = None if found is None else rfc3339_s(f"{found[1]}T{found[2]}Z")
    if as_utc_s is None:
        return None
    waits = (as_utc_s - _CHINA_S - wall_s, as_utc_s - wall_s)
    return next((wait for wait in waits if 0.0 < wait <= LONGEST_S), None)


SIGNALS = Signals("zai", read_body=read_body)
