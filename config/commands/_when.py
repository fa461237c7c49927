"""Points in time on the command line: `24h` ago, or a date. Times without an offset are UTC, as the journal's days are."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import click

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_AGO = re.compile(r"(\d{1,6}(?:\.\d+)?)([mhdw])")


def parse_when(_context: click.Context, _option: click.Parameter, value: str) -> float:
    """An option's callback: `30m`, `24h`, `7d`, `2w` before now; `now`; `2026-11-01`; `2026-11-01T08:00+01:00` → epoch seconds.

    Raises click.BadParameter.
    """
    if value == "now":
        return time.time()
    if ago := _AGO.fullmatch(value):
        return time.time() - float(ago[1]) * _UNITS[ago[2]]
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a span such as 24h, 7d, 2w nor a date such as 2026-11-01") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def iso(epoch_s: float) -> str:
    """`2026-11-01T08:00:00Z`"""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
