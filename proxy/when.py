"""Points in time as people and programs write them: a span back from now, a date, or epoch seconds. Without an offset, UTC."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_AGO = re.compile(r"(\d{1,6}(?:\.\d+)?)([mhdw])", re.ASCII)
_EPOCH = re.compile(r"\d{9,11}(?:\.\d{1,9})?", re.ASCII)
"""Nine to eleven digits: from 1973 to 5138. A year alone has four."""


def parse(text: str, now: float) -> float:
    """`30m`, `24h`, `7d`, `2w` before `now`; `now`; `2026-11-01`; `2026-11-01T08:00+01:00`; `1793491200` → epoch seconds.

    Raises ValueError with words for whoever wrote it.
    """
    if text == "now":
        return now
    if ago := _AGO.fullmatch(text):
        return now - float(ago[1]) * _UNITS[ago[2]]
    if _EPOCH.fullmatch(text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is neither a span such as 24h, 7d, 2w nor a date such as 2026-11-01") from None


def iso(epoch_s: float) -> str:
    """`2026-11-01T08:00:00Z`"""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 12 min`, `2 d 5 h`: two units are enough for anybody, and what is left of a third counts as one more."""
    whole = max(1, math.ceil(seconds))
    for length, name, smaller, smaller_name in _SPANS:
        if whole >= length:
            parts = math.ceil(whole / smaller)
            large, rest = divmod(parts, length // smaller)
            return f"{large} {name} {rest} {smaller_name}" if rest else f"{large} {name}"
    return f"{whole} s"


_SPANS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
