"""Policies from the file: the shipped ones, what config adds and changes, and what their names mean."""

from __future__ import annotations

import pytest

from config.catalog import shipped_models
from config.policies import Names, policies_in_force, policy_book, shipped_policies
from config.policy_references import TASK_TYPES
from config.problems import ConfigError
from config.settings import Settings
from config.source import Loaded, parse
from routing.policies import NORMAL, target_of
from routing.types import (
    CallRole,
    Classification,
    LocalPreference,
    ModelTier,
    Objective,
    Policy,
    Target,
    TargetKind,
    UseCase,
)
from tests.test_config_source import KINDS


def read(text: str) -> Loaded:
    return parse(text, "donut.yaml", {"X": "secret-name"}, KINDS, shipped_models())


def settings(text: str) -> Settings:
    loaded = read(text)
    assert loaded.warnings == ()
    return loaded.settings


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    (found,) = caught.value.problems
    return str(found)


def test_four_policies_ship_and_the_default_changes_nothing() -> None:
    book = policy_book(Settings())
    assert list(book.policies) == ["normal", "deep_research", "code", "ops"]
    assert book.default == NORMAL
    assert book.policies[NORMAL] == Policy(NORMAL)


def test_the_shipped_policies_are_right_by_the_rules_for_configs() -> None:
    for name, policy in shipped_policies().items():
        assert policy.name == name
        assert set(policy.tiers) <= TASK_TYPES
        assert set(policy.models) <= set(ModelTier), "a model that somebody does not have is no default"
        assert (policy.max_tokens, policy.temperature) == (None, None)


@pytest.mark.parametrize(("policy", "kind", "target"), [("normal", "tier", "mid"), ("deep_research", "policy", "deep_research"),
                                                      ("code", "policy", "code"), ("ops", "policy", "ops")])  # fmt: skip
def test_what_the_shipped_policies_do_with_a_turn_and_a_title(policy: str, kind: str, target: str) -> None:
    chosen = policy_book(Settings()).policies[policy]
    turn = Classification(CallRole.MAIN, ModelTier.MID, UseCase.CODE, Objective.BALANCED, 0.5, 0.9)
    title = Classification(CallRole.CHORE, ModelTier.MICRO, UseCase.CHAT, Objective.COST_SPEED, 0.0, 0.9, "title")
    assert target_of(chosen, turn)[:2] == (kind, target)
    assert target_of(chosen, title)[:2] == ("tier", "micro")


def test_config_changes_a_shipped_policy_field_by_field() -> None:
    changed = policies_in_force(settings("policies: [{name: code, models: [claude-sonnet-5.5, mid], temperature: 0}]"))["code"]
    shipped = shipped_policies()["code"]
    assert changed.models == ("claude-sonnet-5.5", "mid")
    assert changed.temperature == 0
    assert (changed.tiers, changed.max_cost, changed.objective) == (shipped.tiers, shipped.max_cost, shipped.objective)
    unlimited = policies_in_force(settings("policies: [{name: code, max_cost: null, models: []}]"))["code"]
    assert (unlimited.max_cost, unlimited.models) == (None, ())


def test_a_policy_of_ones_own() -> None:
    text = """
server: {api_keys: [{name: team-a, key: first-key, policy: mine}, second-key]}
policies:
  - name: mine
    models: [box/up, donut/frontier, gpt-4o, claude-sonnet-5.5, own]
    tiers: {code: mid, chore: micro, title: micro}
    objective: quality
    local_preference: required
    max_cost: 0.25
    max_tokens: 2000
    temperature: 0.2
models: [{id: own}]
providers: [{id: box, kind: ollama, models: [{upstream: up, model: own}]}]
routing:
  policy: ops
  rules:
    - {policy: code, harness: codex, key: "team-*", use_case: code, role: subagent, model: "claude-*"}
    - {policy: mine}
"""
    aliases = {"gpt-4o": "gpt-6.1-terra", "own": "other"}
    book = policy_book(settings(text), Names(models={"own", "claude-sonnet-5.5"}, replicas={"box/up"}, aliases=aliases))
    mine = book.policies["mine"]
    assert [stage[:2] for stage in mine.stages] == [
        (TargetKind.REPLICA, "box/up"),
        (TargetKind.TIER, "frontier"),
        (TargetKind.MODEL, "gpt-6.1-terra"),
        (TargetKind.MODEL, "claude-sonnet-5.5"),
        (TargetKind.MODEL, "own"),  # served under the name itself, so its being an alias does not count
    ]
    assert mine.stages[0] == Target(TargetKind.REPLICA, "box/up", "policy mine names it")
    assert mine.tiers == {"code": ModelTier.MID, "chore": ModelTier.MICRO, "title": ModelTier.MICRO}
    assert (mine.objective, mine.local_preference) == (Objective.QUALITY, LocalPreference.REQUIRED)
    assert (mine.max_cost_usd, mine.max_tokens, mine.temperature) == (0.25, 2000, 0.2)
    assert (book.default, book.by_client) == ("ops", {"team-a": "mine"})
    first, second = book.rules
    assert first == ("code", "codex", "team-*", UseCase.CODE, CallRole.SUBAGENT, "claude-*")
    assert second.in_words() == "it matches everything"


def test_a_model_that_is_not_served_yet_stays_a_model() -> None:
    (stage,) = policy_book(settings("policies: [{name: p, models: [gpt-6-astra]}]")).policies["p"].stages
    assert stage[:2] == (TargetKind.MODEL, "gpt-6-astra")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "policies:\n  - name: p\n    models: [mid, claude-sonet-5.5]\n",
            "donut.yaml:3:19: policies[0].models[1]: `claude-sonet-5.5` is neither a tier, a model nor a replica; "
            "did you mean `claude-sonnet-5.5`?",
        ),
        ("policies: [{name: p, models: [medium]}]", "is neither a tier"),
        ("policies: [{name: p, models: [auto]}]", "is neither a tier"),
        ("policies: [{name: p, models: ['${X}']}]", "`${X}` is neither a tier"),
        ("policies: [{name: p, tiers: {code: middle}}]", "`middle` is not allowed; did you mean `mid`?"),
        ("policies: [{name: p}, {name: P}]", "duplicate name `P`"),
        ("policies: [{name: micro}]", "is a model name that steers already"),
        ("policies: [{name: 'a:b'}]", "must begin with a letter or digit"),
        ("policies: [{models: [mid]}]", "policies[0].name: is required"),
        ("policies: [{name: p, temprature: 1}]", "did you mean `temperature`?"),
        ("policies: [{name: p, temperature: 3}]", "must be at most 2"),
        ("policies: [{name: p, max_tokens: 0}]", "must be greater than 0"),
        ("policies: [{name: p, max_cost: -1}]", "must be at least 0"),
        ("routing:\n  policy: cod\n", "donut.yaml:2:3: routing.policy: there is no policy `cod`; did you mean `code`? (policies: code,"),
        ("routing: {rules: [{policy: nobody}]}", "routing.rules[0].policy: there is no policy `nobody`"),
        ("routing: {rules: [{harness: codex}]}", "routing.rules[0].policy: is required"),
        ("routing: {rules: [{policy: code, tier: mid}]}", "unknown key `tier`"),
        ("routing: {rules: [{policy: code, role: subagnt}]}", "did you mean `subagent`?"),
        (
            "server: {api_keys: [{name: a, key: k, policy: opps}]}",
            "server.api_keys[0].policy: there is no policy `opps`; did you mean `ops`?",
        ),
        ("routing: {profile: strnog}", "did you mean `strong`?"),
        ("routing: {foreign_reasoning: keep}", "(allowed: refuse, strip)"),
        ("routing: {quality_floor: {mid: 1.5}}", "must be at most 1"),
        ("routing: {quality_floor: {middle: 0.5}}", "did you mean `mid`?"),
        ("routing: {retry: {budget: {share: 2}}}", "must be at most 1"),
        ("routing: {affinity: {ttl_seconds: 0}}", "must be greater than 0"),
        ("routing: {rewrites: {a: 'policy:cod'}}", "did you mean `policy:code`?"),
    ],
)
def test_a_mistake_is_named_where_it_is(text: str, words: str) -> None:
    assert words in problem(text)


def test_a_key_that_is_not_set_hides_no_name() -> None:
    """An undefined variable is one problem; that the rule's key exists is still known."""
    found = problem("server: {api_keys: [{name: a, key: '${NONE}'}]}\nrouting: {rules: [{policy: code, key: a}]}")
    assert "NONE is not set" in found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # `donut keys` may make one of that name while the server runs.
        ("routing: {rules: [{policy: code, key: team-a}]}", "no key in server.api_keys is named `team-a`"),
        ("server: {api_keys: [{name: team-b, key: k}]}\nrouting: {rules: [{policy: code, key: team-a}]}", "did you mean `team-b`?"),
        ("policies: [{name: p, tiers: {titel: micro}}]", "no request is of the type `titel`; did you mean `title`?"),
        ("routing: {rules: [{policy: code, harness: codx}]}", "donut knows no harness `codx`; did you mean `codex`?"),
        ("routing: {rules: [{policy: code}, {policy: ops, role: chore}]}", "never reached: routing.rules[0] has no condition"),
    ],
)
def test_what_may_be_a_slip_is_a_warning(text: str, words: str) -> None:
    (warning,) = read(text).warnings
    assert words in str(warning)


def test_policies_may_be_the_target_of_a_rewrite() -> None:
    text = "policies: [{name: mine}]\nrouting: {rewrites: {a: 'policy:code', b: 'policy:mine', c: mine}}"
    assert list(settings(text).routing.rewrites) == ["a", "b", "c"]


@pytest.mark.parametrize("word", ["auto", "cost", "speed", "cost_speed", "balanced", "quality", "pareto"])
def test_objectives(word: str) -> None:
    loaded = settings(f"routing: {{objective: {word}}}\npolicies: [{{name: p, objective: {word}}}]")
    assert loaded.routing.objective == loaded.policies[0].objective == word


def test_the_other_new_settings() -> None:
    text = """
routing:
  profile: strong
  foreign_reasoning: strip
  quality_floor: {mid: 0.6, frontier: 0}
  affinity: {ttl_seconds: 60}
  retry: {max_attempts: 2, budget: {share: 0.1, min_per_second: 1}}
models: [{id: claude-sonnet-5.5, quality: 0.7, output_tokens_per_s: 80}]
"""
    routing = settings(text).routing
    assert (routing.profile, routing.foreign_reasoning, routing.affinity.ttl_seconds) == ("strong", "strip", 60)
    assert routing.quality_floor == {ModelTier.MID: 0.6, ModelTier.FRONTIER: 0}
    assert (routing.retry.budget.share, routing.retry.budget.min_per_second) == (0.1, 1)
    plain = Settings().routing
    assert (plain.profile, plain.foreign_reasoning, plain.affinity.ttl_seconds) == ("balanced", "refuse", 3600)
    assert (plain.retry.budget.share, plain.retry.budget.min_per_second, plain.quality_floor) == (0.2, 10, {})
