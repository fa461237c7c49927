"""What one fact changes in what is believed of the fleet."""

from __future__ import annotations

from typing import assert_never

from routing.facts import AttemptFailed, AttemptFinished, Fact, Failure, FailureKind, FirstToken, HeadroomMeasured
from routing.fleet import Fleet
from routing.health import Health, failed, succeeded
from routing.types import Usage

KEY_REFUSED = 401
"""Of the statuses that UNAUTHORIZED stands for, the one that is about the key and so about every model of the account. 402 and 403 may be
about one model or one size of request (OpenRouter's 402 "can only afford", OpenAI's 403 for a model that needs verification)."""


def learn(fleet: Fleet, fact: Fact, now_s: float) -> None:
    match fact:
        case FirstToken(reservation, ttft_s):
            _began(fleet, reservation, ttft_s, now_s)
        case AttemptFinished(reservation, usage, output_tokens_counted):
            _finished(fleet, reservation, usage, output_tokens_counted, now_s)
        case AttemptFailed(reservation, failure):
            _failed(fleet, reservation, failure, now_s)
        case HeadroomMeasured(replica_id, headroom, until_s):
            state = fleet.state(replica_id)
            state.headroom, state.headroom_until_s = min(1.0, max(0.0, headroom)), until_s
            fleet.note_fading(replica_id)
        case _:
            assert_never(fact)


def _began(fleet: Fleet, reservation: int, ttft_s: float, now_s: float) -> None:
    held = fleet.holder(reservation)
    state = fleet.state(held.replica_id)
    state.timing = state.timing.after_first_token(held.demand.input_tokens_estimated, ttft_s)
    state.answered(now_s)
    fleet.began(reservation, now_s)
    fleet.note_fading(held.replica_id)


def _finished(fleet: Fleet, reservation: int, usage: Usage, output_tokens_counted: int, now_s: float) -> None:
    held, began_s = fleet.settle(reservation)
    state = fleet.state(held.replica_id)
    state.finished += 1
    state.note_outcome(is_error=False)
    state.answered(now_s)
    if began_s is not None:
        state.timing = state.timing.after_answer(usage.output, now_s - began_s)
    else:  # a whole answer at once: its end is all that was seen of its beginning
        state.began(held.sent_s, now_s)
    succeeded(state.health, now_s, was_probe=held.errand.is_news)
    fleet.note_fading(held.replica_id)
    demand = held.demand
    if usage.reported:
        calibration = fleet.calibration(held.logical_model_id)
        calibration.learn_input(demand.input_tokens_estimated, usage.input)
        calibration.learn_output(output_tokens_counted, usage.output)
    if demand.affinity_keys:
        # Only now: a conversation that was bound to a replica which then failed it would be sent there again (Bifrost 7177).
        fleet.affinity.bind(demand.affinity_keys, held.replica_id, demand.client, now_s)


def _failed(fleet: Fleet, reservation: int, failure: Failure, now_s: float) -> None:
    held, _ = fleet.settle(reservation)
    state = fleet.state(held.replica_id)
    if failure.policy.blames_replica:
        state.failed += 1
        state.note_outcome(is_error=True)
    failed(state.health, failure, now_s, was_probe=held.errand.is_news)
    if state.health.health is Health.EJECTED:
        # The ejection is the price of these failures. A replica that comes back from it must be asked, or it could never prove itself.
        state.error_rate = 0.0
    fleet.note_fading(held.replica_id)
    if failure.kind is FailureKind.UNAUTHORIZED and failure.upstream_status == KEY_REFUSED:
        for sibling in fleet.siblings(held.replica_id):
            if sibling != held.replica_id:
                failed(fleet.state(sibling).health, failure, now_s, was_probe=False)
                fleet.note(sibling)
