"""Reads an upstream's refusal. Status codes lie, so the status has the last word and not the first: typed code, header, sentence, status.

Three words of a body decide (code, type, message); what they mean stands in `error_codes.py` and `reference/provider-signals.md`.
`classify_openai` fits OpenAI and everyone who copied its error body; a kind with a dialect of its own wraps or replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from providers.error_codes import CODES
from providers.transport.port import Headers, header
from providers.waits import retry_after, sent_s, until, wait_in_words
from routing.facts import Failure, FailureKind

MESSAGE_LIMIT = 500
"""Characters of an upstream's message that donut repeats: enough to act on, too few to carry a prompt."""

_CONTEXT = re.compile(
    r"context[ _]length|context[ _]window|context size|maximum context|prompt is too long|maximum prompt length|"
    r"input token count .* exceeds|prompt token count|range of input length",
    re.IGNORECASE,
)
_CREDIT = re.compile(
    r"credit balance|insufficient balance|used all available credits|monthly spending limit|insufficient_quota", re.IGNORECASE
)
_TOO_LARGE_FOR_LIMIT = re.compile(r"request too large", re.IGNORECASE)
_ABOUT_THE_REQUEST = frozenset({400, 404, 413, 422})
_NO_ENDPOINT = re.compile(
    r"\W*(?:404 page not found|file not found|not found|invalid url|unknown request url|unexpected endpoint|cannot post|method not allowed|"
    r"<(?:!doctype )?html)",
    re.IGNORECASE,
)
"""What servers say of a path that they do not have: Go's (Ollama), llama-server, FastAPI (vLLM, LiteLLM), OpenAI, Groq, LM Studio, Express,
and the pages of nginx and its like. Of a model that they do not have, all of them name the model."""
_NO_ENDPOINT_IN_A_200 = "Unexpected endpoint or method."
"""LM Studio's, with the status 200."""
_SENTENCES: tuple[tuple[frozenset[int], Callable[[str], object], FailureKind], ...] = (
    (frozenset({404}), lambda said: not said or (_NO_ENDPOINT.match(said) and "model" not in said.lower()), FailureKind.UNSPOKEN),
    (_ABOUT_THE_REQUEST - {404}, _CONTEXT.search, FailureKind.CONTEXT_TOO_LONG),
    # Such a message may repeat what the client wrote (`Invalid value: 'insufficient_quota'`), and nobody must be able to talk donut into
    # ejecting a replica: of our own trouble only a sentence that begins with it is believed.
    (frozenset({400}), re.compile(r"\s*your credit balance", re.IGNORECASE).match, FailureKind.QUOTA_EXHAUSTED),
    (frozenset({400}), re.compile(r"\s*(?:api key not valid|invalid api key|incorrect api key)", re.I).match, FailureKind.UNAUTHORIZED),
    (frozenset({400}), re.compile(r"content filtering policy|content management policy", re.I).search, FailureKind.CONTENT_POLICY),
)

_STATUSES: Mapping[int, FailureKind] = {
    401: FailureKind.UNAUTHORIZED,
    402: FailureKind.QUOTA_EXHAUSTED,
    403: FailureKind.UNAUTHORIZED,
    404: FailureKind.NOT_FOUND,
    405: FailureKind.UNSPOKEN,
    408: FailureKind.STALLED,
    413: FailureKind.REQUEST_TOO_LARGE,
    429: FailureKind.RATE_LIMITED,
    498: FailureKind.OVERLOADED,
}
_WAITED_FOR = frozenset({FailureKind.RATE_LIMITED, FailureKind.OVERLOADED})
"""Kinds of which a body says how long they last. In other refusals such words would be the client's own, repeated."""


def error_member(body: bytes) -> Mapping[str, Any]:
    """The error object of a refusal in any of the shapes seen in the wild, with `message` where there is any text; empty without one."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {"message": body[:MESSAGE_LIMIT].decode("utf-8", "replace").strip()}
    if isinstance(data, list) and data:  # Google wraps the object into an array where a stream was asked for
        data = data[0]
    if not isinstance(data, dict):
        return {}
    error = data.get("error", data)
    if isinstance(error, str):
        return {"code": data.get("code"), "message": error}
    if not isinstance(error, dict):
        return {}
    return error if error.get("message") else {**error, "message": data.get("message") or data.get("detail")}


def read_error(body: bytes) -> tuple[str, str, str]:
    """(code, type, message) of an error body; empty strings where there is none."""
    return _words(error_member(body))


def _words(error: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(error.get("code") or ""), str(error.get("type") or ""), str(error.get("message") or "")[:MESSAGE_LIMIT]


def kind_of(status: int, code: str, type_: str, message: str, *, should_retry: bool = False) -> FailureKind:
    """The kind of a failure from its status and the three words of its body.

    `should_retry`: the answer asked for another try (`x-should-retry: true`). Its `false` changes nothing: nobody is asked the same twice.
    """
    if 300 <= status < 400:
        return FailureKind.PROTOCOL
    kind = _typed(code) or _typed(type_)
    if status == 429 and kind in (None, FailureKind.RATE_LIMITED) and _TOO_LARGE_FOR_LIMIT.search(message):
        # One request above the limit of a whole minute, which has the code of any rate limit: the same key will never take it.
        return FailureKind.REQUEST_TOO_LARGE
    if kind is not None:
        return kind
    by_status = _STATUSES.get(status, FailureKind.OVERLOADED if status >= 500 else FailureKind.BAD_REQUEST)
    if should_retry and by_status is FailureKind.BAD_REQUEST:
        return FailureKind.OVERLOADED
    return _worded(status, message) or by_status


def _typed(word: str) -> FailureKind | None:
    return CODES.get(word.partition(":")[0])


def _worded(status: int, message: str) -> FailureKind | None:
    """What only the sentence says; None where it says nothing that is believed at this status."""
    if message.startswith(_NO_ENDPOINT_IN_A_200):
        return FailureKind.UNSPOKEN
    if status not in _ABOUT_THE_REQUEST:
        return FailureKind.QUOTA_EXHAUSTED if _CREDIT.search(message) else None
    return next((kind for statuses, fits, kind in _SENTENCES if status in statuses and fits(message)), None)


def classify_openai(status: int, headers: Headers, body: bytes) -> Failure:
    """The failure behind an OpenAI-style error answer. Pure; never raises."""
    error = error_member(body)
    code, type_, message = _words(error)
    kind = kind_of(status, code, type_, message, should_retry=header(headers, b"x-should-retry") == b"true")
    if 300 <= status < 400:
        message = f"the upstream answered with a redirect ({status}), which donut does not follow"
    wait_s = retry_after(headers)
    if wait_s is None and kind in _WAITED_FOR:
        wait_s = _wait_told(headers, error, message)
    return Failure(kind, message or f"HTTP {status} with no message", wait_s, status)


def _wait_told(headers: Headers, error: Mapping[str, Any], message: str) -> float | None:
    """The wait that a body asks for: a plan's reset as numbers, or a sentence."""
    in_s = _seconds(error.get("resets_in_seconds"))
    if in_s is not None:
        return in_s
    now_s, at_epoch_s = sent_s(headers), _seconds(error.get("resets_at"))
    wait_s = None if now_s is None else until(at_epoch_s, now_s)
    return wait_in_words(message) if wait_s is None else wait_s


def _seconds(value: object) -> float | None:
    """A number of seconds that could be meant: up to the year 5138 as an epoch."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < 1e11 else None
