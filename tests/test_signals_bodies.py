"""What vendors say about limits in the body of a refusal and inside a stream: Gemini, the ChatGPT plans, OpenRouter, z.ai."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.signals import Limits, Signals, codex, gateway, gemini, openrouter, zai
from routing.headroom.types import ReportedLimit, ReportedScope, Unit
from tests.limits import NOON_EPOCH_S, rounded

ACCOUNT, MODEL = ReportedScope.ACCOUNT, ReportedScope.MODEL
UNTIL_MIDNIGHT_S = 20 * 3600.0
"""08:00 UTC of the next day is midnight in California in winter."""


def refused(signals: Signals, body: object, status: int = 429) -> Limits:
    return signals.read_refusal(status, [], json.dumps(body).encode(), NOON_EPOCH_S)


RETRY: dict[str, Any] = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "26s"}


class TestGemini:
    def body(self, *violations: dict[str, Any], more: tuple[dict[str, Any], ...] = (RETRY,)) -> dict[str, Any]:
        failure = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": list(violations)}
        return {"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED", "details": [failure, *more]}}

    def test_a_minute_ends_when_it_says(self) -> None:
        quota = {
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
            "quotaDimensions": {"location": "global", "model": "gemini-3-pro"},
            "quotaValue": "10",
        }
        expected = ReportedLimit(quota["quotaId"], Unit.REQUESTS, MODEL, 60, 10, 0, None, 26, is_spent=True)  # type: ignore[arg-type]
        assert refused(gemini.SIGNALS, self.body(quota)) == (expected,)
        assert refused(gemini.SIGNALS, [self.body(quota)]) == (expected,), "wrapped, where a stream was asked for"

    def test_a_day_ends_at_midnight_in_california_whatever_the_delay_says(self) -> None:
        (limit,) = refused(gemini.SIGNALS, self.body({"quotaId": "GenerateRequestsPerDayPerProject-FreeTier", "quotaValue": "50"}))
        assert (limit.window_s, limit.resets_in_s, limit.scope, limit.is_spent) == (86400, UNTIL_MIDNIGHT_S, ACCOUNT, True)

    def test_tokens(self) -> None:
        limits = refused(
            gemini.SIGNALS,
            self.body({"quotaId": "GenerateContentInputTokensPerModelPerMinute-FreeTier"}, {"quotaId": "TokensPerMinute"}, more=()),
        )
        assert [(limit.unit, limit.scope, limit.resets_in_s) for limit in limits] == [
            (Unit.INPUT_TOKENS, MODEL, None),
            (Unit.TOKENS, ACCOUNT, None),
        ]

    def test_an_exhausted_quota_without_a_name(self) -> None:
        (limit,) = refused(gemini.SIGNALS, self.body(more=({"reason": "QUOTA_EXHAUSTED"},)))
        assert (limit.is_spent, limit.resets_in_s) == (True, UNTIL_MIDNIGHT_S)

    @pytest.mark.parametrize("reason", ["RATE_LIMIT_EXCEEDED", "MODEL_CAPACITY_EXHAUSTED"])
    def test_no_quota_no_limit(self, reason: str) -> None:
        assert refused(gemini.SIGNALS, self.body(more=({"reason": reason}, RETRY))) == ()
        assert refused(gemini.SIGNALS, self.body({"quotaId": "GenerateRequestsPerDay"}), status=503) == ()

    @pytest.mark.parametrize(("wall_s", "wait_s"), [(NOON_EPOCH_S - 4 * 3600 - 1, 1.0), (NOON_EPOCH_S - 4 * 3600, 86400.0)])
    def test_midnight(self, wall_s: float, wait_s: float) -> None:
        assert gemini.until_midnight_s(wall_s) == wait_s


WINDOWS: dict[str, Any] = {
    "allowed": True,
    "limit_reached": False,
    "primary": {"used_percent": 7, "window_minutes": 300, "reset_after_seconds": 13168, "reset_at": NOON_EPOCH_S + 13000},
    "secondary": {"used_percent": 29.5, "window_minutes": 10080, "reset_at": NOON_EPOCH_S + 86400},
}
EVENT: dict[str, Any] = {
    "type": "codex.rate_limits",
    "plan_type": "pro",
    "rate_limits": WINDOWS,
    "credits": None,
    "metered_limit_name": "codex",
}


class TestCodex:
    def test_the_event(self) -> None:
        assert rounded(codex.SIGNALS.read_event(EVENT, NOON_EPOCH_S)) == (
            ReportedLimit("primary", Unit.SHARE, ACCOUNT, 18000, None, None, 0.93, 13168),
            ReportedLimit("secondary", Unit.SHARE, ACCOUNT, 604800, None, None, 0.705, 86400),
        )
        assert gateway.SIGNALS.read_event(EVENT, NOON_EPOCH_S) == codex.SIGNALS.read_event(EVENT, NOON_EPOCH_S)

    def test_a_familys(self) -> None:
        limits = codex.SIGNALS.read_event({**EVENT, "metered_limit_name": "codex_bengalfox"}, NOON_EPOCH_S)
        assert [(limit.name, limit.scope) for limit in limits] == [("bengalfox-primary", MODEL), ("bengalfox-secondary", MODEL)]

    def test_a_reached_limit(self) -> None:
        windows = {**WINDOWS, "limit_reached": True, "primary": {"used_percent": 100.0}, "secondary": None}
        (limit,) = codex.SIGNALS.read_event({**EVENT, "rate_limits": windows}, NOON_EPOCH_S)
        assert (limit.is_spent, limit.left_share, limit.window_s, limit.resets_in_s) == (True, 0.0, None, None)

    @pytest.mark.parametrize(
        "event",
        [
            {**EVENT, "type": "response.completed"},
            {**EVENT, "rate_limits": None},
            {**EVENT, "rate_limits": {"primary": 7, "secondary": {}}},
            {**EVENT, "rate_limits": {"primary": {"used_percent": 0, "window_minutes": 0, "reset_at": 0}}},
            {**EVENT, "rate_limits": {"primary": {"used_percent": "\u0661"}}},
            {},
        ],
    )
    def test_what_is_none(self, event: dict[str, Any]) -> None:
        assert codex.SIGNALS.read_event(event, NOON_EPOCH_S) == ()

    @pytest.mark.parametrize(
        "told", [{"resets_in_seconds": 600}, {"resets_at": NOON_EPOCH_S + 600}, {"resets_in_seconds": -1, "resets_at": NOON_EPOCH_S + 600}]
    )
    def test_a_plan_that_is_used_up(self, told: dict[str, float]) -> None:
        error = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus", **told}
        assert refused(gateway.SIGNALS, {"error": error}) == (
            ReportedLimit("usage_limit_reached", Unit.SHARE, ACCOUNT, left_share=0.0, resets_in_s=600, is_spent=True),
        )

    def test_a_plan_without_it_has_no_limit(self) -> None:
        assert refused(codex.SIGNALS, {"error": {"type": "usage_not_included", "message": "usage_limit_reached"}}) == ()

    def test_headers_and_body_of_one_refusal(self) -> None:
        headers = [(b"x-codex-primary-used-percent", b"100.0"), (b"x-codex-rate-limit-reached-type", b"x")]
        body = b'{"error":{"type":"usage_limit_reached","resets_in_seconds":60}}'
        assert [limit.is_spent for limit in codex.SIGNALS.read_refusal(429, headers, body, NOON_EPOCH_S)] == [True, True]


HEADERS = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{int(NOON_EPOCH_S + 60)}000"}


class TestOpenRouter:
    def test_the_headers_that_it_repeats_in_the_body(self) -> None:
        error = {"code": 429, "message": "Rate limit exceeded: free-models-per-day", "metadata": {"headers": HEADERS}}
        assert refused(openrouter.SIGNALS, {"error": error, "user_id": "u"}) == (
            ReportedLimit("requests", Unit.REQUESTS, MODEL, None, 50, 0, None, 60),
        )
        assert refused(openrouter.SIGNALS, {"error": error}, status=402) == ()

    @pytest.mark.parametrize("metadata", [None, 7, {}, {"headers": None}, {"headers": {}}, {"headers": {"X-RateLimit-Limit": None}}])
    def test_what_is_none(self, metadata: object) -> None:
        assert refused(openrouter.SIGNALS, {"error": {"code": 429, "metadata": metadata}}) == ()


class TestZai:
    def test_a_window_of_hours(self) -> None:
        error = {"code": "1308", "message": "Usage limit reached for 5 hour. Your limit will reset at 2026-11-21 21:00:00"}
        assert refused(zai.SIGNALS, {"error": error, "request_id": "r"}) == (
            ReportedLimit("1308", Unit.SHARE, ACCOUNT, 18000, None, None, 0.0, 3600, is_spent=True),
        )

    @pytest.mark.parametrize(
        ("moment", "wait_s"),
        [
            ("2026-11-21 21:00:00", 3600.0),  # 13:00 UTC, if it is China's time
            ("2026-11-21 19:00:00", 7 * 3600.0),  # that is over in China, so it is UTC
            ("2026-11-21 11:00:00", None),
            ("2099-01-01 00:00:00", None),
            ("2026-13-01 00:00:00", None),
        ],
    )
    def test_the_moment_has_no_zone(self, moment: str, wait_s: float | None) -> None:
        (limit,) = refused(zai.SIGNALS, {"error": {"code": "1310", "message": f"Your limit will reset at {moment}"}})
        assert (limit.resets_in_s, limit.is_spent, limit.window_s) == (wait_s, True, None)

    def test_the_days_calls_of_one_model(self) -> None:
        (limit,) = refused(zai.SIGNALS, {"error": {"code": "1304", "message": "x"}})
        assert (limit.scope, limit.window_s, limit.resets_in_s) == (MODEL, 86400, None)

    @pytest.mark.parametrize("code", ["1302", "1303", "1305", "1312", "1309", "1113", 1308])
    def test_other_codes_are_no_limits(self, code: object) -> None:
        assert refused(zai.SIGNALS, {"error": {"code": code, "message": "x"}}) == ()
