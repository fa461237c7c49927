"""How the far end fails when it is told to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Failing(StrEnum):
    STATUS = "status"
    """An error answer with `status`."""
    OVERFLOW = "overflow"
    """The 400 for a prompt that is too long."""
    BROKEN = "broken"
    """200, then an error event: overloaded."""
    CUT = "cut"
    """200, then RST."""
    TRUNCATED = "truncated"
    """200, then a clean end without the terminal event."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and when. Only requests with tools count, so that titles and other chores are left alone."""

    failing: Failing
    status: int = 500
    retry_after_s: int | None = None
    after: int = 0
    """Requests that are answered properly before."""
    times: int | None = 1
    """None: always."""
    is_late: bool = False
    """In the middle of the stream, after content; otherwise in place of its second event."""

    def is_due(self, number: int) -> bool:
        """`number` counts from 0."""
        return number >= self.after and (self.times is None or number < self.after + self.times)
