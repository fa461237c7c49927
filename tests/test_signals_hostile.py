"""What every vendor's signals keep, whoever adds them: found by themselves, and total over whatever an upstream sends."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import providers.kinds
import providers.signals
from config.discovery import discover
from providers.ports import ProviderKind
from providers.signals import NOTHING, Limits, Signals
from providers.waits import LONGEST_S
from routing.headroom.types import ReportedLimit
from tests.limits import NOON_EPOCH_S

ALL = discover(providers.signals, "SIGNALS", Signals)
KINDS = discover(providers.kinds, "KIND", ProviderKind)
EVERYONE = pytest.mark.parametrize("signals", ALL.values(), ids=list(ALL))


def is_sound(limit: ReportedLimit) -> bool:
    figures = (limit.most, limit.left, limit.window_s, limit.left_share, limit.resets_in_s)
    return (
        all(figure is None or (math.isfinite(figure) and figure >= 0.0) for figure in figures)
        and (limit.left_share is None or limit.left_share <= 1.0)
        and (limit.resets_in_s is None or limit.resets_in_s <= LONGEST_S)
        and (limit.window_s is None or 0.0 < limit.window_s <= LONGEST_S)
        and len(limit.name) <= 100
    )


def check(limits: Limits) -> None:
    assert isinstance(limits, tuple)
    assert [limit for limit in limits if not is_sound(limit)] == []


def test_they_are_there_under_the_names_of_their_files() -> None:
    wanted = {
        "openai", "azure", "groq", "cerebras", "mistral", "openrouter", "anthropic", "anthropic_api", "anthropic_unified", "codex",
        "copilot", "gemini", "zai", "gateway",
    }  # fmt: skip
    assert set(ALL) >= wanted
    assert [name for name, signals in ALL.items() if signals.name != name] == []


@pytest.mark.parametrize(
    ("kind", "signals"),
    [
        ("openai", "gateway"), ("litellm", "gateway"), ("anthropic", "anthropic"), ("gemini", "gemini"), ("openrouter", "openrouter"),
        ("groq", "groq"), ("cerebras", "cerebras"), ("mistral", "mistral"), ("azure", "azure"), ("zai", "zai"), ("xai", "openai"),
    ],
)  # fmt: skip
def test_a_kind_speaks_its_vendors_way(kind: str, signals: str) -> None:
    assert KINDS[kind].signals is ALL[signals]


@EVERYONE
def test_marks_are_names_as_the_wire_has_them(signals: Signals) -> None:
    assert all(mark == mark.lower() and mark.strip() == mark and mark for mark in signals.marks)


NUMBERS = st.sampled_from(
    [
        "",
        "0",
        "1",
        "-1",
        "-0.0",
        "1.5",
        "100",
        "101",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "1e999",
        "1e300",
        "9" * 400,
        "0x10",
        "1_0",
        " 7 ",
        "\u0661",
    ]
) | st.floats().map(str)
MOMENTS = st.sampled_from(
    ["6m0s", "20ms", "-5s", "m", "s", "ms", "1h", "soon", "2026-11-21T12:00:30Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00",
     "2026-W47-6", "1795262401", "1795262401000", "-1795262401", "Sat, 21 Nov 2026 12:00:00 GMT", "rejected", "five_hour", "codex_x",
     "ent=1&rem=5&rst=x", "rem=nan&ent=5", "&" * 50, "global-chat:x"]
)  # fmt: skip
VALUES = (NUMBERS | MOMENTS).map(lambda text: text.encode("utf-8")) | st.binary(max_size=20)
NAMES = sorted(
    frozenset().union(*(signals.marks for signals in ALL.values()))
    | {
        b"retry-after", b"x-ratelimit-reset-tokens", b"x-ratelimit-reset", b"x-ratelimit-reset-requests-day",
        b"anthropic-ratelimit-tokens-reset", b"anthropic-ratelimit-unified-5h-reset", b"anthropic-ratelimit-unified-7d-status",
        b"anthropic-ratelimit-unified-\xff-utilization", b"anthropic-ratelimit-unified--utilization",
        b"anthropic-ratelimit-unified-representative-claim", b"anthropic-ratelimit-unified-reset",
        b"x-codex-primary-window-minutes", b"x-codex-primary-reset-at", b"x-codex-primary-reset-after-seconds",
        b"x-codex-x-primary-used-percent",
    }
)  # fmt: skip
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8)


@EVERYONE
@settings(deadline=None, max_examples=200)
@given(headers=HEADERS, wall_s=st.sampled_from([0.0, NOON_EPOCH_S, 1e18]))
def test_any_headers_are_read(signals: Signals, headers: list[tuple[bytes, bytes]], wall_s: float) -> None:
    check(signals.read_headers(headers, wall_s))
    if not signals.marks.intersection(dict(headers)):
        assert signals.read_headers(headers, wall_s) == ()


KEYS = st.sampled_from(
    ["error", "code", "type", "message", "details", "violations", "quotaId", "quotaValue", "quotaDimensions", "retryDelay",
     "reason", "metadata", "headers", "X-RateLimit-Limit", "x-ratelimit-reset", "resets_at", "resets_in_seconds", "rate_limits",
     "primary", "secondary", "used_percent", "window_minutes", "reset_at", "reset_after_seconds", "limit_reached",
     "metered_limit_name"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["usage_limit_reached", "1308", "1310", "GenerateRequestsPerDayPerModel", "InputTokensPerMinute", "QUOTA_EXHAUSTED", "26s",
     "codex_x\ud800", "Your limit will reset at 2026-11-21 21:00:00", "reset at 9999-12-31 23:59:59", "codex.rate_limits"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | NUMBERS | MOMENTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)


@EVERYONE
@settings(deadline=None, max_examples=200)
@given(status=st.sampled_from([400, 402, 403, 429, 500]), body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read(signals: Signals, status: int, body: bytes) -> None:
    check(signals.read_refusal(status, [], body, NOON_EPOCH_S))


@EVERYONE
@settings(deadline=None, max_examples=200)
@given(event=st.dictionaries(KEYS, JSON, max_size=5), told=JSON)
def test_any_event_is_read(signals: Signals, event: dict[str, Any], told: object) -> None:
    check(signals.read_event(event, NOON_EPOCH_S))
    check(signals.read_event({"type": "codex.rate_limits", "rate_limits": {"primary": told, "secondary": event}, **event}, NOON_EPOCH_S))


def test_nothing_is_nothing() -> None:
    assert NOTHING.read_refusal(429, [(b"retry-after", b"7")], b"{}", NOON_EPOCH_S) == NOTHING.read_event({}, NOON_EPOCH_S) == ()
