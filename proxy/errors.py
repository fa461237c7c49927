"""What a client is told when nothing can be relayed: from a failure, a refusal or a wrong request to an ErrorReply."""

from __future__ import annotations

import math

from providers.dialects import BadRequestError, ErrorReply
from proxy.body import BodyError
from proxy.when import span
from routing.facts import Failure, FailureKind
from routing.reasons import reject_in_words
from routing.resolve import UnknownModel
from routing.types import Refusal, RejectReason, TargetKind

_REFUSAL_STATUS = {
    RejectReason.RATE_LIMITED: (429, "rate_limit_exceeded"),
    RejectReason.MISSING_CAPABILITY: (400, "unsupported_capability"),
    RejectReason.WRONG_DIALECT: (400, "unsupported_endpoint"),
    RejectReason.CONTEXT_TOO_SMALL: (400, "context_length_exceeded"),
    RejectReason.EXCLUDED: (400, "all_candidates_excluded"),
    RejectReason.NOT_LOCAL: (503, "no_local_replica"),
    RejectReason.LOCAL_DISABLED: (503, "no_remote_replica"),
    RejectReason.NO_HEADROOM: (429, "rate_limit_exceeded"),
    RejectReason.OVER_COST: (400, "cost_ceiling_exceeded"),
    RejectReason.OTHER_ACCOUNT: (400, "reasoning_of_another_account"),
    RejectReason.LOW_QUALITY: (503, "no_model_of_that_quality"),
    RejectReason.RETRY_BUDGET: (503, "retry_budget_exhausted"),
    RejectReason.NOT_ALLOWED: (403, "model_not_allowed"),
    # Money needs a person, or patience: 402. What comes back by itself within the window is a rate limit to clients, who wait: 429.
    RejectReason.OVER_BUDGET: (402, "budget_exceeded"),
    RejectReason.TOO_DEAR: (402, "budget_exceeded"),
    RejectReason.OVER_ALLOWANCE: (429, "rate_limit_exceeded"),
}
_SPENT = frozenset({RejectReason.OVER_BUDGET, RejectReason.TOO_DEAR, RejectReason.OVER_ALLOWANCE})
"""Nothing is wrong with any replica: whoever asks has used up what they may use."""
REJECTS_SHOWN = 6


class WrongRequestError(Exception):
    """A request that nobody needs to be asked about."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.message)
        self.reply = reply


def unreadable(error: BodyError) -> ErrorReply:
    return ErrorReply(error.status, "request_too_large" if error.status == 413 else "invalid_request", str(error))


def bad_request(error: BadRequestError) -> ErrorReply:
    return ErrorReply(400, error.code, str(error), error.param)


def unknown_model(found: UnknownModel) -> ErrorReply:
    if not found.served:
        return ErrorReply(
            503,
            "no_upstream",
            "donut serves no model yet: no provider is configured, no key is in the environment and no local server was found. "
            "`donut doctor` says what was looked for",
        )
    hint = f" Did you mean {' or '.join(found.nearest)}?" if found.nearest else ""
    more = ", …" if len(found.served) >= 12 else ""
    served = ", ".join(found.served) + more
    message = f"The model `{found.name}` is not served here.{hint} Served: {served}. GET /v1/models lists all; `auto` lets donut choose."
    return ErrorReply(404, "model_not_found", message, "model")


def refused(refusal: Refusal) -> ErrorReply:
    """The router's own no, naming every candidate and what stands against it."""
    target = refusal.evidence.target
    name = f"model `{target.id}`" if target.kind is not TargetKind.TIER else f"tier `{target.id}`"
    if refusal.reason is None:
        return ErrorReply(
            503, "no_upstream", f"Nothing serves {name}. `donut doctor` says what was looked for, GET /v1/models what is served."
        )
    if refusal.reason in _SPENT:
        return _spent(refusal, name)
    rejected = refusal.evidence.rejected
    if refusal.reason is RejectReason.NOT_ALLOWED:
        why = next(reject.detail for reject in rejected if reject.reason is RejectReason.NOT_ALLOWED)
        return ErrorReply(403, "model_not_allowed", f"This API key may not use {name}: {why}. GET /v1/models lists them.", "model")
    words = "; ".join(map(reject_in_words, rejected[:REJECTS_SHOWN]))
    more = f"; and {len(rejected) - REJECTS_SHOWN} more" if len(rejected) > REJECTS_SHOWN else ""
    status, code = _REFUSAL_STATUS.get(refusal.reason, (503, "provider_unavailable"))
    if code == "context_length_exceeded":
        # LiteLLM and harnesses that compact recognise this sentence (reference/conventions.md).
        words = f"This model's maximum context length is exceeded. {words}"
    return ErrorReply(status, code, f"No replica of {name} can answer now: {words}{more}.", None, refusal.retry_after_s)


def _spent(refusal: Refusal, name: str) -> ErrorReply:
    """What is used up, how much of it there was, and until when."""
    assert refusal.reason is not None
    status, code = _REFUSAL_STATUS[refusal.reason]
    why = next(reject.detail for reject in refusal.evidence.rejected if reject.reason is refusal.reason)
    wait_s = refusal.retry_after_s
    until = "This request never fits it" if wait_s is None else f"There will be room again in about {span(wait_s)}"
    what = "The budget" if status == 402 else "The allowance"
    # The degraded choice has been tried: a model that was named is never replaced, and in a tier nobody is cheap enough.
    hint = " Nothing free or cheaper can answer instead." if refusal.reason is RejectReason.TOO_DEAR else ""
    return ErrorReply(status, code, f"{what} is used up for {name} ({why}). {until}.{hint}", None, wait_s)


def failed(failure: Failure, replica_id: str, attempts: int) -> ErrorReply:
    """The last upstream failure, when nobody else is left to ask."""
    policy = failure.policy
    if failure.kind is FailureKind.UNAUTHORIZED:
        message = (
            f"The upstream of {replica_id} refused donut's credentials ({failure.message}). "
            "Your own key is fine: check the provider's api_key or credit in donut's config or environment."
        )
    elif failure.kind is FailureKind.QUOTA_EXHAUSTED:
        message = (
            f"The account behind {replica_id} has no credit or quota left ({failure.message}). "
            "Your own key is fine: the provider's account in donut's config needs credit, or another plan."
        )
    elif failure.kind is FailureKind.UNTRANSLATABLE:
        message = f"The request cannot be translated into what {replica_id} speaks: {failure.message}"
    else:
        message = f"{replica_id} failed: {failure.message}"
    if attempts > 1:
        message += f" ({attempts} attempts were made, this was the last)"
    return ErrorReply(policy.client_status or failure.upstream_status or 502, policy.error_code, message, None, failure.retry_after_s)


def retold(failure: Failure, status: int) -> ErrorReply:
    """An upstream's word on the request itself, for a client of another dialect: its message, in a body of the client's shape."""
    message = failure.message
    if failure.kind is FailureKind.CONTEXT_TOO_LONG:
        message = f"This model's maximum context length is exceeded. {message}"  # see `refused`
    return ErrorReply(status, failure.policy.error_code, message, None, failure.retry_after_s)


def deadline_passed(deadline_s: float) -> ErrorReply:
    return ErrorReply(504, "deadline_exceeded", f"No answer began within the deadline of {deadline_s:g} s.")


def retry_after_header(reply: ErrorReply) -> list[tuple[bytes, bytes]]:
    """`retry-after` in whole seconds, rounded up; none where waiting would not help."""
    if reply.retry_after_s is None:
        return []
    return [(b"retry-after", b"%d" % max(1, math.ceil(reply.retry_after_s)))]
