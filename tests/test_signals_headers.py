"""What vendors say in the headers of every answer: reference/provider-signals.md, "Headers", row by row with the values they send."""

from __future__ import annotations

import pytest

from providers.signals import Signals, anthropic, azure, cerebras, codex, copilot, gateway, groq, mistral, openai, openrouter
from providers.transport.port import Headers
from routing.headroom.types import ReportedLimit, ReportedScope, Unit
from tests.limits import NOON_EPOCH_S, rounded

ACCOUNT, MODEL = ReportedScope.ACCOUNT, ReportedScope.MODEL
PLAIN: Headers = [(b"date", b"Sat, 21 Nov 2026 12:00:00 GMT"), (b"content-type", b"text/event-stream"), (b"x-request-id", b"req_1")]
HOUR_EPOCH = b"%d" % (NOON_EPOCH_S + 3600)
WEEK_EPOCH = b"%d" % (NOON_EPOCH_S + 86400)


def read(signals: Signals, text: str) -> tuple[ReportedLimit, ...]:
    """Limits from headers that are written as on the wire, one per line, among others."""
    pairs = (line.strip().partition(": ") for line in text.strip().splitlines())
    headers = [*PLAIN, *((name.encode(), value.encode("latin-1")) for name, _, value in pairs), *PLAIN]
    return rounded(signals.read_headers(headers, NOON_EPOCH_S))


OPENAI = """
x-ratelimit-limit-requests: 10000
x-ratelimit-limit-tokens: 2000000
x-ratelimit-remaining-requests: 9999
x-ratelimit-remaining-tokens: 1999000
x-ratelimit-reset-requests: 6m0s
x-ratelimit-reset-tokens: 20ms
"""
READ = (
    ReportedLimit("requests", Unit.REQUESTS, MODEL, None, 10000, 9999, None, 360.0),
    ReportedLimit("tokens", Unit.TOKENS, MODEL, 60, 2000000, 1999000, None, 0.02),
)


def test_openai() -> None:
    assert read(openai.SIGNALS, OPENAI) == READ


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("6m0s", 360.0), ("1s", 1.0), ("20ms", 0.02), ("7.66s", 7.66), ("1h2m3s", 3723.0), ("5m", 300.0), ("1m20ms", 60.02), ("0s", 0.0),
        ("33011.382867", 33011.382867), ("60", 60.0), ("", None), ("soon", None), ("-5s", None), ("-1m3s", None), ("nan", None),
        ("inf", None), ("infs", None), ("1e300", None), ("1e12s", None), ("m", None), ("ms", None), ("\xb2s", None),
    ],
)  # fmt: skip
def test_durations(reset: str, seconds: float | None) -> None:
    (limit,) = read(openai.SIGNALS, f"x-ratelimit-remaining-tokens: 5\nx-ratelimit-reset-tokens: {reset}")
    assert limit == ReportedLimit("tokens", Unit.TOKENS, MODEL, 60, left=5.0, resets_in_s=seconds)


@pytest.mark.parametrize("amount", ["", "-1", "nan", "inf", "-inf", "many", "1e16", "9" * 400, "0x10", "\xb2", "1,000"])
def test_what_is_no_amount_says_nothing(amount: str) -> None:
    assert read(openai.SIGNALS, f"x-ratelimit-remaining-tokens: {amount}\nx-ratelimit-reset-tokens: 1s") == ()
    (limit,) = read(openai.SIGNALS, f"x-ratelimit-remaining-tokens: {amount}\nx-ratelimit-limit-tokens: 7")
    assert (limit.most, limit.left) == (7.0, None)


def test_azure_is_openai_with_seconds() -> None:
    (limit,) = read(azure.SIGNALS, "x-ratelimit-remaining-tokens: 5\nx-ratelimit-limit-tokens: 30000\nx-ratelimit-reset-tokens: 47")
    assert (limit.most, limit.left, limit.resets_in_s) == (30000, 5, 47)
    (limit,) = read(azure.SIGNALS, "x-ratelimit-remaining-requests: 5")
    assert limit.window_s == 60


def test_groqs_requests_are_per_day() -> None:
    requests, tokens = read(groq.SIGNALS, OPENAI.replace("6m0s", "2m59.56s"))
    assert (requests.window_s, requests.resets_in_s, requests.left) == (86400, 179.56, 9999)
    assert (tokens.window_s, tokens.left) == (60, 1999000)


def test_cerebras() -> None:
    text = """
    x-ratelimit-limit-requests-day: 14400
    x-ratelimit-limit-tokens-minute: 60000
    x-ratelimit-remaining-requests-day: 14399
    x-ratelimit-remaining-tokens-minute: 0
    x-ratelimit-reset-requests-day: 33011.382867
    x-ratelimit-reset-tokens-minute: 11.38
    """
    assert read(cerebras.SIGNALS, text) == (
        ReportedLimit("requests-day", Unit.REQUESTS, MODEL, 86400, 14400, 14399, None, 33011.382867),
        ReportedLimit("tokens-minute", Unit.TOKENS, MODEL, 60, 60000, 0, None, 11.38),
    )
    assert cerebras.SIGNALS.charges_asked_output, "it reserves max_completion_tokens up front"


def test_mistral_says_no_reset() -> None:
    text = """
    x-ratelimit-limit-tokens-minute: 500000
    x-ratelimit-remaining-tokens-minute: 499000
    x-ratelimit-limit-req-minute: 60
    x-ratelimit-remaining-req-minute: 59
    x-ratelimit-tokens-query-cost: 1000
    """
    assert read(mistral.SIGNALS, text) == (
        ReportedLimit("tokens-minute", Unit.TOKENS, MODEL, 60, 500000, 499000),
        ReportedLimit("req-minute", Unit.REQUESTS, MODEL, 60, 60, 59),
    )


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
def test_openrouter(unit: int) -> None:
    reset = int(NOON_EPOCH_S + 90) * unit
    (limit,) = read(openrouter.SIGNALS, f"x-ratelimit-limit: 20\nx-ratelimit-remaining: 0\nx-ratelimit-reset: {reset}")
    assert (limit.unit, limit.most, limit.left, limit.resets_in_s) == (Unit.REQUESTS, 20, 0, 90)


class TestAnthropicApi:
    TEXT = """
    anthropic-ratelimit-requests-limit: 4000
    anthropic-ratelimit-requests-remaining: 3999
    anthropic-ratelimit-requests-reset: 2026-11-21T12:00:30Z
    anthropic-ratelimit-tokens-limit: 400000
    anthropic-ratelimit-tokens-remaining: 0
    anthropic-ratelimit-tokens-reset: 2026-11-21T13:00:30+01:00
    anthropic-ratelimit-input-tokens-limit: 300000
    anthropic-ratelimit-input-tokens-remaining: 299000
    anthropic-ratelimit-input-tokens-reset: 2026-11-21T12:00:01.500Z
    anthropic-ratelimit-output-tokens-limit: 80000
    anthropic-ratelimit-output-tokens-remaining: 79000
    anthropic-ratelimit-output-tokens-reset: 2026-11-21T11:59:59Z
    retry-after: 30
    """

    def test_its_four_limits(self) -> None:
        assert read(anthropic.SIGNALS, self.TEXT) == (
            ReportedLimit("requests", Unit.REQUESTS, MODEL, 60, 4000, 3999, None, 30),
            ReportedLimit("tokens", Unit.TOKENS, MODEL, 60, 400000, 0, None, 30),
            ReportedLimit("input-tokens", Unit.INPUT_TOKENS, MODEL, 60, 300000, 299000, None, 1.5),
            ReportedLimit("output-tokens", Unit.OUTPUT_TOKENS, MODEL, 60, 80000, 79000, None, 0),
        )

    @pytest.mark.parametrize(
        ("reset", "seconds"),
        [
            ("2026-11-21T12:00:30", 30.0), ("2026-11-21T10:30:00Z", None), ("1970-01-01T00:00:00Z", None), ("9999-12-31T23:59:59Z", None),
            ("0001-01-01T00:00:00+14:00", None), ("soon", None), ("", None), ("2026-13-01T00:00:00Z", None),
        ],
    )  # fmt: skip
    def test_moments(self, reset: str, seconds: float | None) -> None:
        text = f"anthropic-ratelimit-tokens-remaining: 1\nanthropic-ratelimit-tokens-reset: {reset}"
        (limit,) = read(anthropic.SIGNALS, text)
        assert limit.resets_in_s == seconds


class TestAnthropicSubscription:
    ALLOWED = f"""
    anthropic-ratelimit-unified-status: allowed
    anthropic-ratelimit-unified-5h-status: allowed
    anthropic-ratelimit-unified-5h-reset: {int(NOON_EPOCH_S) + 3600}
    anthropic-ratelimit-unified-5h-utilization: 0.05
    anthropic-ratelimit-unified-7d-status: allowed_warning
    anthropic-ratelimit-unified-7d-reset: {int(NOON_EPOCH_S) + 86400}
    anthropic-ratelimit-unified-7d-utilization: 0.94
    anthropic-ratelimit-unified-representative-claim: five_hour
    anthropic-ratelimit-unified-fallback-percentage: 0.5
    anthropic-ratelimit-unified-reset: {int(NOON_EPOCH_S) + 3600}
    anthropic-ratelimit-unified-overage-status: rejected
    """

    def test_two_windows_as_shares(self) -> None:
        assert read(anthropic.SIGNALS, self.ALLOWED) == (
            ReportedLimit("5h", Unit.SHARE, ACCOUNT, 18000, None, None, 0.95, 3600),
            ReportedLimit("7d", Unit.SHARE, ACCOUNT, 604800, None, None, 0.06, 86400),
        )

    @pytest.mark.parametrize("window", ["7d_oi", "7d-sonnet"])
    def test_a_models_own_window_binds_that_model(self, window: str) -> None:
        text = f"{self.ALLOWED}anthropic-ratelimit-unified-{window}-utilization: -0.0\n"
        *_, limit = read(anthropic.SIGNALS, text)
        assert limit == ReportedLimit(window, Unit.SHARE, MODEL, 604800, None, None, 1.0)

    def test_rejected_by_the_window_that_says_so(self) -> None:
        text = self.ALLOWED.replace("unified-status: allowed", "unified-status: rejected").replace(
            "5h-status: allowed", "5h-status: rejected"
        )
        five_hours, week = read(anthropic.SIGNALS, text)
        assert (five_hours.is_spent, five_hours.left_share, five_hours.resets_in_s) == (True, 0.0, 3600)
        assert not week.is_spent

    def test_rejected_by_the_window_that_the_answer_names(self) -> None:
        text = self.ALLOWED.replace("unified-status: allowed", "unified-status: rejected").replace("five_hour", "seven_day")
        assert [limit.is_spent for limit in read(anthropic.SIGNALS, text)] == [False, True]

    @pytest.mark.parametrize(("claim", "name", "resets"), [("seven_day", "7d", 86400), ("five_hour", "5h", 3600), ("new", "unified", 3600)])
    def test_rejected_without_figures(self, claim: str, name: str, resets: float) -> None:
        text = f"""
        anthropic-ratelimit-unified-status: rejected
        anthropic-ratelimit-unified-representative-claim: {claim}
        anthropic-ratelimit-unified-7d-reset: {WEEK_EPOCH.decode()}
        anthropic-ratelimit-unified-reset: {HOUR_EPOCH.decode()}
        """
        assert read(anthropic.SIGNALS, text) == (
            ReportedLimit(name, Unit.SHARE, ACCOUNT, left_share=0.0, resets_in_s=resets, is_spent=True),
        )

    def test_used_up_but_allowed_is_overage(self) -> None:
        """The account pays for it: nothing is left of what was paid already, and yet nothing refused."""
        five_hours, _ = read(anthropic.SIGNALS, self.ALLOWED.replace("utilization: 0.05", "utilization: 1.02"))
        assert (five_hours.left_share, five_hours.is_spent) == (0.0, False)


class TestCodex:
    TEXT = f"""
    x-codex-primary-used-percent: 42.5
    x-codex-primary-window-minutes: 300
    x-codex-primary-reset-at: {HOUR_EPOCH.decode()}
    x-codex-primary-reset-after-seconds: 3590
    x-codex-secondary-used-percent: 13
    x-codex-secondary-window-minutes: 10080
    x-codex-secondary-reset-at: {WEEK_EPOCH.decode()}
    x-codex-credits-has-credits: false
    x-codex-credits-unlimited: false
    x-codex-promo-message: buy more
    """

    def test_two_windows_as_percent(self) -> None:
        assert read(codex.SIGNALS, self.TEXT) == (
            ReportedLimit("primary", Unit.SHARE, ACCOUNT, 18000, None, None, 0.575, 3590),
            ReportedLimit("secondary", Unit.SHARE, ACCOUNT, 604800, None, None, 0.87, 86400),
        )

    @pytest.mark.parametrize("active", ["codex_bengalfox", "CODEX_BENGALFOX", "codex-bengalfox"])
    def test_a_familys_windows_count_where_it_is_the_active_one(self, active: str) -> None:
        family = "x-codex-bengalfox-primary-used-percent: 100\nx-codex-bengalfox-primary-window-minutes: 300\n"
        assert len(read(codex.SIGNALS, self.TEXT + family)) == 2
        *_, limit = read(codex.SIGNALS, f"{self.TEXT}{family}x-codex-active-limit: {active}\n")
        assert limit == ReportedLimit("bengalfox-primary", Unit.SHARE, MODEL, 18000, None, None, 0.0)
        assert len(read(codex.SIGNALS, f"{self.TEXT}{family}x-codex-active-limit: codex\n")) == 2

    def test_a_window_of_zeros_is_none(self) -> None:
        text = self.TEXT.replace("secondary-used-percent: 13", "secondary-used-percent: 0").replace("10080", "0")
        assert [limit.name for limit in read(codex.SIGNALS, text.replace(WEEK_EPOCH.decode(), "0"))] == ["primary"]

    def test_an_unused_window_is_whole(self) -> None:
        _, week = read(codex.SIGNALS, self.TEXT.replace("secondary-used-percent: 13", "secondary-used-percent: 0.0"))
        assert week.left_share == 1.0

    def test_the_one_that_refused(self) -> None:
        text = self.TEXT.replace("42.5", "100.0") + "x-codex-rate-limit-reached-type: rate_limit_reached\n"
        assert [limit.is_spent for limit in read(codex.SIGNALS, text)] == [True, False]
        assert not any(limit.is_spent for limit in read(codex.SIGNALS, self.TEXT.replace("42.5", "100.0")))


class TestCopilot:
    def test_snapshots(self) -> None:
        text = """
        x-quota-snapshot-chat: ent=-1&ov=0.0&ovPerm=false&rem=100.0&rst=2026-12-01T00%3A00%3A00Z&totRem=-1
        x-quota-snapshot-premium_models: ent=1500&ov=0.0&ovPerm=false&rem=31.3&rst=2026-12-01T00%3A00%3A00Z
        x-quota-snapshot-premium_interactions: ent=300&ov=0.0&ovPerm=true&rem=0.0&rst=2026-12-01T00%3A00%3A00Z
        x-usage-ratelimit-session: ent=0&ov=0.0&ovPerm=false&rem=5.7&rst=2026-11-21T14%3A30%3A56Z
        x-usage-ratelimit-weekly: ent=0&ov=0.0&ovPerm=false&rem=95.9&rst=2026-11-27T00%3A00%3A00Z
        """
        month = 9.5 * 86400
        assert read(copilot.SIGNALS, text) == (
            ReportedLimit("premium_models", Unit.SHARE, MODEL, None, None, None, 0.313, month),
            ReportedLimit("premium_interactions", Unit.SHARE, MODEL, None, None, None, 0.0, month),
            ReportedLimit("session", Unit.SHARE, ACCOUNT, 18000, None, None, 0.057, 9056),
            ReportedLimit("weekly", Unit.SHARE, ACCOUNT, 604800, None, None, 0.959, 5.5 * 86400),
        )

    @pytest.mark.parametrize(
        ("exceeded", "name", "scope"),
        [("global-chat:global-chat-rate-limit", "global-chat", ACCOUNT), ("user-model-x:rate", "user-model-x", MODEL)],
    )
    def test_the_one_that_refused(self, exceeded: str, name: str, scope: ReportedScope) -> None:
        (limit,) = read(copilot.SIGNALS, f"x-ratelimit-exceeded: {exceeded}\nretry-after: 60")
        assert limit == ReportedLimit(name, Unit.REQUESTS, scope, left=0.0, resets_in_s=60.0, is_spent=True)

    @pytest.mark.parametrize("value", ["", "rem=", "rem=101", "rem=-1", "rem=nan", "ent=5", "a=1&" * 200 + "rem=5", "%%%", "rem=5%"])
    def test_what_is_no_snapshot(self, value: str) -> None:
        assert read(copilot.SIGNALS, f"x-usage-ratelimit-weekly: {value}") == ()


class TestGateway:
    """An address behind which anybody may stand."""

    def test_it_passes_on_what_its_upstreams_say(self) -> None:
        assert read(gateway.SIGNALS, OPENAI) == READ
        assert read(gateway.SIGNALS, TestCodex.TEXT) == read(codex.SIGNALS, TestCodex.TEXT)
        assert read(gateway.SIGNALS, TestAnthropicSubscription.ALLOWED) == read(anthropic.SIGNALS, TestAnthropicSubscription.ALLOWED)
        assert len(read(gateway.SIGNALS, OPENAI + TestCodex.TEXT)) == 4

    def test_nothing_said_is_nothing_read(self) -> None:
        assert read(gateway.SIGNALS, "x-ratelimit-reset-tokens: 1s") == ()
        assert gateway.SIGNALS.read_headers([], NOON_EPOCH_S) == ()
