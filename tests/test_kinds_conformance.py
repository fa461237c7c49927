"""What every provider kind keeps, whoever adds it: found by itself, tested by itself."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import providers.kinds
from config.catalog import load_catalog
from config.discovery import discover
from providers.ports import ProviderKind
from providers.transport.port import Headers
from routing.facts import Failure, FailureKind

KINDS = discover(providers.kinds, "KIND", ProviderKind)
EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
KEY = "sk-abc.DEF-123_~"
WANTED = {
    "openai", "openrouter", "ollama", "lmstudio", "llamacpp", "vllm", "jan", "apfel", "localai", "groq", "mistral", "deepseek", "xai",
    "together", "fireworks", "cerebras", "azure", "litellm", "cliproxy", "sim",
}  # fmt: skip


def test_the_kinds_are_there_under_the_names_of_their_files() -> None:
    assert set(KINDS) >= WANTED
    assert [name for name, kind in KINDS.items() if kind.name != name] == []


@EVERY_KIND
def test_addresses(kind: ProviderKind) -> None:
    if kind.base_url is None:
        assert kind.base_url_env, "nobody could ever say where it is"
        return
    url = urlsplit(kind.base_url)
    assert not kind.base_url.endswith("/")
    assert url.username is None
    if kind.is_local:
        assert (url.scheme, url.hostname) == ("http", "127.0.0.1")
    else:
        assert url.scheme in ("https", "sim")


@EVERY_KIND
def test_targets(kind: ProviderKind) -> None:
    assert kind.dialects
    for dialect in kind.dialects:
        path = kind.paths[dialect]
        assert path.startswith("/")
        for base_path in ("", "/v1", "/openai/deployments", "/openai/v1"):
            for model in ("gpt-6", "org/model:tag", "a b?c#d&e=ä"):
                target = kind.target(base_path, kind.paths, dialect, model)
                assert re.fullmatch(r"/[!-~]*", target), target
                assert "//" not in target


@EVERY_KIND
def test_credentials(kind: ProviderKind) -> None:
    for name, value in kind.auth(KEY):
        assert re.fullmatch(rb"[a-z0-9-]+", name)
        assert b"\r" not in value
        assert b"\n" not in value
        assert KEY.encode() in value
    for variable in (*kind.key_env, *kind.base_url_env):
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*", variable)
    assert all(header == header.lower() for header in kind.forward_headers)
    assert not kind.forward_headers & {b"authorization", b"x-api-key", b"api-key", b"host", b"cookie"}
    assert kind.title
    if kind.key_env:
        assert kind.docs


@EVERY_KIND
def test_the_catalog_knows_the_provider(kind: ProviderKind) -> None:
    if kind.catalog_id is not None:
        assert load_catalog().offerings(kind.catalog_id)


STATUSES = st.sampled_from([400, 401, 402, 403, 404, 408, 413, 422, 424, 429, 498, 499, 500, 501, 502, 503, 504, 529]) | st.integers(
    100, 599
)
WORDS = st.sampled_from(
    ["insufficient_quota", "context_length_exceeded", "rate_limit_exceeded", "refusal", "Service tier capacity exceeded", "mmproj",
     "retry after 86400 seconds", "model 'x' not found", "queue_exceeded", "Request too large"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "type", "code", "metadata", "error_type", "detail"]), inner, max_size=4)
    ),
    max_leaves=10,
)
BODIES = st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode())
HEADERS: st.SearchStrategy[Headers] = st.lists(
    st.tuples(
        st.sampled_from([b"retry-after", b"retry-after-ms", b"date", b"x-should-retry", b"content-type"]),
        st.sampled_from([b"", b"1", b"1.5", b"-3", b"nan", b"inf", b"86400", b"6m0s", b"soon", b"\xff"])
        | st.binary(max_size=8).filter(lambda value: b"\n" not in value),
    ),
    max_size=4,
)


@EVERY_KIND
@settings(deadline=None)
@given(status=STATUSES, headers=HEADERS, body=BODIES)
def test_classify_is_total(kind: ProviderKind, status: int, headers: Headers, body: bytes) -> None:
    failure = kind.classify(status, headers, body)
    assert isinstance(failure, Failure)
    assert isinstance(failure.kind, FailureKind)
    assert failure.upstream_status == status
    assert len(failure.message) <= 600


@EVERY_KIND
def test_the_plain_cases_are_read_alike_by_all(kind: ProviderKind) -> None:
    def read(status: int, body: bytes = b'{"error":{"message":"no"}}') -> FailureKind:
        return kind.classify(status, [], body).kind

    assert read(401) is FailureKind.UNAUTHORIZED
    assert read(429) is FailureKind.RATE_LIMITED
    assert read(503) is FailureKind.OVERLOADED
    assert read(404) is FailureKind.NOT_FOUND
    assert read(400) is FailureKind.BAD_REQUEST
    assert read(302) is FailureKind.PROTOCOL
    assert kind.classify(429, [(b"retry-after", b"7")], b"{}").retry_after_s == 7.0
