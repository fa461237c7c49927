"""Decides where an attempt goes, and learns from how it ended. One function for first choice, retry, failover and spillover.

Synchronous on one event loop, so a decision is atomic: no lock, no race. The clock comes in as `now_s` (any monotonic seconds).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, assert_never

from routing.candidates import Candidates, DemandKind, Question, kind_of
from routing.explain import reject_in_words
from routing.factors import Factor
from routing.facts import AttemptFailed, AttemptFinished, Fact, FirstToken
from routing.fleet import LATENCY_SMOOTHING, Fleet
from routing.gates import Gate
from routing.health import Health, failed, succeeded
from routing.types import (
    TIER_ORDER,
    Catalog,
    Decision,
    Demand,
    Dispatch,
    Evidence,
    ModelReplica,
    ModelTier,
    Refusal,
    Reject,
    RejectReason,
    TargetKind,
)

PANIC_REASONS = frozenset({RejectReason.EJECTED, RejectReason.PROBING})
"""What the least bad choice may ignore. Never a rate limit: that upstream has said no, and until when."""


VERDICTS_REMEMBERED = 4096
"""Kinds of demand kept per catalog. Clients can invent kinds (`x-donut-exclude`), so the table is bounded."""


class Standing(NamedTuple):
    """What is known about a kind of demand before anything is measured."""

    all: Candidates
    passed: Candidates
    rejects: list[Reject]
    doubted: list[Reject]
    """The rejects of advisory gates."""
    spilled_from: ModelTier | None


class Router:
    """`decide` and `observe` are the only two that change belief about the fleet."""

    def __init__(
        self,
        catalog: Catalog,
        gates: Sequence[Gate],
        factors: Sequence[Factor],
        weights: Mapping[str, float] | None = None,
        fleet: Fleet | None = None,
    ) -> None:
        """`weights` overrides the factors' own by name. `fleet` carries belief over when config or discovery changes the catalog."""
        self.catalog = catalog
        self.fleet = fleet or Fleet()
        self._gates = tuple(sorted(gates, key=lambda gate: (gate.order, gate.name)))
        self._standing_gates = tuple(gate for gate in self._gates if gate.standing)
        self._passing_gates = tuple(gate for gate in self._gates if not gate.standing)
        self._binding_gates = tuple(gate for gate in self._gates if not gate.advisory)
        self._factors = tuple(factors)
        self._weights = {factor.name: (weights or {}).get(factor.name, factor.weight) for factor in factors}
        self._verdicts: dict[DemandKind, Standing] = {}

    def decide(self, demand: Demand, now_s: float, tried: frozenset[str] = frozenset()) -> Decision:
        """The best replica for `demand` that is not in `tried`, its headroom reserved; or a refusal with reasons.

        A Dispatch holds a reservation that exactly one AttemptFinished or AttemptFailed must settle.
        """
        question = Question(demand, now_s, tried, self.fleet.all_well)
        standing = self._standing(question)
        rejects, doubted = _judge(standing.passed, question, self._passing_gates)
        eligible = _without(standing.passed, rejects)
        rejects = [*standing.rejects, *rejects]
        lifted: list[Reject] = []
        if not eligible.replicas and (doubted or standing.doubted) and demand.target.kind is not TargetKind.TIER:
            # The client named this model. What donut believes about it may be wrong; the upstream's own answer is not.
            lifted = [*standing.doubted, *doubted]
            rejects, _ = _judge(standing.all, question, self._binding_gates)
            eligible = _without(standing.all, rejects)
        panic = False
        if not eligible.replicas:
            eligible = _least_bad(standing.all, rejects)
            panic = bool(eligible.replicas)
        factors = {factor.name: factor.score(eligible, question) for factor in self._factors}
        scores = self._weighted(factors, len(eligible.replicas))
        evidence = Evidence(
            demand.target,
            tuple(replica.id for replica in eligible.replicas),
            scores,
            factors,
            self._weights,
            rejects,
            panic,
            standing.spilled_from,
            _notes(lifted, eligible) if lifted else (),
        )
        if not eligible.replicas:
            return _refusal(rejects, now_s, evidence)
        winner = _best(eligible.replicas, scores)
        is_probe = self.fleet.state(winner.id).health.health is not Health.HEALTHY
        reservation = self.fleet.reserve(winner.id, winner.logical_model_id, demand, is_probe=is_probe)
        return Dispatch(winner, reservation, evidence)

    def observe(self, fact: Fact, now_s: float) -> None:
        """Take in one fact about an attempt. AttemptFinished and AttemptFailed settle its reservation."""
        match fact:
            case FirstToken(reservation, ttft_s):
                state = self.fleet.state(self.fleet.holder(reservation).replica_id)
                previous = state.ttft_s_ewma
                state.ttft_s_ewma = ttft_s if previous is None else previous + LATENCY_SMOOTHING * (ttft_s - previous)
            case AttemptFinished(reservation, usage, output_tokens_counted):
                held = self.fleet.settle(reservation)
                state = self.fleet.state(held.replica_id)
                state.finished += 1
                succeeded(state.health, now_s, was_probe=held.is_probe)
                self.fleet.note_health(held.replica_id)
                if usage.reported:
                    calibration = self.fleet.calibration(held.logical_model_id)
                    calibration.learn_input(held.demand.input_tokens_estimated, usage.input)
                    calibration.learn_output(output_tokens_counted, usage.output)
            case AttemptFailed(reservation, failure):
                held = self.fleet.settle(reservation)
                state = self.fleet.state(held.replica_id)
                if failure.policy.blames_replica:
                    state.failed += 1
                failed(state.health, failure, now_s, was_probe=held.is_probe)
                self.fleet.note_health(held.replica_id)
            case _:
                assert_never(fact)

    def _standing(self, question: Question) -> Standing:
        """The candidates of the demand's target, and what the standing gates say of them: remembered, since it can not change."""
        kind = kind_of(question.demand)
        found = self._verdicts.get(kind)
        if found is None:
            replicas, spilled_from = _replicas_of(question.demand, self.catalog)
            candidates = Candidates.of(replicas, [self.fleet.state(replica.id) for replica in replicas])
            rejects, doubted = _judge(candidates, question, self._standing_gates)
            found = Standing(candidates, _without(candidates, rejects), rejects, doubted, spilled_from)
            if len(self._verdicts) < VERDICTS_REMEMBERED:
                self._verdicts[kind] = found
        return found

    def _weighted(self, factors: Mapping[str, Sequence[float]], count: int) -> list[float]:
        totals = [0.0] * count
        weights = self._weights
        for name, column in factors.items():
            if weight := weights[name]:
                totals = [total + weight * value for total, value in zip(totals, column, strict=True)]
        return totals


def _judge(candidates: Candidates, question: Question, gates: Sequence[Gate]) -> tuple[list[Reject], list[Reject]]:
    """All rejects, one per candidate (the first gate's reason), and those of them that came from advisory gates."""
    rejects: list[Reject] = []
    advisory: list[Reject] = []
    seen: set[str] = set()
    for gate in gates:
        for reject in gate.check(candidates, question):
            if reject.replica_id in seen:
                continue
            seen.add(reject.replica_id)
            rejects.append(reject)
            if gate.advisory:
                advisory.append(reject)
    return rejects, advisory


def _replicas_of(demand: Demand, catalog: Catalog) -> tuple[tuple[ModelReplica, ...], ModelTier | None]:
    """The replicas that serve the demand's target; for a tier in which nobody speaks its dialect, the nearest tier upward and then
    downward that has one, and the tier that was asked for."""
    target = demand.target
    if target.kind is TargetKind.REPLICA:
        replica = catalog.replicas.get(target.id)
        return ((replica,) if replica else ()), None
    if target.kind is TargetKind.MODEL:
        return catalog.replicas_by_model.get(target.id, ()), None
    wanted = ModelTier(target.id)
    position = TIER_ORDER.index(wanted)
    upward = TIER_ORDER[position + 1 :] if catalog.escalate else ()
    for tier in (wanted, *upward, *reversed(TIER_ORDER[:position])):
        replicas = catalog.replicas_by_tier.get(tier, ())
        if any(demand.dialect in replica.dialects for replica in replicas):
            return replicas, None if tier is wanted else wanted
    return catalog.replicas_by_tier.get(wanted, ()), None


def _without(candidates: Candidates, rejects: Sequence[Reject]) -> Candidates:
    if not rejects:
        return candidates
    out = {reject.replica_id for reject in rejects}
    return candidates.only([i for i, replica in enumerate(candidates.replicas) if replica.id not in out])


def _notes(lifted: Sequence[Reject], eligible: Candidates) -> tuple[str, ...]:
    """What stands against the candidates that are asked all the same."""
    asked = {replica.id for replica in eligible.replicas}
    return tuple(f"{reject_in_words(reject)}, asked anyway: the client named it" for reject in lifted if reject.replica_id in asked)


def _least_bad(candidates: Candidates, rejects: Sequence[Reject]) -> Candidates:
    """Of the candidates that only ill health keeps out, the one whose ejection ends first."""
    ill = {reject.replica_id for reject in rejects if reject.reason in PANIC_REASONS}
    choices = [i for i, replica in enumerate(candidates.replicas) if replica.id in ill]
    if not choices:
        return Candidates((), ())
    first = min(choices, key=lambda i: (candidates.states[i].health.ejected_until_s, candidates.replicas[i].id))
    return candidates.only([first])


def _best(replicas: Sequence[ModelReplica], scores: Sequence[float]) -> ModelReplica:
    """The highest score; among equals the smallest id, so that the order of the candidates never matters."""
    top = max(scores)
    if scores.count(top) == 1:
        return replicas[scores.index(top)]
    return min((replica for replica, score in zip(replicas, scores, strict=True) if score == top), key=lambda replica: replica.id)


def _refusal(rejects: Sequence[Reject], now_s: float, evidence: Evidence) -> Refusal:
    waits = [reject.until_s - now_s for reject in rejects if reject.until_s is not None]
    retry_after_s = max(0.0, min(waits)) if waits else None
    untried = [reject for reject in rejects if reject.reason is not RejectReason.ALREADY_TRIED]
    # A limit that ends by itself is the news; else what the last gate said.
    limited = next((reject for reject in untried if reject.reason is RejectReason.RATE_LIMITED), None)
    leading = limited or next(iter(untried or rejects), None)
    return Refusal(leading.reason if leading else None, retry_after_s, evidence._replace(candidates=(), scores=(), factors={}))
