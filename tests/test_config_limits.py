"""Ceilings, budgets and keys' limits: from the file to what the router counts, and what is said about mistakes."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from config.clients import clients_of
from config.headroom import limits_of, webhooks_of
from config.policies import policies_in_force
from config.problems import ConfigError
from config.schema import json_schema
from config.settings import Settings
from routing.headroom.limits import ANY, Limit, Limits, OnExceed, Scope
from routing.headroom.types import Unit, Window
from tests.serving import load_text

EVERYTHING = """
server:
  api_keys:
    - name: ci
      key: a-long-key
      models: ["qwen3-*"]
      local_only: true
      limits: {minute: {requests: 60}, month: {cost: 9.5, calendar: true}}
providers:
  - id: box
    kind: openai
    base_url: http://127.0.0.1:9/v1
    reserve: 20%
    headroom:
      5h: {tokens: 1000, output_tokens: 100, pace: 2}
      week: {input_tokens: 5, requests: 3}
budgets:
  - {window: day, cost: 5}
  - {scope: key, window: hour, tokens: 10, on_exceed: refuse, calendar: true}
  - {scope: 'model:qwen3-coder-30b', window: month, cost: 1, requests: 9, on_exceed: alert, alert_at: [1, 0.9], webhook: 'https://h.example/x?y=1'}
  - {scope: 'policy:code', window: request, cost: 0.25, unpriced: refuse, on_exceed: refuse}
"""


def limits(text: str) -> Limits:
    settings = load_text(text).settings
    return limits_of(settings, clients_of(settings).keys)


def test_every_figure_is_a_limit() -> None:
    box, ci, code = (Scope.PROVIDER, "box"), (Scope.CLIENT, "ci"), (Scope.POLICY, "code")
    provider, key = "providers[0].headroom", "server.api_keys[0].limits"
    alerts = (0.5, 0.8, 1.0)
    found = limits(EVERYTHING)
    assert found.spare == {"box": 0.2}
    assert found.limits == (
        Limit(*box, Unit.TOKENS, Window.FIVE_HOURS, 1000, f"{provider}.5h.tokens", spare=0.2, pace=2),
        Limit(*box, Unit.OUTPUT_TOKENS, Window.FIVE_HOURS, 100, f"{provider}.5h.output_tokens", spare=0.2, pace=2),
        Limit(*box, Unit.INPUT_TOKENS, Window.WEEK, 5, f"{provider}.week.input_tokens", spare=0.2),
        Limit(*box, Unit.REQUESTS, Window.WEEK, 3, f"{provider}.week.requests", spare=0.2),
        Limit(*ci, Unit.REQUESTS, Window.MINUTE, 60, f"{key}.minute.requests"),
        Limit(*ci, Unit.COST, Window.MONTH, 9.5, f"{key}.month.cost", calendar=True),
        Limit(Scope.ALL, ANY, Unit.COST, Window.DAY, 5, "budgets[0].cost", OnExceed.DEGRADE, alert_at=alerts),
        Limit(Scope.CLIENT, ANY, Unit.TOKENS, Window.HOUR, 10, "budgets[1].tokens", OnExceed.REFUSE, calendar=True, alert_at=alerts),
        Limit(Scope.MODEL, "qwen3-coder-30b", Unit.REQUESTS, Window.MONTH, 9, "budgets[2].requests", OnExceed.ALERT, alert_at=(0.9, 1.0)),
        Limit(Scope.MODEL, "qwen3-coder-30b", Unit.COST, Window.MONTH, 1, "budgets[2].cost", OnExceed.ALERT, alert_at=(0.9, 1.0)),
        Limit(*code, Unit.COST, Window.REQUEST, 0.25, "budgets[3].cost", OnExceed.REFUSE, alert_at=alerts, allows_unpriced=False),
    )


def test_a_webhook_is_a_secret() -> None:
    loaded = load_text(EVERYTHING)
    assert webhooks_of(loaded.settings) == {f"budgets[2].{unit}": "https://h.example/x?y=1" for unit in ("cost", "requests")}
    assert "h.example" not in repr(loaded.settings) + loaded.settings.model_dump_json()
    assert loaded.warnings == ()


def test_nothing_configured_limits_nothing() -> None:
    assert limits_of(Settings()) == Limits((), {})


def test_a_key_s_terms() -> None:
    clients = clients_of(load_text(EVERYTHING).settings)
    assert clients.terms["ci"] == (("qwen3-*",), True)


def test_the_shipped_policies_cap_each_task() -> None:
    """Issue 5, point 6; the figures are juggernaut-autonomy's. `normal` has none: it applies to whoever configured nothing, and C5 says
    that they are never refused for money (0.10 is what an agent's prompt of 40,000 tokens costs at 2.50 per million)."""
    caps = {name: policy.max_cost for name, policy in policies_in_force(Settings()).items()}
    assert caps == {"normal": None, "deep_research": 1.00, "code": 0.50, "ops": 0.01}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("budgets: [{window: day}]", "budgets[0]: names no limit; give tokens, input_tokens, output_tokens, requests or cost"),
        ("budgets: [{window: day, cost: 1, scope: team}]", "must be all, or one of key, harness, policy, model, provider,"),
        ("budgets: [{window: day, cost: 1, on_exceed: refuze}]", "did you mean `refuse`?"),
        ("budgets: [{window: day, cost: 1, alert_at: [0]}]", "must be greater than 0"),
        ("budgets: [{window: day, cost: 1, alert_at: [1.5]}]", "must be at most 1"),
        ("budgets: [{window: day, cost: 1, webhook: 'ftp://x'}]", "must be a URL such as https://hooks.example/budget"),
        ("budgets: [{window: request, requests: 1}]", "limits the cost or the tokens of each single request"),
        ("budgets: [{window: request, cost: 1, on_exceed: alert}]", "limits the cost or the tokens of each single request"),
        ("budgets: [{window: day, cost: -1}]", "must be at least 0"),
        ("budgets: [{window: day, tokens: 0}]", "must be greater than 0"),
        ("providers: [{id: a, kind: openai, reserve: 120%}]", "must be less than 1"),
        ("providers: [{id: a, kind: openai, headroom: {day: {}}}]", "names no limit"),
        ("providers: [{id: a, kind: openai, headroom: {request: {tokens: 1}}}]", "(allowed: minute, hour,"),
        ("server: {api_keys: [{name: a, key: k, limits: {day: {tokns: 1}}}]}", "did you mean `tokens`?"),
        ("server: {api_keys: [{name: a, key: k, modls: [x]}]}", "did you mean `models`?"),
    ],
)
def test_a_mistake_is_named_where_it_is(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    assert words in str(caught.value)
    assert "ftp" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("budgets: [{scope: 'policy:cod', window: day, cost: 1}]", "donut.yaml:1:12: budgets[0].scope: `policy:cod`: this file knows no"),
        ("budgets: [{scope: 'policy:cod', window: day, cost: 1}]", "did you mean `code`?"),
        ("budgets: [{scope: 'harness:codx', window: day, cost: 1}]", "did you mean `codex`?"),
        ("budgets: [{scope: 'provider:box', window: day, cost: 1}]", "the budget counts nothing until there is one"),
        ("budgets: [{window: month, cost: 1}]\nstate: {retention_days: 7}", "the rest of the month is forgotten; keep 31 days"),
    ],
)
def test_what_may_be_a_slip_is_a_warning(text: str, words: str) -> None:
    (warning,) = load_text(text).warnings
    assert words in str(warning)


@pytest.mark.parametrize(
    "text", ["budgets: [{window: day, cost: 1}]\nstate: {retention_days: 0}", "budgets: [{scope: 'key:made-later', window: day, cost: 1}]"]
)
def test_what_is_fine(text: str) -> None:
    assert load_text(text).warnings == ()


@pytest.mark.parametrize("reserve", ["0.2", "20%", "${R:-0.2}"])
def test_the_schema_takes_what_donut_takes(reserve: str) -> None:
    text = {"providers": [{"id": "a", "kind": "openai", "reserve": reserve if "%" in reserve or "$" in reserve else float(reserve)}]}
    assert [error.message for error in Draft202012Validator(json_schema(["openai"])).iter_errors(text)] == []
    assert load_text(f"providers: [{{id: a, kind: openai, reserve: '{reserve}'}}]").settings.providers[0].reserve == 0.2
