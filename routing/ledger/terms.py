"""When a price is another: by prompt length, hour and day (OpenRouter's `pricing.overrides`), from a date on, and by service lane.

OpenRouter's rules hold: an override applies only if all its conditions do; among those that apply a later one wins, figure by figure; a
figure that it does not name stays. One condition is ours: `effective_from_s`, which makes an announced price change one more override.
Counterpart: `cost.py`, which counts with them.
"""

from __future__ import annotations

from typing import NamedTuple

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_S = 86_400
_THURSDAY = 3
"""1 January 1970."""

Figures = tuple[tuple[str, float], ...]
"""(name, figure) pairs: prices are compared and hashed, which a mapping can not be."""


class PriceOverride(NamedTuple):
    """Other figures under conditions. A condition that is None always holds."""

    figures: Figures = ()
    """Field of `Price` → USD per 1M tokens (per request and per image: USD)."""
    min_prompt_tokens: int | None = None
    """The whole prompt, cached part included, has at least this many tokens. Every token of the request then costs the other price."""
    utc_start: int | None = None
    """Minutes after midnight UTC, included; with `utc_end` before it the window goes over midnight, equal to it it is the whole day."""
    utc_end: int | None = None
    """Minutes after midnight UTC, excluded."""
    utc_days: tuple[int, ...] | None = None
    """0 is Monday. Days of UTC: of a window over midnight the part after it belongs to the next day."""
    effective_from_s: float | None = None
    """Seconds since 1970."""

    @property
    def needs_time(self) -> bool:
        return self.utc_start is not None or self.utc_days is not None or self.effective_from_s is not None

    def applies(self, prompt_tokens: int, at_s: float | None) -> bool:
        """`at_s`: seconds since 1970; None when nobody knows, and then nothing that depends on it applies."""
        if self.min_prompt_tokens is not None and prompt_tokens < self.min_prompt_tokens:
            return False
        if not self.needs_time:
            return True
        if at_s is None or (self.effective_from_s is not None and at_s < self.effective_from_s):
            return False
        day = (int(at_s // _DAY_S) + _THURSDAY) % 7
        return (self.utc_days is None or day in self.utc_days) and self._is_open(int(at_s % _DAY_S) // 60)

    def _is_open(self, minute: int) -> bool:
        start, end = self.utc_start, self.utc_end
        if start is None or end is None or start == end:
            return True
        return start <= minute < end if start < end else minute >= start or minute < end


class Terms(NamedTuple):
    """Everything about a price that is no plain figure."""

    overrides: tuple[PriceOverride, ...] = ()
    lanes: Figures = ()
    """Service lane (`batch`, `flex`, `priority`) → what the token prices are multiplied with."""


PLAIN = Terms()


def minutes_of(text: str) -> int:
    """`0130`, `01:30` or `1:30` → 90. Raises ValueError; `2400` is midnight."""
    digits = text.replace(":", "").rjust(4, "0") if text else ""
    if len(digits) != 4 or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{text!r} is no time of day (HHMM)")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if minutes > 59 or hours * 60 + minutes > 1440:
        raise ValueError(f"{text!r} is no time of day (HHMM)")
    return (hours * 60 + minutes) % 1440


def as_text(override: PriceOverride) -> str:
    """The conditions in words: `prompt ≥ 272,001 tokens, 16:30–00:30 UTC`."""
    parts = []
    if override.min_prompt_tokens is not None:
        parts.append(f"prompt ≥ {override.min_prompt_tokens:,} tokens")
    if override.utc_start is not None and override.utc_end is not None:
        parts.append(
            "all day" if override.utc_start == override.utc_end else f"{_clock(override.utc_start)}–{_clock(override.utc_end)} UTC"
        )
    if override.utc_days is not None:
        parts.append(" ".join(DAYS[day][:3].title() for day in override.utc_days))
    if override.effective_from_s is not None:
        parts.append(f"from {override.effective_from_s:.0f} s since 1970")
    return ", ".join(parts) or "always"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
