"""z.ai (GLM), pay as you go or by a coding plan (`base_url: https://api.z.ai/api/coding/paas/v4`).

Nearly all its refusals are a 429 with a number in the body that says what they are. https://docs.z.ai/api-reference/api-code
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from providers.errors import classify_openai, error_member
from providers.ports import ProviderKind
from providers.signals import zai
from providers.transport.port import Headers
from providers.waits import sent_s
from routing.facts import Failure, FailureKind

_CODES: Mapping[str, FailureKind] = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004", "1110", "1111", "1112", "1121"), FailureKind.UNAUTHORIZED),
    "1113": FailureKind.QUOTA_EXHAUSTED,  # no balance
    "1309": FailureKind.QUOTA_EXHAUSTED,  # the plan has expired
    "1211": FailureKind.NOT_FOUND,
    "1311": FailureKind.NOT_FOUND,  # the plan does not include the model
    "1261": FailureKind.CONTEXT_TOO_LONG,
    "1301": FailureKind.CONTENT_POLICY,
    # Too many at once, too often, the day's calls, throttled, a plan's hours, a plan's week or month, unfair use.
    **dict.fromkeys(("1302", "1303", "1304", "1305", "1308", "1310", "1313"), FailureKind.RATE_LIMITED),
    "1312": FailureKind.OVERLOADED,  # the model is too busy, whoever asks
}


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """As OpenAI's, unless a number says what it is; the end of a plan's window stands in the sentence. Pure; never raises."""
    failure = classify_openai(status, headers, body)
    kind = _CODES.get(str(error_member(body).get("code")), failure.kind)
    wait_s, now_s = failure.retry_after_s, sent_s(headers)
    if wait_s is None and now_s is not None and kind is FailureKind.RATE_LIMITED:
        wait_s = zai.reset_in_s(failure.message, now_s)
    return replace(failure, kind=kind, retry_after_s=wait_s)


KIND = ProviderKind(
    name="zai",
    title="z.ai",
    classify=classify,
    signals=zai.SIGNALS,
    base_url="https://api.z.ai/api/paas/v4",
    dialects=("chat",),
    key_env=("ZAI_API_KEY",),
    base_url_env=("ZAI_BASE_URL",),
    docs="https://z.ai/manage-apikey/apikey-list",
)
