"""Moments and waits that `test_providers_errors.py` does not meet on its way through a refusal: epochs, RFC 3339, sentences."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.waits import LONGEST_S, SKEW_S, retry_after, rfc3339_s, seconds_until, until, wait_in_words

NOON_EPOCH_S = 1795262400.0


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 6s.", 6.0),
        ("Please try again in 1m3.5s. Visit …", 63.5),
        ("please try again in 20ms", 0.02),
        ("Please retry after 26 seconds.", 26.0),
        ("Please retry in 1 second", 1.0),
        ("Try again in 2 minutes", 120.0),
        ("try again in 1.5 hours.", 5400.0),
        ("retry after 3 days", 259200.0),
        ("retry after 500 milliseconds", 0.5),
        ("Please retry in 46.31s.", 46.31),
        ("try again in 5 mississippi", None),
        ("try again in 5", None),
        ("try again in 6sec", None),
        ("try again later", None),
        ("try again in \u0661s", None),
        ("try again in " + "9" * 400 + "s", None),
        ("", None),
    ],
)
def test_sentences(message: str, seconds: float | None) -> None:
    assert wait_in_words(message) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("epoch_s", "seconds"),
    [
        (NOON_EPOCH_S + 5, 5.0),
        ((NOON_EPOCH_S + 5) * 1000, 5.0),
        (NOON_EPOCH_S - SKEW_S, 0.0),
        (NOON_EPOCH_S - SKEW_S - 1, None),
        (0.0, None),
        (NOON_EPOCH_S + LONGEST_S, LONGEST_S),
        (NOON_EPOCH_S + LONGEST_S + 1, None),
        (math.nan, None),
        (math.inf, None),
        (None, None),
    ],
)
def test_epochs(epoch_s: float | None, seconds: float | None) -> None:
    assert until(epoch_s, NOON_EPOCH_S) == seconds


def test_a_moment_without_a_zone_is_utc_wherever_donut_runs() -> None:
    assert rfc3339_s("2026-11-21T12:00:00") == rfc3339_s("2026-11-21T12:00:00Z") == NOON_EPOCH_S


@pytest.mark.parametrize("value", ["\u0661", "1_0", "\u0661s", "1\u0662m"])
def test_only_ascii_digits_are_digits(value: str) -> None:
    assert seconds_until(value) is None
    assert retry_after([(b"retry-after", value.encode())]) is None


@given(st.text(max_size=40))
def test_any_sentence_is_read(text: str) -> None:
    for wait in (wait_in_words(f"try again in {text}"), seconds_until(text, NOON_EPOCH_S)):
        assert wait is None or (wait >= 0.0 and math.isfinite(wait))
    assert until(rfc3339_s(text), NOON_EPOCH_S) is None or text
