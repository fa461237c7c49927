"""What binds one replica: its limits and its provider's, those that a person set and those that were reported. The tightest one counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from routing.headroom.counters import Ceiling, Counter, surely_left
from routing.headroom.limits import Amounts, counted
from routing.headroom.meters import Periodic
from routing.headroom.pacing import pace_of
from routing.headroom.reports import Report, ReportKey
from routing.headroom.standing import FULL, NANO_PER_PRICE, ROOMY, Rates, Standing, WindowLeft, standing_of, tokens_in, window_left
from routing.headroom.types import WINDOW_S, ReportedLimit, Unit
from routing.ledger.terms import PLAIN
from routing.pricing import expected_cost_usd
from routing.types import ModelReplica, Price

PACED_FROM_S = 3600.0
"""Shorter windows are full again before a pace could matter."""

REPORTS_KEPT = 32
"""Per account and per replica; the most that one vendor reports is eleven (Anthropic's unified limits)."""


class Block(NamedTuple):
    """Why a demand does not fit."""

    detail: str
    until_s: float | None
    """When it will, as far as it is known."""
    ceiling: Ceiling | None = None
    """None where a provider's report says so."""


class Account:
    """What a provider reported for all replicas of one account."""

    __slots__ = ("id", "places", "reports", "spare")

    def __init__(self, provider_id: str) -> None:
        self.id = provider_id
        self.reports: dict[ReportKey, Report] = {}
        self.places: dict[str, Place] = {}
        self.spare = 0.0
        """The share of every reported limit that is kept for its owner."""


class Place:
    """One replica."""

    __slots__ = ("account", "ceilings", "counters", "id", "price", "rates", "replica", "reports", "room_bits", "standing")

    def __init__(self, replica_id: str, account: Account) -> None:
        self.id = replica_id
        self.account = account
        self.replica: ModelReplica | None = None
        """None while it is known from facts alone."""
        self.price: Price | None = None
        self.rates = Rates(is_known=False)
        self.ceilings: list[Ceiling] = []
        self.counters: list[Counter] = []
        """Of the ceilings, each once."""
        self.reports: dict[ReportKey, Report] = {}
        self.standing = FULL
        self.room_bits = ROOMY.bit_length()
        """A demand of fewer bits than this surely fits."""
        account.places[replica_id] = self

    def serve(self, replica: ModelReplica, ceilings: Iterable[Ceiling]) -> None:
        self.replica, self.price, self.rates = replica, replica.price, rates_of(replica.price)
        self.ceilings = list(ceilings)
        self.counters = list(dict.fromkeys(ceiling.counter for ceiling in self.ceilings if ceiling.is_counted))

    @property
    def is_bound(self) -> bool:
        return bool(self.ceilings or self.reports or self.account.reports)

    @property
    def has_reports(self) -> bool:
        return bool(self.reports or self.account.reports)

    def all_reports(self) -> Iterator[Report]:
        yield from self.account.reports.values()
        yield from self.reports.values()

    def report(self, limit: ReportedLimit, now_s: float, *, is_accounts: bool) -> bool:
        """Take one in. Did anything change that gates or rankings see?"""
        reports = self.account.reports if is_accounts else self.reports
        key = ReportKey(limit.name, limit.unit, limit.scope)
        report = reports.get(key)
        if report is not None:
            return report.take(limit, now_s) and report.has_stepped(now_s)
        report = Report(key)
        if len(reports) >= REPORTS_KEPT or not report.take(limit, now_s):
            return False
        reports[key] = report
        return report.has_stepped(now_s)

    def block(self, amounts: Amounts, now_s: float) -> Block | None:
        """The limit that keeps a demand out; of several the one that frees last."""
        found: Block | None = None
        for ceiling in self.ceilings:
            if not ceiling.is_soft:
                found = later(found, ceiling_block(ceiling, amounts, now_s))
        for report in self.all_reports():
            if now_s < report.ends_s:
                found = later(found, self._reported_block(report, amounts, now_s))
        return found

    def soft_block(self, amounts: Amounts, now_s: float) -> Block | None:
        """As `block`, of the limits that give way where nobody else can answer."""
        found: Block | None = None
        for ceiling in self.ceilings:
            if ceiling.is_soft:
                found = later(found, ceiling_block(ceiling, amounts, now_s))
        return found

    def refresh(self, now_s: float) -> bool:
        """Work out standing and room anew. Did either change?"""
        for reports in (self.account.reports, self.reports):
            for key in [key for key, report in reports.items() if now_s >= report.until_s]:
                del reports[key]
        standing, room_bits = self._standing(now_s), self._room(now_s).bit_length()
        changed = standing != self.standing or room_bits != self.room_bits
        self.standing, self.room_bits = standing, room_bits
        return changed

    def _reported_block(self, report: Report, amounts: Amounts, now_s: float) -> Block | None:
        needed, left, spared = report.needed(amounts), report.left(now_s), self._spared(report)
        if left - spared >= needed:
            return None
        return Block(report.refusal(needed, left, spared), report.frees_at_s(needed + spared, now_s))

    def _spared(self, report: Report) -> int:
        return int(self.account.spare * report.most) if report.most else 0

    def _standing(self, now_s: float) -> Standing:
        windows: list[WindowLeft] = []
        paces: list[float] = []
        for ceiling in self.ceilings:
            if not ceiling.stops:
                continue
            share = share_of(ceiling.left(now_s), ceiling.most)
            windows.append(window_left(ceiling.limit.unit, share, ceiling.most, self.rates, 0.0))
            meter = ceiling.counter.meter
            if isinstance(meter, Periodic):
                paces.append(pace_of(share, meter.resets_at_s(now_s) - now_s, WINDOW_S[ceiling.limit.window]))
        for report in self.all_reports():
            if not report.most or now_s >= report.ends_s:
                continue
            spared = self._spared(report)
            share = share_of(report.left(now_s) - spared, report.most - spared)
            windows.append(window_left(report.key.unit, share, report.most, self.rates, report.per_token))
            if report.window_s is not None and report.window_s >= PACED_FROM_S and not report.refill_per_s:
                paces.append(pace_of(share, report.until_s - now_s, report.window_s))
        return standing_of(windows, min(paces, default=None))

    def _room(self, now_s: float) -> int:
        """Tokens that surely fit. What time gives back is not seen before the next look: too little is only slower, never wrong."""
        room, rates = ROOMY, self.rates
        for ceiling in self.ceilings:
            if ceiling.stops:
                unit = ceiling.limit.unit
                if unit is Unit.COST and not rates.is_known and not ceiling.limit.allows_unpriced:
                    return 0
                left = surely_left(ceiling.noted) if ceiling.is_counted else ceiling.most
                room = min(room, tokens_in(unit, left, rates))
        for report in self.all_reports():
            if now_s < report.ends_s:
                room = min(room, tokens_in(report.key.unit, surely_left(report.noted) - self._spared(report), rates, report.per_token))
        return room


def rates_of(price: Price | None) -> Rates:
    if price is None:
        return Rates(is_known=False)
    is_plain = price.terms is PLAIN and not price.request
    is_known = price.input is not None and price.output is not None
    return Rates((price.input or 0.0) * NANO_PER_PRICE, (price.output or 0.0) * NANO_PER_PRICE, is_known, is_plain)


def amounts_of(input_tokens: int, output_tokens: int, price: Price | None) -> Amounts:
    """What a request of this size needs. Costs round up to a billionth of a USD."""
    cost = expected_cost_usd(input_tokens, output_tokens, price)
    nano = counted(Unit.COST, cost) if cost else 0
    return Amounts(input_tokens + output_tokens, input_tokens, output_tokens, 1, nano, cost is not None)


def ceiling_block(ceiling: Ceiling, amounts: Amounts, now_s: float) -> Block | None:
    """Does `ceiling` keep out what needs so much?"""
    if not ceiling.stops:
        return None
    if not amounts.is_priced and ceiling.limit.unit is Unit.COST and not ceiling.limit.allows_unpriced:
        return Block(f"{ceiling.source}: its price is not known, and this limit is in USD", None, ceiling)
    needed = int(amounts[ceiling.slot])
    if not needed:
        return None
    left = ceiling.left(now_s)
    if left >= needed:
        return None
    return Block(ceiling.refusal(needed, left), ceiling.frees_at_s(needed, now_s), ceiling)


def later(one: Block | None, other: Block | None) -> Block | None:
    """Whoever is kept out by two waits for both."""
    if one is None or other is None:
        return one or other
    if one.until_s is None or other.until_s is None:
        return one if one.until_s is None else other
    return one if one.until_s >= other.until_s else other


def share_of(left: int, most: int) -> float:
    return max(0.0, left / most) if most > 0 else 0.0
