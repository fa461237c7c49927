"""Takes keys out of what an upstream said before donut repeats it: some name the key they refuse, and a gateway names those behind it.

Off the hot path: only error answers, error events and failure messages come here, never content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from providers.transport.port import Headers

MASK = "[redacted]"

SHORTEST_SECRET = 6
"""Shorter values are words such as `none` or `1`, and taking those out of a sentence would hide its meaning."""

_NOT_SECRET = frozenset({b"content-type", b"accept-encoding", b"accept", b"user-agent"})

# Prefixes that vendors chose so that scanners find their keys; a bearer token has a digit, the word after "Bearer" in prose has none.
_KEY = re.compile(r"\b(?:(?:sk|gsk|xai|csk|hf|fw|nvapi|pplx)[-_]|AIza)[\w.-]{8,}", re.ASCII)
_BEARER = re.compile(r"\b(Bearer\s+)(?=[^\s\"']*\d)[^\s\"',;}]{8,}", re.ASCII | re.IGNORECASE)
_IN_QUERY = re.compile(r"([?&](?:api[-_]?key|key|access_token|token)=)[^&\s\"']+", re.ASCII | re.IGNORECASE)


def redacted(text: str, upstream_headers: Headers) -> str:
    """`text` without the secrets in `upstream_headers` and without anything that looks like a key: for the journal, logs and messages."""
    text = _without(text, upstream_headers)
    text = _KEY.sub(MASK, text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    return _IN_QUERY.sub(rf"\1{MASK}", text)


def without_secrets(data: bytes, upstream_headers: Headers) -> bytes:
    """`data`, which goes to the client as the upstream sent it, without the secrets in `upstream_headers`."""
    # Latin-1 maps every byte to one character and back: nothing else changes, whatever the encoding was.
    return _without(data.decode("latin-1"), upstream_headers).encode("latin-1")


def _without(text: str, upstream_headers: Headers) -> str:
    for secret in _secrets(upstream_headers):
        # As it is, as JSON may escape it, as a URL does.
        for spelling in {secret, secret.replace("/", "\\/"), quote(secret, safe="")}:
            text = text.replace(spelling, MASK)
        text = _without_cut_end(text, secret)
    return text


def _without_cut_end(text: str, secret: str) -> str:
    """Messages are cut to a length, and the cut may have gone through the secret."""
    for size in range(min(len(secret), len(text)), SHORTEST_SECRET - 1, -1):
        if text.endswith(secret[:size]):
            return text[:-size] + MASK
    return text


def _secrets(upstream_headers: Headers) -> Iterator[str]:
    """Header values that donut adds for the upstream: its key, without the scheme, and whatever config adds."""
    for name, value in upstream_headers:
        text = value.decode("latin-1")
        scheme, _, rest = text.partition(" ")
        secret = rest.strip() if name == b"authorization" and rest and scheme.isalpha() else text
        if name not in _NOT_SECRET and len(secret) >= SHORTEST_SECRET:
            yield secret
