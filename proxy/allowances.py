"""What an answer's headers tell of donut's own limits: how much the client's key has left, and that a budget asks for something cheaper.

The names and the form of durations are OpenAI's, which every client library reads. Asked only where any limit is configured.
"""

from __future__ import annotations

from collections.abc import Iterable

from providers.transport.port import Headers
from proxy.headers import header_text
from routing.degrading import degraded_by
from routing.headroom.book import Book
from routing.headroom.counters import Ceiling
from routing.headroom.limits import Scope
from routing.headroom.types import Unit
from routing.types import Decision, Demand

NAMES = {Unit.REQUESTS: b"requests", Unit.TOKENS: b"tokens"}
PREFIX = b"x-ratelimit-"
DEGRADED = b"x-donut-degraded"


def limit_headers(decision: Decision, book: Book, now_s: float) -> Headers:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}` of the client's key, and `x-donut-degraded` with the budget's words."""
    degraded = degraded_by(decision.evidence)
    told = _allowances(book, decision.evidence.demand, now_s)
    return told if degraded is None else [*told, (DEGRADED, header_text(degraded))]


def _allowances(book: Book, demand: Demand, now_s: float) -> Headers:
    if demand.client is None or book.people.is_empty:
        return []
    ours = [each for each in book.people.ceilings(demand) if each.limit.scope is Scope.CLIENT and each.stops and not each.is_soft]
    headers: Headers = []
    for unit, name in NAMES.items():
        tightest = _tightest((each for each in ours if each.limit.unit is unit and each.is_counted), now_s)
        if tightest is not None:
            reset_s = max(0.0, tightest.counter.meter.resets_at_s(now_s) - now_s)
            headers += [
                (PREFIX + b"limit-" + name, b"%d" % tightest.most),
                (PREFIX + b"remaining-" + name, b"%d" % max(0, tightest.left(now_s))),
                (PREFIX + b"reset-" + name, duration(reset_s).encode()),
            ]
    return headers


def _tightest(ceilings: Iterable[Ceiling], now_s: float) -> Ceiling | None:
    """Of several windows the one of which the smallest part is left."""
    return min(ceilings, key=lambda each: each.left(now_s) / each.most, default=None)


def duration(seconds: float) -> str:
    """`1s`, `6m0s`, `2h0m0s`, below a second `120ms`: as OpenAI writes them (reference/provider-signals.md)."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
