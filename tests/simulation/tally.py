"""Counts what happened, and what it cost, for the report. Decides and checks nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from routing.facts import AttemptFailed, AttemptFinished, FailureKind
from routing.pricing import cost_usd
from routing.types import TIER_ORDER, Decision, Dispatch, ModelTier, RejectReason, TargetKind, Usage
from tests.simulation.calls import Call, Outcome, Status
from tests.simulation.exchange import Attempt, Exchange
from tests.simulation.places import MODELS

ENOUGH = {ModelTier.MICRO: 0.30, ModelTier.SMALL: 0.50, ModelTier.MID: 0.70, ModelTier.FRONTIER: 0.90}
"""The quality that a wish of each tier takes: the proxy is how much of it the answering model has."""
LIMITS = frozenset({RejectReason.RATE_LIMITED, RejectReason.NO_HEADROOM})


@dataclass(slots=True)
class Row:
    """One replica's day."""

    sent: int = 0
    ok: int = 0
    failed: int = 0
    limited: int = 0
    gone: int = 0
    cost_usd: float = 0.0
    tokens: int = 0
    cached: int = 0
    ttft_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    trouble_ends_s: float | None = None
    """When the scenario's trouble is over; for `recovery_s`."""
    troubled: frozenset[str] = frozenset()
    """The providers that had it."""
    statuses: Counter[Status] = field(default_factory=Counter)
    open_statuses: Counter[Status] = field(default_factory=Counter)
    """Of open requests that anybody may answer: neither private nor bound to an account."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Of first attempts, by reason."""
    retries_refused: Counter[str] = field(default_factory=Counter)
    """Of further attempts: what the last one said stands then."""
    failures: Counter[FailureKind] = field(default_factory=Counter)
    rows: dict[str, Row] = field(default_factory=dict)
    attempts: int = 0
    spillovers: int = 0
    escalations: int = 0
    downgrades: int = 0
    panics: int = 0
    cost_usd: float = 0.0
    local: int = 0
    quality: float = 0.0
    judged: int = 0
    underserved: int = 0
    kept: int = 0
    moved_away: int = 0
    """From a replica that could not answer, or whose tier the next turn does not want."""
    moved_while_well: int = 0
    ttft_s: list[float] = field(default_factory=list)
    total_s: list[float] = field(default_factory=list)
    last_trouble_s: float | None = None
    """The newest open request that began after the trouble was over and got no answer."""
    back_s: float | None = None
    """The first good answer of a troubled provider to an attempt that began after its trouble."""

    def row(self, replica_id: str) -> Row:
        return self.rows.setdefault(replica_id, Row())

    def decided(self, exchange: Exchange, decision: Decision) -> None:
        if not isinstance(decision, Dispatch):
            counted = self.retries_refused if exchange.attempts else self.refusals
            counted[decision.reason.value if decision.reason else "nothing_serves_it"] += 1
            return
        replica, evidence, target = decision.replica, decision.evidence, exchange.call.demand.target
        self.attempts += 1
        self.panics += evidence.panic
        self.row(replica.id).sent += 1
        self.spillovers += any(reject.reason in LIMITS for reject in evidence.rejected)
        if target.kind is TargetKind.TIER:
            distance = TIER_ORDER.index(replica.tier) - TIER_ORDER.index(ModelTier(target.id))
            self.escalations += distance > 0
            self.downgrades += distance < 0

    def settled(self, attempt: Attempt, fact: AttemptFinished | AttemptFailed, now_s: float) -> None:
        row, replica = self.row(attempt.replica.id), attempt.replica
        if attempt.ttft_s is not None:
            row.ttft_s.append(attempt.ttft_s)
        usage = attempt.job.usage
        if isinstance(fact, AttemptFailed):
            kind = fact.failure.kind
            self.failures[kind] += 1
            row.gone += kind is FailureKind.CLIENT_GONE
            row.limited += kind is FailureKind.RATE_LIMITED
            row.failed += fact.failure.policy.blames_replica
            # A prompt that was read is billed; of the answer nobody knows how much came.
            usage = Usage(usage.input_uncached, usage.cache_read) if attempt.ttft_s is not None else Usage()
        else:
            row.ok += 1
            end_s = self.trouble_ends_s
            if end_s is not None and self.back_s is None and attempt.began_s >= end_s and replica.provider_id in self.troubled:
                self.back_s = now_s - end_s
        cost = cost_usd(usage, replica.price) or 0.0
        row.cost_usd += cost
        row.tokens += usage.input + usage.output
        row.cached += usage.cache_read
        self.cost_usd += cost

    def ended(self, exchange: Exchange, outcome: Outcome, now_s: float) -> None:
        call, status = exchange.call, outcome.status
        self.statuses[status] += 1
        if is_open(call):
            self.open_statuses[status] += 1
            end_s = self.trouble_ends_s
            if status in (Status.REFUSED, Status.FAILED, Status.GAVE_UP) and end_s is not None and exchange.began_s >= end_s:
                self.last_trouble_s = max(self.last_trouble_s or 0.0, exchange.began_s)
        if status is Status.OK:
            self._answered(exchange, now_s)

    def _answered(self, exchange: Exchange, now_s: float) -> None:
        attempt, need = exchange.attempts[-1], exchange.call.need
        assert attempt.ttft_s is not None
        self.local += attempt.replica.is_local
        self.ttft_s.append(attempt.began_s + attempt.ttft_s - exchange.began_s)
        self.total_s.append(now_s - exchange.began_s)
        if need is not None:
            self.judged += 1
            self.quality += min(1.0, MODELS[attempt.replica.logical_model_id].quality / ENOUGH[need])
            self.underserved += TIER_ORDER.index(attempt.replica.tier) < TIER_ORDER.index(need)


def is_open(call: Call) -> bool:
    """May anybody answer it?"""
    demand = call.demand
    return demand.target.kind is TargetKind.TIER and demand.made_by is None and demand.local_preference == "preferred"
