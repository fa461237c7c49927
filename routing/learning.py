"""What one fact changes in what is believed of the fleet."""

from __future__ import annotations

from typing import assert_never

from routing.facts import (
    AttemptFailed,
    AttemptFinished,
    Fact,
    Failure,
    FailureKind,
    FirstToken,
    HealthReset,
    HealthTold,
    LimitsReported,
    SharedUsed,
)
from routing.fleet import PLAIN, TIMING_REST_S, Fleet
from routing.health import Health, began, failed, reset, succeeded, told

KEY_REFUSED = 401
"""Of the statuses that UNAUTHORIZED stands for, the one that is about the key and so about every model of the account. 402 and 403 may be
about one model or one size of request (OpenRouter's 402 "can only afford", OpenAI's 403 for a model that needs verification)."""


def learn(fleet: Fleet, fact: Fact, now_s: float) -> None:
    match fact:
        case AttemptFinished():
            _finished(fleet, fact, now_s)
        case FirstToken():
            _began(fleet, fact, now_s)
        case AttemptFailed(reservation, failure, usage):
            fleet.count(reservation, usage, failure.kind, now_s)
            _failed(fleet, reservation, failure, now_s)
        case LimitsReported(replica_id, limits):
            fleet.report(replica_id, limits, now_s)
        case SharedUsed(counter, used):
            fleet.share_used(counter, used, now_s)
        case HealthReset(replica_id):
            reset(fleet.state(replica_id).health, now_s)
            fleet.note(replica_id)
        case HealthTold(replica_id):
            told(fleet.state(replica_id).health, fact, now_s)
            fleet.note(replica_id)
        case _:
            assert_never(fact)


def _began(fleet: Fleet, fact: FirstToken, now_s: float) -> None:
    number, ttft_s = fact
    replica, state, demand, _, errand = fleet.began(number, now_s)
    if now_s < state.timing_rests_until_s and errand is PLAIN and not replica.is_local:
        state.answered_s = now_s  # what else there is to say of it was said some milliseconds ago
        return
    state.timing_rests_until_s = now_s + TIMING_REST_S
    state.timing = state.timing.after_first_token(demand.input_tokens_estimated, ttft_s)
    state.answered(now_s)
    if errand is not PLAIN:
        began(state.health, now_s)
    elif not replica.is_local:
        # Its health is what it was, and it has no queue that grew shorter: gates see what they saw.
        fleet.note_fading_figures(replica.id, state)
        return
    fleet.note_fading(replica.id)


def _finished(fleet: Fleet, fact: AttemptFinished, now_s: float) -> None:
    number, usage, output_tokens_counted = fact
    headroom = fleet.headroom
    if headroom.is_watching:
        fleet.count(number, usage, None, now_s)
    (replica, state, demand, sent_s, errand), began_s = fleet.settle(number)
    state.finished += 1
    # The next of many good answers says nothing that was not believed before it, and that is the usual one.
    is_news = not state.is_at_its_best
    if is_news:
        state.note_outcome(is_error=False)
        succeeded(state.health, now_s, was_probe=errand.is_news)
        state.is_warm = True
    state.answered_s = now_s
    if began_s is not None:
        state.timing, before = state.timing.after_answer(usage.output, now_s - began_s), state.timing
        is_news |= state.timing is not before
    elif replica.is_local:  # a whole answer at once: its end is all that was seen of its beginning
        state.began(sent_s, now_s)
    if is_news:
        fleet.note_fading(replica.id)
    elif replica.is_local:
        fleet.judge_health(replica.id, state)  # its queue is shorter
    sizing = headroom.sizing
    if now_s >= sizing.rests_until_s and usage.reported:
        sizing.learn(replica.logical_model_id, demand, usage, output_tokens_counted, now_s)
    keys = demand.affinity_keys
    if keys:
        # Only now: a conversation that was bound to a replica which then failed it would be sent there again (Bifrost 7177).
        fleet.affinity.bind(keys, replica.id, demand.client, now_s)


def _failed(fleet: Fleet, reservation: int, failure: Failure, now_s: float) -> None:
    (replica, state, _, _, errand), _ = fleet.settle(reservation)
    if failure.policy.blames_replica:
        state.failed += 1
        state.note_outcome(is_error=True)
    failed(state.health, failure, now_s, was_probe=errand.is_news)
    if state.health.health is Health.EJECTED:
        # The ejection is the price of these failures. A replica that comes back from it must be asked, or it could never prove itself.
        state.error_rate = 0.0
    fleet.note_fading(replica.id)
    if failure.kind is FailureKind.UNAUTHORIZED and failure.upstream_status == KEY_REFUSED:
        for sibling in fleet.siblings(replica.id):
            if sibling != replica.id:
                failed(fleet.state(sibling).health, failure, now_s, was_probe=False)
                fleet.note(sibling)
