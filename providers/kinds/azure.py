"""Azure OpenAI. The resource's endpoint is the base URL; deployments are named by their owner, so config lists them.

Two forms of URL, chosen by the base URL's path: `https://res.openai.azure.com` and `…/openai/v1` take the v1 API, where the deployment
travels in the body; `…/openai/deployments` takes the older one, where it is part of the path and a version is required.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import replace

from providers.errors import classify_openai
from providers.ports import ProviderKind, api_key_header
from providers.signals import azure
from providers.transport.port import Headers
from routing.facts import Failure, FailureKind

API_VERSION = "2024-10-21"
"""The newest dated version that is not a preview."""

_DAY_S = 86400.0


def target(base_path: str, paths: Mapping[str, str], dialect: str, upstream_model: str) -> str:
    """Request target for `upstream_model`, which is a deployment name."""
    path = base_path.rstrip("/")
    if path.endswith("/deployments"):
        deployment = urllib.parse.quote(upstream_model, safe="")
        return f"{path}/{deployment}{paths[dialect]}?api-version={API_VERSION}"
    if not path.endswith("/v1"):
        path = path.removesuffix("/openai") + "/openai/v1"
    return path + paths[dialect]


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """As OpenAI's. A wait of a whole day is no rate limit: this one request is larger than the deployment's tokens per minute, and never
    fits."""
    failure = classify_openai(status, headers, body)
    if failure.kind is FailureKind.RATE_LIMITED and (failure.retry_after_s or 0.0) >= _DAY_S:
        return replace(failure, kind=FailureKind.REQUEST_TOO_LARGE, retry_after_s=None)
    return failure


KIND = ProviderKind(
    name="azure",
    title="Azure OpenAI",
    classify=classify,
    signals=azure.SIGNALS,
    target=target,
    auth=api_key_header,
    key_env=("AZURE_OPENAI_API_KEY",),
    base_url_env=("AZURE_OPENAI_ENDPOINT",),
    catalog_id="azure",
    owner_names_models=True,
    docs="https://portal.azure.com (your resource, Keys and Endpoint)",
)
