"""Where days, weeks and months begin, in UTC: arithmetic on seconds since 1970, so that the core needs no clock and no time zone.

Vendors bill by UTC months. Weeks begin on Monday (ISO 8601). Windows shorter than a day begin at whole multiples of their length.
"""

from __future__ import annotations

from routing.headroom.types import WINDOW_S, Window

DAY_S = 86_400
MONDAY = 4
"""1970-01-01 was a Thursday: day 4 was the first Monday."""
ERA_DAYS = 146_097
"""In the 400 years after which the calendar repeats."""


class Epoch:
    """How far the wall clock is ahead of `now_s`. Given from outside: the core reads neither."""

    __slots__ = ("offset_s",)

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s

    def set(self, now_s: float, wall_s: float) -> None:
        self.offset_s = wall_s - now_s


def started_at(window: Window, wall_s: float) -> float:
    """When the period that holds `wall_s` began; both in seconds since 1970."""
    day = int(wall_s // DAY_S)
    if window is Window.MONTH:
        year, month = _month_of(day)
        return float(_first_day(year, month) * DAY_S)
    if window is Window.WEEK:
        return float((day - (day - MONDAY) % 7) * DAY_S)
    length_s = WINDOW_S[window]
    return wall_s // length_s * length_s


def ends_at(window: Window, wall_s: float) -> float:
    """When it ends and the next one begins."""
    began_s = started_at(window, wall_s)
    if window is Window.MONTH:
        year, month = _month_of(int(began_s // DAY_S))
        return float(_first_day(year + month // 12, month % 12 + 1) * DAY_S)
    return began_s + WINDOW_S[window]


def _first_day(year: int, month: int) -> int:
    """Days from 1970-01-01 to the first of a month of the Gregorian calendar. Years are counted from March, so that a leap day ends one."""
    year -= month <= 2
    of_year = (153 * ((month + 9) % 12) + 2) // 5
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719_468


def _month_of(day: int) -> tuple[int, int]:
    """(year, month) of a day counted from 1970-01-01."""
    era, of_era = divmod(day + 719_468, ERA_DAYS)
    years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // (ERA_DAYS - 1)) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    from_march = (5 * of_year + 2) // 153
    month = from_march + 3 if from_march < 10 else from_march - 9
    return era * 400 + years + (month <= 2), month
