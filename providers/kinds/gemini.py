"""Google's Gemini API. https://ai.google.dev/api, https://ai.google.dev/gemini-api/docs/troubleshooting"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from providers.codecs.gemini.failures import failure_of
from providers.errors import classify_openai, error_member
from providers.ports import PATHS, ProviderKind
from providers.signals import gemini
from providers.transport.port import Headers
from routing.facts import Failure

_HAS_VERSION = re.compile(r"/v1(?:beta|alpha)?$")


def target(base_path: str, paths: Mapping[str, str], dialect: str, upstream_model: str) -> str:
    """The model stands in the path, and which of the methods is asked. `GOOGLE_GEMINI_BASE_URL` is written without `/v1beta` by convention
    (the SDKs add it), donut's `base_url`s with it: both are fine."""
    return _path(base_path, paths, dialect, upstream_model) + ":generateContent"


def stream_target(base_path: str, paths: Mapping[str, str], dialect: str, upstream_model: str) -> str:
    """Always as events, whatever the client asked for: only those can be watched."""
    return _path(base_path, paths, dialect, upstream_model) + ":streamGenerateContent?alt=sse"


def _path(base_path: str, paths: Mapping[str, str], dialect: str, upstream_model: str) -> str:
    base = base_path.rstrip("/")
    versioned = base if _HAS_VERSION.search(base) else f"{base}/v1beta"
    return f"{versioned}{paths[dialect]}/{quote(upstream_model.removeprefix('models/'), safe='')}"


def api_key(key: str) -> Headers:
    return [(b"x-goog-api-key", key.encode())]


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """The failure behind an error answer. Google says in the body, not in headers, how long to wait. Pure; never raises."""
    failure = classify_openai(status, headers, body)
    if status < 400:
        return failure
    told = failure_of(status, error_member(body))
    return replace(failure, kind=told.kind, retry_after_s=told.retry_after_s if failure.retry_after_s is None else failure.retry_after_s)


KIND = ProviderKind(
    name="gemini",
    title="Google Gemini",
    classify=classify,
    signals=gemini.SIGNALS,
    base_url="https://generativelanguage.googleapis.com/v1beta",
    dialects=("gemini",),
    paths={"gemini": PATHS["gemini"]},
    target=target,
    stream_target=stream_target,
    auth=api_key,
    key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    base_url_env=("GOOGLE_GEMINI_BASE_URL",),
    forward_headers=frozenset({b"x-goog-api-client"}),
    catalog_id="google",
    docs="https://aistudio.google.com/apikey",
)
