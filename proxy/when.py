"""Points in time as people and programs write them: a span back from now, a date, or epoch seconds. Without an offset, UTC."""

from __future__ import annotations

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
