from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.redact import MASK, redacted, without_secrets

UPSTREAM_KEY = "upstream-canary-c4d09b/6e+2="
OURS = [(b"authorization", f"Bearer {UPSTREAM_KEY}".encode()), (b"x-k", b"none"), (b"content-type", b"application/json")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Incorrect API key provided: {UPSTREAM_KEY}.", f"Incorrect API key provided: {MASK}."),
        (f'"{UPSTREAM_KEY.replace("/", chr(92) + "/")}"', f'"{MASK}"'),
        ("key upstream-canary-c4d09b%2F6e%2B2%3D", f"key {MASK}"),
        (f"cut in the middle: {UPSTREAM_KEY[:15]}", f"cut in the middle: {MASK}"),
        ("You sent sk-proj-0123456789abcdef to us", f"You sent {MASK} to us"),
        ("Authorization: Bearer eyJ0eXAi1.abc", f"Authorization: Bearer {MASK}"),
        ("GET https://x/v1?key=AIzaSyA12345678&alt=sse", f"GET https://x/v1?key={MASK}&alt=sse"),
        ("Bearer authentication is required; none was sent as application/json", None),
        ("task-12 failed: the disk-cache is full, ask-me-later", None),
    ],
)
def test_redaction_takes_keys_and_leaves_words(text: str, expected: str | None) -> None:
    assert redacted(text, OURS) == (text if expected is None else expected)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_redaction_changes_nothing_but_the_key(before: bytes, after: bytes) -> None:
    secret = UPSTREAM_KEY.encode()
    told = without_secrets(before + secret + b"|" + after + b"|", OURS)
    assert told == before + MASK.encode() + b"|" + after + b"|"


def test_a_short_value_is_a_word_and_stays() -> None:
    assert redacted("there is none of it", [(b"authorization", b"Bearer none")]) == "there is none of it"


def test_a_key_without_a_scheme_and_a_header_of_config_are_secrets_too() -> None:
    headers = [(b"api-key", b"azure-key-1"), (b"x-team-token", b"two words"), (b"authorization", b"raw-key-without-scheme")]
    told = without_secrets(b"azure-key-1, two words, raw-key-without-scheme.", headers)
    assert told == b", ".join([MASK.encode()] * 3) + b"."
