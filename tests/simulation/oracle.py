"""Watches every event and believes nothing that the router says: what must never happen, told from outside.

It keeps a belief of its own about every replica, from DESIGN.md and `reference/reliability-requirements.md` alone (three failures in a row
are an illness, a rate limit holds until its time, one probe heals), and imports no gate, no factor and no health table. Where the
router may know more than it (a price ceiling, a quality floor, headroom), the router's word is taken for the reject and for no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from routing.explain import as_record, told
from routing.facts import Failure, FailureKind
from routing.types import (
    TIER_ORDER,
    Catalog,
    Decision,
    Demand,
    Dispatch,
    LocalPreference,
    ModelReplica,
    ModelTier,
    Refusal,
    RejectReason,
    Target,
    TargetKind,
)

FAILURES_THAT_EJECT = 3
EJECTED_AT_LEAST_S = 5.0
KEY_EJECTED_AT_LEAST_S = 60.0
EJECTED_AT_MOST_S = 60.0
"""Between the two it is the router's business; after it a replica gets its probe."""
LIMIT_BELIEVED_S = 3600.0
NOT_MODELLED = frozenset({RejectReason.LOW_QUALITY, RejectReason.OVER_COST, RejectReason.NO_HEADROOM, RejectReason.CONTEXT_TOO_SMALL})
"""Rejects that the oracle can not judge."""
ILL = "it is ill, or its one probe is out"
READ_EVERY = 40
"""Every so many decisions the whole record is read: it costs as much as twenty decisions."""


class ViolationError(AssertionError):
    """Something happened that must never happen."""


@dataclass(slots=True)
class Seen:
    """What the oracle knows of one replica."""

    failures: int = 0
    is_ill: bool = False
    ill_until_s: float = 0.0
    may_probe_from_s: float = 0.0
    """From then on it must be let try again."""
    limited_until_s: float = 0.0
    sent_while_limited: set[int] = field(default_factory=set)
    """Open attempts since then, while none has ended well: the first of them is a probe, and the others may be kept out for it."""
    sent_while_ill: set[int] = field(default_factory=set)
    """Open attempts; each of them may heal it."""
    probes: set[int] = field(default_factory=set)
    """Those of them that were not sent in panic."""

    @property
    def may_be_on_trial(self) -> bool:
        """Its limit may be over, and somebody is out who will tell; a probe that is still out is as good."""
        return self.limited_until_s > 0.0 and bool(self.sent_while_limited or self.probes)


def must(holds: bool, *words: object) -> None:
    if not holds:
        raise ViolationError(" ".join(str(word) for word in words))


class Oracle:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.seen: dict[str, Seen] = {replica_id: Seen() for replica_id in catalog.replicas}
        self._decisions = 0

    # What was decided

    def decided(self, demand: Demand, tried: frozenset[str], decision: Decision, now_s: float, *, same_model_first: bool = True) -> None:
        """`same_model_first`: would another replica of a model that failed this exchange be the better next try?"""
        self._judge_rejects(decision, now_s)
        if isinstance(decision, Dispatch):
            self._judge_dispatch(demand, tried, decision, now_s, same_model_first=same_model_first)
            seen = self.seen[decision.replica.id]
            if seen.is_ill:
                seen.sent_while_ill.add(decision.reservation)
                if not decision.evidence.panic:
                    seen.probes.add(decision.reservation)
            if seen.limited_until_s:
                seen.sent_while_limited.add(decision.reservation)
        else:
            self._judge_refusal(demand, tried, decision, now_s)
        self._decisions += 1
        if self._decisions % READ_EVERY == 0:
            _judge_record(decision)

    def _judge_rejects(self, decision: Decision, now_s: float) -> None:
        for reject in decision.evidence.rejected:
            seen = self.seen[reject.replica_id]
            if reject.reason in (RejectReason.EJECTED, RejectReason.PROBING):
                is_probed = reject.reason is RejectReason.PROBING and seen.may_be_on_trial
                must(seen.is_ill or is_probed, reject.replica_id, "is kept out as ill, but is well:", reject)
            elif reject.reason is RejectReason.RATE_LIMITED:
                must(seen.limited_until_s > now_s, reject.replica_id, "is kept out for a limit that is over:", reject)

    def _judge_dispatch(self, demand: Demand, tried: frozenset[str], decision: Dispatch, now_s: float, *, same_model_first: bool) -> None:
        replica, evidence = decision.replica, decision.evidence
        stages = self.stages(demand)
        must(any(replica in stage for stage in stages), replica.id, "does not serve", demand.target)
        obstacle = self.obstacle(replica, demand, tried, now_s)
        must(obstacle is None or (evidence.panic and obstacle == ILL), "sent to", replica.id, "although:", obstacle)
        excused = {reject.replica_id for reject in evidence.rejected if reject.reason in (*NOT_MODELLED, RejectReason.RETRY_BUDGET)}
        for stage in stages:
            able = [each for each in stage if each.id not in excused and self.can_answer(each, demand, tried, now_s)]
            must(not (evidence.panic and able), "panic although", [each.id for each in able], "could answer")
            if same_model_first:
                failed = {self.catalog.replicas[replica_id].logical_model_id for replica_id in tried}
                same = [each.id for each in able if each.logical_model_id in failed]
                must(
                    not same or replica.logical_model_id in failed,
                    "after",
                    sorted(tried),
                    "comes the same model elsewhere,",
                    same,
                    "and not",
                    replica.id,
                )
            if replica in stage:
                return
            must(not able, "left a stage for", replica.id, "although", [each.id for each in able], "could answer")

    def _judge_refusal(self, demand: Demand, tried: frozenset[str], decision: Refusal, now_s: float) -> None:
        rejected = {reject.replica_id: reject for reject in decision.evidence.rejected}
        wait_s = decision.retry_after_s
        must(wait_s is None or wait_s >= 0.0, "a wait of", wait_s)
        opening = [reject.until_s for reject in decision.evidence.rejected if reject.until_s is not None]
        must(wait_s is not None or not opening, "refused without Retry-After although something opens at", opening)
        replicas = [replica for stage in self.stages(demand) for replica in stage]
        must(decision.reason is not None or not replicas, "refused without a reason")
        for replica in replicas:
            must(replica.id in rejected, "refused, and", replica.id, "is not explained")
            if rejected[replica.id].reason is RejectReason.RETRY_BUDGET:
                must(bool(tried), "a first attempt met the retry budget")
            elif rejected[replica.id].reason not in NOT_MODELLED:
                able = self.can_answer(replica, demand, tried, now_s)
                must(not able, "refused although", replica.id, "could answer:", rejected[replica.id])

    def stages(self, demand: Demand) -> list[Sequence[ModelReplica]]:
        """Who may answer, in the order of leaving: a tier itself, upward if allowed, downward; a policy's steps and nobody else."""
        catalog, target = self.catalog, demand.target
        if target.kind is TargetKind.POLICY:
            return [self._step(step) for step in catalog.policies[target.id].stages]
        if target.kind is not TargetKind.TIER:
            return [self._step(target)]
        place = TIER_ORDER.index(ModelTier(target.id))
        upward = TIER_ORDER[place + 1 :] if catalog.escalate else ()
        tiers = (TIER_ORDER[place], *upward, *reversed(TIER_ORDER[:place]))
        return [catalog.replicas_by_tier.get(tier, ()) for tier in tiers]

    def _step(self, target: Target) -> Sequence[ModelReplica]:
        if target.kind is TargetKind.TIER:
            return self.catalog.replicas_by_tier[ModelTier(target.id)]
        if target.kind is TargetKind.MODEL:
            return self.catalog.replicas_by_model[target.id]
        return [self.catalog.replicas[target.id]]

    def can_answer(self, replica: ModelReplica, demand: Demand, tried: frozenset[str], now_s: float) -> bool:
        """Is there no reason at all to pass it over? One that is ill may be left alone a little longer than it has to be."""
        seen = self.seen[replica.id]
        is_up = not seen.is_ill or (now_s >= seen.may_probe_from_s and not seen.sent_while_ill)
        return is_up and not seen.may_be_on_trial and self.obstacle(replica, demand, tried, now_s) is None

    def obstacle(self, replica: ModelReplica, demand: Demand, tried: frozenset[str], now_s: float) -> str | None:
        """Why this replica must not be asked now; None when it may."""
        return next(self._obstacles(replica, demand, tried, now_s), None)

    def _obstacles(self, replica: ModelReplica, demand: Demand, tried: frozenset[str], now_s: float) -> Iterator[str]:
        if replica.id in tried:
            yield "it failed this exchange"
        if demand.dialect not in replica.dialects:
            yield "it does not speak the dialect"
        if demand.local_preference is LocalPreference.REQUIRED and not replica.is_local:
            yield "the request must not leave the machine"
        if replica.provider_id in demand.excluded_providers:
            yield "its provider is excluded"
        if demand.made_by is not None and replica.provider_id != demand.made_by:
            yield "another account made the reasoning"
        if demand.target.kind in (TargetKind.TIER, TargetKind.POLICY):
            if demand.capability_bits & ~replica.capability_bits:
                yield "it lacks a capability"
            if replica.context_window is not None and demand.input_tokens_estimated > replica.context_window:
                yield "its window is too small"
        seen = self.seen[replica.id]
        if now_s < seen.limited_until_s:
            yield "it is at its limit"
        if seen.is_ill and (now_s < seen.ill_until_s or seen.probes):
            yield ILL

    # What became of it

    def settled(self, replica: ModelReplica, reservation: int, failure: Failure | None, now_s: float) -> None:
        seen = self.seen[replica.id]
        was_probe = reservation in seen.sent_while_ill
        seen.sent_while_ill.discard(reservation)
        seen.probes.discard(reservation)
        seen.sent_while_limited.discard(reservation)
        if failure is None:
            if now_s >= seen.limited_until_s and (was_probe or not seen.is_ill):
                seen.limited_until_s = 0.0
            if was_probe or not seen.is_ill:
                seen.failures, seen.is_ill = 0, False
        elif failure.kind is FailureKind.RATE_LIMITED:
            seen.limited_until_s = max(seen.limited_until_s, now_s + min(failure.retry_after_s or 0.0, LIMIT_BELIEVED_S))
        elif failure.kind is FailureKind.UNAUTHORIZED:
            # The key is the account's: none of its replicas can do better (D5).
            for id_, account in self.catalog.replicas.items():
                if account.provider_id == replica.provider_id:
                    _fall_ill(self.seen[id_], now_s, KEY_EJECTED_AT_LEAST_S)
        elif failure.policy.blames_replica and (was_probe or not seen.is_ill):
            # What began before the illness ends with the same trouble, not with a second one; a probe's failure is news while it is ill.
            seen.failures += 1
            if seen.is_ill or seen.failures >= FAILURES_THAT_EJECT:
                _fall_ill(seen, now_s, EJECTED_AT_LEAST_S)


def _fall_ill(seen: Seen, now_s: float, at_least_s: float) -> None:
    seen.is_ill = True
    seen.ill_until_s = max(seen.ill_until_s, now_s + at_least_s)
    seen.may_probe_from_s = now_s + EJECTED_AT_MOST_S


def _judge_record(decision: Decision) -> None:
    """The record that people read explains every candidate once, and its factors are in [0, 1]."""
    record = told(as_record(decision))
    chosen = [candidate["replica_id"] for candidate in record["candidates"]]
    rejected = [reject["id"] for reject in record["rejected_candidates"]]
    must(len(chosen) == len(set(chosen)), "a candidate twice:", chosen)
    must(len(rejected) == len(set(rejected)), "a reject twice:", rejected)
    must(not set(chosen) & set(rejected) or record["panic"], "both candidate and rejected:", set(chosen) & set(rejected))
    for candidate in record["candidates"]:
        for name, value in candidate["factors"].items():
            must(0.0 <= value <= 1.0, "factor", name, "of", candidate["replica_id"], "is", value)
    if isinstance(decision, Dispatch):
        must(decision.replica.id in chosen, "the winner is no candidate")
        must(bool(record["selected_because"]), "chosen without a reason")
