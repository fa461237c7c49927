"""Asks a configured provider which models it serves, where config names none and the catalog does not know: a box on the network.

Off the hot path, so httpx. A provider that does not answer keeps what it last listed.
"""

from __future__ import annotations

import json

import httpx

from config.provider_settings import ProviderSettings
from providers.ports import ProviderKind

TIMEOUT_S = 3.0
ANSWER_BYTES = 4 * 1024 * 1024
MODELS_SHOWN = 1000
"""More than any server lists that a person would point donut at without naming models."""


def wants_listing(provider: ProviderSettings, kind: ProviderKind) -> bool:
    """Must the provider be asked what it serves?"""
    is_vendor = provider.base_url is None or provider.base_url == kind.base_url
    base_url = provider.base_url or kind.base_url or ""
    return not provider.models and not (is_vendor and kind.catalog_id is not None) and base_url.startswith("http")


async def list_models(provider: ProviderSettings, kind: ProviderKind, timeout_s: float = TIMEOUT_S) -> list[str] | None:
    """The names under `GET {base_url}/models`; None when it does not answer as OpenAI's would."""
    key = provider.api_key.get_secret_value() if provider.api_key is not None else None
    told = [(name.encode(), text.encode()) for name, text in provider.headers.items()]
    headers = dict([*kind.default_headers, *(kind.auth(key) if key else []), *told])
    verify = provider.ca_file or provider.verify
    base_url = provider.base_url or kind.base_url
    try:
        async with (
            httpx.AsyncClient(verify=verify, proxy=provider.proxy, timeout=timeout_s, follow_redirects=False) as client,
            client.stream("GET", f"{base_url}/models", headers=headers) as answer,
        ):
            # The standard library's parser, because it takes lone surrogates: one odd name must not hide all the others.
            rows = json.loads(await _read(answer))["data"] if answer.status_code == 200 else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        return None
    if not isinstance(rows, list):
        return None
    names = [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
    return names[:MODELS_SHOWN]


async def _read(answer: httpx.Response) -> bytes:
    """The body, up to `ANSWER_BYTES`. Raises ValueError beyond."""
    body = b""
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES:
            raise ValueError("longer than any list of models")
    return body
