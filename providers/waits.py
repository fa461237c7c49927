"""How long to wait, in every way in which upstreams say it: seconds, Go durations, HTTP dates, RFC 3339, epochs, a sentence. Pure.

Whatever they send is read or ignored, never believed blindly: no number, an endless one, a negative one or a date that no limit reaches
says nothing. Nothing here raises.
"""

from __future__ import annotations

import email.utils
import re
from datetime import UTC, datetime

from providers.transport.port import Headers, header

LONGEST_S = 400 * 86_400.0
"""No vendor's window is longer than a year: a reset beyond that is a mistake of theirs (or a date in another unit)."""

SKEW_S = 3600.0
"""A reset in the past means "now" as long as clocks may differ by that much; an older one says nothing about any limit."""

_MILLISECONDS_FROM = 1e11
"""As seconds that is the year 5138, as milliseconds 1973: larger epochs are milliseconds."""

_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_GO_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_WORD_S = {"ms": 0.001, "millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_IN_WORDS = re.compile(
    r"(?:try again|retry)\s+(?:in|after)\s+"
    r"(?:(?P<go>(?:\d+(?:\.\d+)?(?:ms|s|m|h))+)(?![a-z])|(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|millisecond|second|minute|hour|day)s?\b)",
    re.IGNORECASE | re.ASCII,
)


def seconds_until(value: str, now_epoch_s: float | None = None) -> float | None:
    """A wait in seconds from any of: seconds (`20`, `1.5`), a Go duration (`6m0s`, `20ms`), an HTTP date. None if it is neither.

    An HTTP date needs `now_epoch_s`; without it (pure callers have no clock) the answer's own Date header does, see `retry_after`.
    """
    text = value.strip()
    if not text.isascii() or "_" in text:  # `float` would take other scripts' digits and Python's own spelling of numbers
        return None
    try:
        return _wait(float(text))
    except ValueError:
        pass
    seconds = _go_duration_s(text)
    if seconds is not None:
        return _wait(seconds)
    until_epoch_s = http_date_s(text)
    return None if now_epoch_s is None or until_epoch_s is None else _wait(until_epoch_s - now_epoch_s)


def _go_duration_s(text: str) -> float | None:
    parts = _GO_DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _GO_UNIT_S[unit] for number, unit in parts)


def _wait(seconds: float) -> float | None:
    """A wait is never negative; one that is no number, or endless, says nothing."""
    return max(0.0, seconds) if -1e300 < seconds < 1e300 else None


def http_date_s(date: str) -> float | None:
    """An HTTP date in seconds since 1970, or None."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):  # what the email package raises on odd input
        return None


def rfc3339_s(text: str) -> float | None:
    """An RFC 3339 moment in seconds since 1970, or None. Without a zone it is read as UTC, not as this machine's time."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def until(epoch_s: float | None, wall_s: float) -> float | None:
    """Seconds from `wall_s` to a reset at `epoch_s` (or milliseconds since 1970); None where that can be no reset."""
    if epoch_s is None:
        return None
    if epoch_s >= _MILLISECONDS_FROM:
        epoch_s /= 1000.0
    seconds = epoch_s - wall_s
    if not -SKEW_S <= seconds <= LONGEST_S:
        return None
    return max(0.0, seconds)


def sent_s(headers: Headers) -> float | None:
    """When the answer was sent by its own Date header, seconds since 1970: the clock of those who have none."""
    value = header(headers, b"date")
    return None if value is None else http_date_s(value.decode("latin-1"))


def retry_after(headers: Headers) -> float | None:
    """`retry-after-ms` before `retry-after`; a date is measured against the answer's own Date header, so no clock is read."""
    millis = header(headers, b"retry-after-ms")
    if millis is not None:
        try:
            return _wait(float(millis) / 1000)
        except ValueError:
            pass
    value = header(headers, b"retry-after")
    return None if value is None else seconds_until(value.decode("latin-1"), sent_s(headers))


def wait_in_words(message: str) -> float | None:
    """The wait in a sentence (`Please try again in 1m3.5s`, `retry after 26 seconds`), in seconds; None where there is none."""
    found = _IN_WORDS.search(message)
    if found is None:
        return None
    seconds = _go_duration_s(found["go"].lower()) if found["go"] else float(found["number"]) * _WORD_S[found["unit"].lower()]
    return None if seconds is None else _wait(seconds)
