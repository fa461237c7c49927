"""The words that upstreams put into `code` and `type` of an error, and what each means. Data only; `errors.py` says when they count.

`ERROR_TYPES` is OpenRouter's taxonomy, which it promises to keep across all formats and hosts; donut's own error codes use its words where
it has one (`routing/facts.py`). https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

from collections.abc import Mapping

from routing.facts import FailureKind

ERROR_TYPES: Mapping[str, FailureKind] = {
    "context_length_exceeded": FailureKind.CONTEXT_TOO_LONG,
    "max_tokens_exceeded": FailureKind.BAD_REQUEST,
    # A cap on tokens that follows from the credit left.
    "token_limit_exceeded": FailureKind.REQUEST_TOO_LARGE,
    "string_too_long": FailureKind.BAD_REQUEST,
    "authentication": FailureKind.UNAUTHORIZED,
    "permission_denied": FailureKind.UNAUTHORIZED,
    "payment_required": FailureKind.QUOTA_EXHAUSTED,
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
    "provider_overloaded": FailureKind.OVERLOADED,
    "provider_unavailable": FailureKind.OVERLOADED,
    "invalid_request": FailureKind.BAD_REQUEST,
    "invalid_prompt": FailureKind.BAD_REQUEST,
    "not_found": FailureKind.NOT_FOUND,
    "precondition_failed": FailureKind.BAD_REQUEST,
    "payload_too_large": FailureKind.REQUEST_TOO_LARGE,
    "unprocessable": FailureKind.BAD_REQUEST,
    "content_policy_violation": FailureKind.CONTENT_POLICY,
    "refusal": FailureKind.CONTENT_POLICY,
    "invalid_image": FailureKind.BAD_REQUEST,
    "image_too_large": FailureKind.BAD_REQUEST,
    "image_too_small": FailureKind.BAD_REQUEST,
    "unsupported_image_format": FailureKind.BAD_REQUEST,
    "image_not_found": FailureKind.BAD_REQUEST,
    "image_download_failed": FailureKind.BAD_REQUEST,
    "server": FailureKind.OVERLOADED,
    "timeout": FailureKind.STALLED,
}
"""All 27 but `unmapped`, which says that nothing is known."""

_VENDORS: Mapping[FailureKind, str] = {
    FailureKind.CONTEXT_TOO_LONG: "exceed_context_size_error",  # llama-server
    # Bedrock's throttling text reads like a context error; its type says otherwise.
    FailureKind.RATE_LIMITED: """
        rate_limited rate_limit_error ThrottlingException token_quota_exceeded request_quota_exceeded usage_limit_reached
        user_global_rate_limited user_model_rate_limited user_weekly_rate_limited integration_rate_limited agent_mode_limit_exceeded
    """,
    FailureKind.OVERLOADED: "overloaded_error server_is_overloaded capacity_exceeded queue_exceeded model_overloaded",
    FailureKind.QUOTA_EXHAUSTED: """
        insufficient_quota billing_error quota_exceeded free_quota_exceeded overage_limit_reached billing_not_configured usage_not_included
    """,
    FailureKind.UNAUTHORIZED: "invalid_api_key authentication_error",
    FailureKind.NOT_FOUND: "model_not_found DeploymentNotFound NOT_FOUND",  # the last is Google's
    FailureKind.CONTENT_POLICY: "content_filter bio_policy misalignment_policy_violation ResponsibleAIPolicyViolation",
}

CODES: Mapping[str, FailureKind] = {
    # That a request is at fault is what any 4xx says: such a word must not keep the sentence beside it from saying how.
    **{word: kind for word, kind in ERROR_TYPES.items() if kind is not FailureKind.BAD_REQUEST},
    **{word: kind for kind, words in _VENDORS.items() for word in words.split()},
}
"""Code or type → kind, whoever sends it. What stands behind a colon (`user_global_rate_limited:pro_plus`) is a plan's name."""
