"""From a request to a demand: what is named stays, what is open is read from the conversation, the words and the policies."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
import pytest

from config.runtime import Runtime
from providers.dialects import Ask, BadRequestError, Dialect
from providers.dialects.chat import DIALECT as CHAT
from providers.dialects.embeddings import DIALECT as EMBEDDINGS
from proxy.asker import WISHES_REMEMBERED, Asker
from proxy.demand import Understood, demand_for, remember
from proxy.serving import Serving
from proxy.steering import read_steering
from routing.classify.excerpt import Excerpt
from routing.facts import AttemptFinished
from routing.resolve import UnknownModel
from routing.types import (
    CallRole,
    Capability,
    Classification,
    Demand,
    Dispatch,
    LocalPreference,
    ModelTier,
    Objective,
    TargetKind,
    Usage,
    UseCase,
    capability_names,
)
from tests.serving import load_text

CONFIG = """
discovery: {local: false, environment: false}
server: {api_keys: [{name: team, key: secret-of-the-team, policy: thrifty}, {name: other, key: another-secret-key}]}
providers:
  - id: p0
    kind: openai
    base_url: http://127.0.0.1:9/v1
    models:
      - {upstream: twin, model: twin, price: {input: 5, output: 25, cache_read: 0.5}}
      - {upstream: lone, model: lone, price: {input: 1, output: 5, cache_read: 0.1}}
  - id: p1
    kind: openai
    base_url: http://127.0.0.1:19/v1
    models: [{upstream: twin, model: twin, price: {input: 5, output: 25, cache_read: 0.5}}]
models:
  - {id: twin, tier: frontier}
  - {id: lone, tier: small}
policies:
  - name: thrifty
    tiers: {code: small}
    objective: cost_speed
    local_preference: disabled
    max_cost: 0.5
    max_tokens: 99
    temperature: 0.1
  - {name: staged, models: [twin, small]}
routing: {MORE}
"""
NOW_S = 100.0
SEALED = {"role": "assistant", "content": "done", "reasoning_details": [{"type": "reasoning.encrypted", "data": "gAAAA"}]}


class Says:
    """A classifier with one opinion."""

    def __init__(self, **changes: Any) -> None:
        self.answer = Classification(CallRole.MAIN, ModelTier.FRONTIER, UseCase.CODE, Objective.QUALITY, 0.8, 0.9, reasons=("hard words",))
        self.answer = self.answer._replace(**changes)
        self.runs = 0

    def classify(self, excerpt: Excerpt) -> Classification:
        del excerpt
        self.runs += 1
        return self.answer


class Request(NamedTuple):
    """What a client sent, read by its dialect."""

    dialect: Dialect
    data: dict[str, Any]
    ask: Ask
    headers: Mapping[bytes, bytes]
    client: str | None

    def asker(self, serving: Serving) -> Asker:
        return Asker(self.dialect, self.headers, self.client, read_steering(list(self.headers.items())), serving)


def serving_for(routing: str = "", classifier: Says | None = None) -> Serving:
    settings = load_text(CONFIG.replace("MORE", routing)).settings
    serving = Runtime(settings, {}, write_lines=lambda lines: None).gateway.serving
    return dataclasses.replace(serving, classifier=classifier)


def request_for(
    model: str, *more: dict[str, Any], client: str | None = None, headers: Mapping[str, str] | None = None, **members: Any
) -> Request:
    data: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "fix the parser"}, *more], **members}
    by_name = {name.encode(): value.encode() for name, value in (headers or {}).items()}
    return Request(CHAT, data, CHAT.read(data, len(orjson.dumps(data))), by_name, client)


def understand(serving: Serving, request: Request, asker: Asker | None = None) -> Understood:
    understood = demand_for(asker or request.asker(serving), request.ask, request.data, NOW_S)
    assert not isinstance(understood, UnknownModel)
    return Understood(understood) if isinstance(understood, Demand) else understood


def demand(serving: Serving, model: str = "auto", **more: Any) -> Demand:
    return understand(serving, request_for(model, **more)).demand


def answered_by(serving: Serving, request: Request, replica_id: str) -> None:
    """The request was sent to the replica, and it answered."""
    asked = understand(serving, request)
    remember(asked, serving, NOW_S)
    others = frozenset(serving.upstreams) - {replica_id}
    decision = serving.router.decide(asked.demand, NOW_S, others)
    assert isinstance(decision, Dispatch)
    assert decision.replica.id == replica_id
    serving.router.observe(AttemptFinished(decision.reservation, Usage(5, output=1)), NOW_S)


class TestNames:
    @pytest.mark.parametrize("model", ["lone", "twin", "p0/twin"])
    def test_a_named_model_is_not_classified_and_no_policy_touches_it(self, model: str) -> None:
        classifier = Says()
        request = request_for(model, client="team", headers={"x-donut-tier": "micro", "x-donut-policy": "staged"})
        found = understand(serving_for(classifier=classifier), request)
        assert found.demand.target.kind in (TargetKind.MODEL, TargetKind.REPLICA)
        assert (found.demand.classification, found.demand.policy, found.demand.max_cost_usd) == (None, None, None)
        assert found.turn is None
        assert request.ask.defaults == {}
        assert classifier.runs == 0

    def test_only_where_there_is_a_choice_a_named_models_conversation_has_keys(self) -> None:
        serving = serving_for()
        assert demand(serving, "lone").affinity_keys == demand(serving, "p0/twin").affinity_keys == ()
        assert len(demand(serving, "twin").affinity_keys) == 1

    def test_an_unknown_name_is_one(self) -> None:
        request = request_for("nonsense")
        assert isinstance(demand_for(request.asker(serving_for()), request.ask, request.data, NOW_S), UnknownModel)


class TestAsker:
    """One asker for all requests of a connection: what it keeps of one says nothing false of the next."""

    BODIES: tuple[dict[str, Any], ...] = (
        {"model": "twin"},
        {"model": "twin", "max_tokens": 7},
        {"model": "twin", "stream": True},
        {"model": "twin", "tools": [{"type": "function"}]},
        {"model": "lone", "messages": [{"role": "user", "content": "longer " * 99}]},
        {"model": "p1/twin"},
        {"model": "auto:quality"},
        {"model": "twin", "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2;"}]},
        *({"model": "twin", "max_tokens": number} for number in range(1, 2 * WISHES_REMEMBERED)),
        {"model": "twin"},
    )

    @pytest.mark.parametrize("headers", [{}, {"x-donut-objective": "cost", "x-donut-require": "json", "user-agent": "litellm/1"}])
    def test_it_says_what_a_new_one_would(self, headers: dict[str, str]) -> None:
        serving = serving_for()
        asker = request_for("twin", headers=headers, client="team").asker(serving)
        for body in self.BODIES:
            request = request_for(headers=headers, client="team", **body)
            asked = understand(serving, request, asker).demand
            assert asked == understand(serving, request).demand
            assert asked.requested_model == body["model"]
            assert asked.input_tokens_estimated == request.ask.input_tokens_estimated

    def test_a_name_that_nobody_serves_is_not_kept(self) -> None:
        request = request_for("nonsense")
        asker = request.asker(serving_for())
        found = [demand_for(asker, request.ask, request.data, NOW_S) for _ in range(2)]
        assert all(isinstance(each, UnknownModel) for each in found)


class TestOpen:
    def test_without_a_classifier_the_default_tier_answers_and_says_so(self) -> None:
        found = demand(serving_for("default_tier: small"))
        assert (found.target.kind, found.target.id) == (TargetKind.TIER, "small")
        assert "nothing classified it, so the default tier answers" in found.target.because
        assert found.classification is None

    def test_the_classification_says_tier_use_case_and_objective(self) -> None:
        found = demand(serving_for(classifier=Says()))
        assert (found.target.kind, found.target.id) == (TargetKind.TIER, "frontier")
        assert found.target.because == "the client named it; classified: hard words"
        assert (found.use_case, found.objective, found.policy) == (UseCase.CODE, Objective.QUALITY, "normal")
        assert found.classification is not None

    def test_a_tier_that_was_named_stays_and_is_classified_for_the_rest(self) -> None:
        found = demand(serving_for(classifier=Says()), "small")
        assert (found.target.id, found.use_case, found.objective) == ("small", UseCase.CODE, Objective.QUALITY)

    @pytest.mark.parametrize("model", ["auto", "mid", "policy:staged"])
    def test_the_header_wins_over_every_open_name(self, model: str) -> None:
        found = demand(serving_for(classifier=Says()), model, headers={"x-donut-tier": "micro"})
        assert found.target == (TargetKind.TIER, "micro", "x-donut-tier asked for it")

    def test_embeddings_are_no_conversation(self) -> None:
        data = {"model": "auto", "input": "text"}
        request = Request(EMBEDDINGS, data, EMBEDDINGS.read(data, 30), {}, None)
        found = understand(serving_for(), request).demand
        assert (found.use_case, found.affinity_keys) == (UseCase.EMBED, ())

    def test_a_chore_does_not_share_its_conversations_keys(self) -> None:
        main = demand(serving_for(classifier=Says()))
        chore = demand(serving_for(classifier=Says(role=CallRole.CHORE, chore="compaction")))
        assert not set(main.affinity_keys) & set(chore.affinity_keys)


class TestPolicies:
    def test_a_keys_policy_applies_where_the_client_left_it_open(self) -> None:
        request = request_for("auto", client="team")
        found = understand(serving_for(classifier=Says()), request).demand
        assert (found.policy, found.target.id, found.objective) == ("thrifty", "small", Objective.COST_SPEED)
        assert (found.local_preference, found.max_cost_usd) == (LocalPreference.DISABLED, 0.5)
        assert found.target.because.endswith("policy thrifty: the key team has it")
        assert request.ask.defaults == {"output_tokens": 99, "temperature": 0.1}

    @pytest.mark.parametrize("more", [{"headers": {"x-donut-policy": "staged"}}, {"model": "policy:staged"}, {"model": "staged"}])
    def test_one_that_the_request_names_comes_first(self, more: dict[str, Any]) -> None:
        found = demand(serving_for(classifier=Says()), client="team", **more)
        assert (found.policy, found.target.kind, found.target.id) == ("staged", TargetKind.POLICY, "staged")

    def test_without_a_classifier_its_stages_still_count(self) -> None:
        found = demand(serving_for(), headers={"x-donut-policy": "staged"})
        assert (found.target.kind, found.target.id) == (TargetKind.POLICY, "staged")

    def test_a_policy_that_does_not_exist_is_named_with_those_that_do(self) -> None:
        with pytest.raises(BadRequestError, match=r"'nonsense' is none of normal, .*staged"):
            demand(serving_for(), "lone", headers={"x-donut-policy": "nonsense"})

    def test_a_tier_that_was_named_keeps_the_policys_other_wishes(self) -> None:
        found = demand(serving_for(classifier=Says()), "frontier", client="team")
        assert (found.target.id, found.policy, found.max_cost_usd) == ("frontier", "thrifty", 0.5)

    @pytest.mark.parametrize(("asked", "limit"), [("0.2", 0.2), ("3", 0.5)])
    def test_the_lower_ceiling_counts(self, asked: str, limit: float) -> None:
        assert demand(serving_for(), client="team", headers={"x-donut-max-cost": asked}).max_cost_usd == limit

    def test_the_request_says_its_local_preference_before_the_policy_does(self) -> None:
        assert demand(serving_for(), client="team", headers={"x-donut-local": "required"}).local_preference is LocalPreference.REQUIRED


class TestObjective:
    """Header, name, policy, config, task: the first that has an opinion."""

    @pytest.mark.parametrize(
        ("routing", "more", "objective"),
        [
            ("", {}, Objective.QUALITY),
            ("objective: balanced", {}, Objective.BALANCED),
            ("objective: balanced", {"client": "team"}, Objective.COST_SPEED),
            ("objective: balanced", {"client": "team", "model": "auto:quality"}, Objective.QUALITY),
            ("", {"model": "auto:quality", "headers": {"x-donut-objective": "balanced"}}, Objective.BALANCED),
        ],
    )
    def test_order(self, routing: str, more: dict[str, Any], objective: Objective) -> None:
        assert demand(serving_for(routing, Says()), **more).objective is objective


class TestHeaders:
    def test_required_capabilities_come_on_top_of_those_that_the_body_needs(self) -> None:
        found = demand(serving_for(), "lone", headers={"x-donut-require": "reasoning, JSON"}, tools=[{}])
        assert capability_names(found.capability_bits) == ("tools", "json", "reasoning")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("x-donut-require", "telepathy"),
            ("x-donut-max-cost", "much"),
            ("x-donut-max-cost", "-1"),
            ("x-donut-max-cost", "nan"),
            ("x-donut-max-cost", "inf"),
            ("x-donut-tier", "huge"),
            ("x-donut-objective", "fun"),
        ],
    )
    def test_a_header_that_says_nothing_is_refused_by_name(self, name: str, value: str) -> None:
        with pytest.raises(BadRequestError, match=name) as caught:
            demand(serving_for(), "lone", headers={name: value})
        assert caught.value.param == name

    def test_what_a_newer_donut_would_read_is_left_alone(self) -> None:
        assert demand(serving_for(), "lone", headers={"x-donut-mood": "calm"}).target.id == "lone"


class TestTies:
    """D6: reasoning that one account alone can read goes back to it, before every other rule."""

    def talk(self, model: str = "twin") -> tuple[Request, Request]:
        return request_for(model), request_for(model, SEALED, {"role": "user", "content": "go on"})

    def test_d6_it_goes_to_the_account_that_made_it(self) -> None:
        serving = serving_for()
        first, second = self.talk()
        answered_by(serving, first, "p1/twin")
        found = understand(serving, second).demand
        assert found.made_by == "p1"
        decision = serving.router.decide(found, NOW_S)
        assert isinstance(decision, Dispatch)
        assert decision.replica.id == "p1/twin"

    def test_d6_a_conversation_without_such_reasoning_is_free(self) -> None:
        serving = serving_for()
        answered_by(serving, request_for("twin"), "p1/twin")
        plain = request_for("twin", {"role": "assistant", "content": "done"}, {"role": "user", "content": "go on"})
        assert understand(serving, plain).demand.made_by is None

    def test_d6_nobody_knows_whose_it_is_after_an_hour(self) -> None:
        _, second = self.talk()
        assert understand(serving_for(), second).demand.made_by is None

    @pytest.mark.parametrize("model", ["lone", "p0/twin"])
    def test_d6_refused_when_the_account_does_not_serve_what_is_asked(self, model: str) -> None:
        serving = serving_for()
        first, _ = self.talk()
        answered_by(serving, first, "p1/twin")
        with pytest.raises(BadRequestError, match=r"encrypted reasoning of p1.*foreign_reasoning: strip") as caught:
            understand(serving, self.talk(model)[1])
        assert caught.value.code == "foreign_reasoning"

    def test_d6_taken_out_if_config_says_so_recorded_and_taken_out_ever_after(self) -> None:
        serving = serving_for("foreign_reasoning: strip")
        first, _ = self.talk()
        answered_by(serving, first, "p1/twin")
        second = self.talk("p0/twin")[1]
        found = understand(serving, second)
        assert second.ask.drop_sealed
        assert found.demand.notes == ("reasoning that only p1 could read was taken out: it does not serve this any more",)
        answered_by(serving, second, "p0/twin")
        third = self.talk("p0/twin")[1]
        assert understand(serving, third).demand.notes == ("reasoning of an account that is gone was taken out of the conversation again",)
        assert third.ask.drop_sealed

    def test_d6_an_open_request_stays_in_a_tier_that_the_account_serves(self) -> None:
        """p1 has nothing small: the classifier's wish comes second."""
        serving = serving_for(classifier=Says(tier=ModelTier.SMALL))
        first, second = self.talk("auto")
        answered_by(serving, self.talk("frontier")[0], "p1/twin")
        del first
        found = understand(serving, second).demand
        assert (found.target.id, found.made_by) == ("frontier", "p1")
        assert "only p1 can read" in found.target.because


class TestConversations:
    def test_h1_a_continuation_is_not_classified_again(self) -> None:
        classifier = Says()
        serving = serving_for(classifier=classifier)
        talk: list[dict[str, Any]] = []
        for number in range(5):
            asked = understand(serving, request_for("auto", *talk))
            remember(asked, serving, NOW_S)
            assert asked.demand.target.id == "frontier"
            call = {"id": f"c{number}", "type": "function", "function": {"name": "read", "arguments": "{}"}}
            talk += [
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": f"c{number}", "content": "ok"},
            ]
        assert classifier.runs == 1

    def test_a_dry_run_remembers_nothing(self) -> None:
        classifier = Says()
        serving = serving_for(classifier=classifier)
        for _ in range(3):
            understand(serving, request_for("auto"))
        assert classifier.runs == 3
        assert len(serving.memory.conversations) == 0

    def test_a_new_turn_stays_where_moving_costs_more_than_it_saves(self) -> None:
        """150,000 tokens that frontier has in its cache; one call in the small tier would read them anew."""
        for chars, tier in ((600_000, "frontier"), (2_000, "small")):
            classifier = Says()
            serving = serving_for(classifier=classifier)
            long = {"role": "system", "content": "x" * chars}
            talk = (long, {"role": "assistant", "content": "done"}, {"role": "user", "content": "thanks, and a title?"})
            answered_by(serving, request_for("auto", *talk[:2]), "p0/twin")
            classifier.answer = classifier.answer._replace(tier=ModelTier.SMALL)
            assert understand(serving, request_for("auto", *talk)).demand.target.id == tier


def test_capabilities_are_plain_numbers() -> None:
    """IntFlag arithmetic costs a microsecond (routing/types.py), so none of it is left in a demand."""
    assert type(demand(serving_for(), "lone", headers={"x-donut-require": "vision"}).capability_bits) is int
    assert int(Capability.VISION) == demand(serving_for(), "lone", headers={"x-donut-require": "vision"}).capability_bits
