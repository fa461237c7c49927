"""Requests of other dialects, written for an upstream that speaks Anthropic's format: what its API is strict about, and what gets lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from providers.codecs import UntranslatableError
from providers.codecs.conversation import (
    Audio,
    Conversation,
    Document,
    Image,
    Opaque,
    OutputFormat,
    Reasoning,
    Refused,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from providers.codecs.messages import CODEC
from providers.codecs.messages.models import ways_of
from providers.codecs.messages.request_out import JSON_ASKED_FOR, MAX_TOKENS
from providers.codecs.messages.turns_out import REMINDER
from providers.codecs.tool_names import NAME_CHARS, flat_name, tools_by_flat_name
from providers.codecs.turns import NO_OPENING

OLD, NEW, LOCAL = "claude-sonnet-4-5", "claude-opus-5-5", "qwen3-coder"
SYSTEM, USER, ASSISTANT = Role.SYSTEM, Role.USER, Role.ASSISTANT
SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = Tool("weather", "Says.", SCHEMA)


def turn(role: Role, *parts: Any) -> Turn:
    return Turn(role, tuple(Text(part) if isinstance(part, str) else part for part in parts))


HELLO = turn(USER, "Hi")


def talk(*turns: Turn, **more: Any) -> Conversation:
    return Conversation(list(turns) or [HELLO], dialect="chat", **more)


def written(conversation: Conversation, model: str = NEW) -> tuple[dict[str, Any], set[str]]:
    """(the body, what was lost)"""
    body = CODEC.encode(conversation, model)
    return body, {loss.what for loss in conversation.losses}


def roles(body: Mapping[str, Any]) -> list[str]:
    return [message["role"] for message in body["messages"]]


class TestTurns:
    def test_standing_instructions_stand_in_front(self) -> None:
        body, lost = written(talk(turn(SYSTEM, "a"), turn(SYSTEM, "b"), HELLO))
        assert body["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        assert body["messages"] == [{"role": "user", "content": "Hi"}]
        assert lost == set()

    def test_results_come_first_and_together(self) -> None:
        calls = [turn(ASSISTANT, ToolCall("c1", "a", "{}")), turn(ASSISTANT, ToolCall("c2", "b", '{"x":1}'))]
        results = [turn(USER, "and now?"), turn(USER, ToolResult("c1", (Text("1"),))), turn(USER, ToolResult("c2", ()))]
        body, _ = written(talk(HELLO, *calls, *results))
        assert roles(body) == ["user", "assistant", "user"]
        assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use", "tool_use"]
        assert body["messages"][2]["content"] == [
            {"type": "tool_result", "tool_use_id": "c1", "content": "1"},
            {"type": "tool_result", "tool_use_id": "c2"},
            {"type": "text", "text": "and now?"},
        ]

    @pytest.mark.parametrize(("model", "is_turn"), [(NEW, True), (OLD, False), (LOCAL, False)])
    def test_system_text_behind_the_first_turn(self, model: str, is_turn: bool) -> None:
        body, lost = written(talk(HELLO, turn(SYSTEM, "be quick"), turn(ASSISTANT, "ok"), turn(USER, "go")), model)
        if is_turn:
            assert body["messages"][1] == {"role": "system", "content": "be quick"}
            assert lost == set()
        else:
            assert roles(body) == ["user", "assistant", "user"]
            assert body["messages"][0]["content"][1]["text"] == REMINDER.format("be quick")
            assert lost == {"messages[].role system"}

    def test_system_text_where_it_may_not_stand(self) -> None:
        body, _ = written(talk(HELLO, turn(ASSISTANT, "ok"), turn(SYSTEM, "be quick"), turn(USER, "go")))
        assert roles(body) == ["user", "assistant", "user"]

    def test_system_text_between_a_call_and_its_result_waits(self) -> None:
        call, result = turn(ASSISTANT, ToolCall("c1", "a", "{}")), turn(USER, ToolResult("c1", (Text("1"),)))
        body, _ = written(talk(HELLO, call, turn(SYSTEM, "be quick"), result))
        assert roles(body) == ["user", "assistant", "user", "system"]

    def test_nothing_but_system_text(self) -> None:
        body, lost = written(talk(turn(SYSTEM, "Write a title.")))
        assert "system" not in body
        assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Write a title."}]}]
        assert lost

    def test_an_assistant_that_speaks_first(self) -> None:
        body, lost = written(talk(turn(ASSISTANT, "Welcome!"), HELLO))
        assert body["messages"][0] == {"role": "user", "content": NO_OPENING}
        assert lost == {"messages[0]"}

    def test_empty_texts_and_blanks_at_the_end_go(self) -> None:
        body, lost = written(talk(HELLO, turn(ASSISTANT, ""), turn(USER, "", "so"), turn(ASSISTANT, "It is \n")))
        assert body["messages"] == [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "so"}]},
            {"role": "assistant", "content": "It is"},
        ]
        assert lost == set()

    def test_names_of_speakers(self) -> None:
        assert written(talk(Turn(USER, (Text("Hi"),), "Ada")))[1] == {"messages[].name"}


class TestBlocks:
    def test_ids_that_the_api_refuses_are_changed_alike_and_stay_apart(self) -> None:
        calls = turn(ASSISTANT, *(ToolCall(each, "a", "{}") for each in ("functions.a:0", "functions:a.0", "")))
        results = turn(USER, *(ToolResult(each, ()) for each in ("functions.a:0", "functions:a.0", "")))
        body, _ = written(talk(HELLO, calls, results))
        ids = [block["id"] for block in body["messages"][1]["content"]]
        assert ids == [block["tool_use_id"] for block in body["messages"][2]["content"]]
        assert ids == ["functions_a_0", "functions_a_0_", "call"]

    @pytest.mark.parametrize("arguments", ['{"a"', "[1]", "3"])
    def test_arguments_that_are_no_object(self, arguments: str) -> None:
        body, lost = written(talk(HELLO, turn(ASSISTANT, ToolCall("c", "a", arguments)), turn(USER, ToolResult("c", ()))))
        assert body["messages"][1]["content"][0]["input"] == {"arguments": arguments}
        assert lost == {"tool_calls[].function.arguments"}

    def test_custom_tools_and_namespaces(self) -> None:
        tool = Tool("apply", kind="custom", namespace="shell", raw={"format": {"definition": "start: WORD"}})
        call = ToolCall("c", "apply", "raw text", kind="custom", namespace="shell")
        body, _ = written(
            talk(HELLO, turn(ASSISTANT, call), turn(USER, ToolResult("c", ())), tools=(tool,), tool_choice=ToolChoice("named", "apply"))
        )
        assert body["tools"][0]["name"] == body["messages"][1]["content"][0]["name"] == body["tool_choice"]["name"] == "shell__apply"
        assert body["messages"][1]["content"][0]["input"] == {"input": "raw text"}
        assert "start: WORD" in body["tools"][0]["input_schema"]["properties"]["input"]["description"]

    def test_long_names_fit_and_are_found_again(self) -> None:
        tools = [Tool(f"read_{'x' * 60}{number}", namespace="n" * 30) for number in range(2)]
        found = tools_by_flat_name(tools)
        assert list(found.values()) == tools
        assert all(len(name) <= NAME_CHARS for name in found)
        assert flat_name("a", None) == "a"

    def test_documents(self) -> None:
        parts = [
            Document(data="aGFsbG8=", media_type="text/markdown", name="a.md"),
            Document(data="JVBERi0=", name="b.pdf"),
            Image(data="aaaa"),
            Refused("no"),
        ]
        body, _ = written(talk(turn(USER, *parts)))
        assert [block.get("source", {}).get("media_type") for block in body["messages"][0]["content"]] == [
            "text/plain",
            "application/pdf",
            "image/jpeg",
            None,
        ]
        assert body["messages"][0]["content"][0]["source"]["data"] == "hallo"

    @pytest.mark.parametrize(
        "part", [Audio("aaaa", "wav"), Image(file_id="file-1"), Document(file_id="file-1"), Document(data="/w==", media_type="text/plain"),
                 Document(data="aaaa", media_type="application/zip")],
    )  # fmt: skip
    def test_what_would_be_missed_is_refused(self, part: Any) -> None:
        with pytest.raises(UntranslatableError):
            written(talk(turn(USER, part)))

    def test_what_belongs_to_others_is_left_out_and_named(self) -> None:
        parts = [Reasoning("hm", "openai", "c2VhbA=="), Reasoning("plain"), Opaque("openai", {"type": "compaction"}), Text("ok")]
        cited = Text("cited", citations=({"type": "url_citation"},), vendor="openai")
        body, lost = written(talk(turn(USER, cited, Image(url="https://x", detail="high")), turn(ASSISTANT, *parts)))
        assert body["messages"][1] == {"role": "assistant", "content": "ok"}
        assert lost == {"reasoning", "compaction", "annotations", "image_url.detail"}


class TestTools:
    @pytest.mark.parametrize(
        ("choice", "parallel", "expected"),
        [
            (None, None, None),
            (None, True, None),
            (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
            (ToolChoice("auto"), None, {"type": "auto"}),
            (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
            (ToolChoice("named", "weather"), None, {"type": "tool", "name": "weather"}),
            (ToolChoice("none"), False, {"type": "none"}),
        ],
    )
    def test_choice(self, choice: ToolChoice | None, parallel: bool | None, expected: Any) -> None:
        body, _ = written(talk(tools=(WEATHER,), tool_choice=choice, parallel_tool_calls=parallel))
        assert body.get("tool_choice") == expected

    def test_a_choice_among_no_tools_is_none(self) -> None:
        assert not {"tools", "tool_choice"} & written(talk(tool_choice=ToolChoice("auto")))[0].keys()

    def test_only_the_allowed_ones_are_sent(self) -> None:
        body, _ = written(talk(tools=(WEATHER, Tool("b")), tool_choice=ToolChoice("required", allowed=("b",))))
        assert [tool["name"] for tool in body["tools"]] == ["b"]

    def test_calls_made_before_need_their_tools_declared(self) -> None:
        body, _ = written(talk(HELLO, turn(ASSISTANT, ToolCall("c", "weather", "{}")), turn(USER, ToolResult("c", ()), "Sum up.")))
        assert [tool["name"] for tool in body["tools"]] == ["weather"]
        assert body["tool_choice"] == {"type": "none"}

    def test_schemas(self) -> None:
        tools = (
            Tool("a"),
            Tool("b", schema={"properties": {}}),
            Tool("c", schema=SCHEMA, strict=True),
            Tool("d", schema=SCHEMA, strict=False),
        )
        body, _ = written(talk(tools=tools))
        assert [tool["input_schema"]["type"] for tool in body["tools"]] == ["object"] * 4
        assert [tool.get("strict") for tool in body["tools"]] == [None, None, True, None]

    def test_others_server_tools_are_named_as_lost(self) -> None:
        assert written(talk(tools=(WEATHER, Tool("web_search", kind="server", vendor="openai"))))[1] == {"tools[] web_search"}


class TestThinking:
    @pytest.mark.parametrize(
        ("model", "thinking", "member", "effort"),
        [
            (NEW, Thinking(effort="high"), {"type": "adaptive"}, "high"),
            (NEW, Thinking(effort="minimal", summary="auto"), {"type": "adaptive", "display": "summarized"}, "low"),
            (NEW, Thinking(effort="xhigh"), {"type": "adaptive"}, "xhigh"),
            (NEW, Thinking(budget_tokens=8000, show=False), {"type": "adaptive", "display": "omitted"}, "medium"),
            (NEW, Thinking(budget_tokens=-1), {"type": "adaptive"}, "medium"),
            (NEW, Thinking(is_adaptive=True), {"type": "adaptive"}, None),
            (NEW, Thinking(effort="none"), None, "low"),
            (NEW, Thinking(enabled=False), None, "low"),
            ("claude-sonnet-4-6", Thinking(effort="xhigh"), {"type": "adaptive"}, "high"),
            (OLD, Thinking(effort="low"), {"type": "enabled", "budget_tokens": 4096}, None),
            (OLD, Thinking(budget_tokens=100), {"type": "enabled", "budget_tokens": 1024}, None),
            (OLD, Thinking(effort="max"), {"type": "enabled", "budget_tokens": 9999}, None),
            (OLD, Thinking(is_adaptive=True), {"type": "enabled", "budget_tokens": 8192}, None),
            (OLD, Thinking(budget_tokens=0), {"type": "disabled"}, None),
            (LOCAL, Thinking(effort="high"), {"type": "enabled", "budget_tokens": 9999}, None),
        ],
    )
    def test_in_the_words_of_each_generation(self, model: str, thinking: Thinking, member: Any, effort: str | None) -> None:
        body, _ = written(talk(thinking=thinking, max_tokens=10_000), model)
        assert body.get("thinking") == member
        assert body.get("output_config", {}).get("effort") == effort

    @pytest.mark.parametrize(
        ("model", "more"),
        [
            (OLD, {"max_tokens": 1024}),
            (OLD, {"tools": (WEATHER,), "tool_choice": ToolChoice("required")}),
            (NEW, {"tools": (WEATHER,), "tool_choice": ToolChoice("named", "weather")}),
        ],
    )
    def test_where_the_model_cannot(self, model: str, more: dict[str, Any]) -> None:
        body, lost = written(talk(thinking=Thinking(effort="high"), **more), model)
        assert "thinking" not in body
        assert lost == {"thinking"}

    @pytest.mark.parametrize("is_signed", [True, False])
    @pytest.mark.parametrize("model", [OLD, NEW, LOCAL])
    def test_a_tool_loop_that_began_without_signed_thinking(self, model: str, is_signed: bool) -> None:
        thought = Reasoning("hm", "anthropic" if is_signed else "", "c2ln" if is_signed else None)
        call, result = turn(ASSISTANT, thought, ToolCall("c", "weather", "{}")), turn(USER, ToolResult("c", (Text("sun"),)))
        body, lost = written(talk(HELLO, call, result, tools=(WEATHER,), thinking=Thinking(effort="high")), model)
        assert ("thinking" in body) == (is_signed or model != OLD)
        assert ("thinking" in lost) == (not is_signed and model == OLD)


class TestSampling:
    @pytest.mark.parametrize(
        ("model", "more", "sent", "lost"),
        [
            (OLD, {"temperature": 0.3, "top_k": 5}, {"temperature": 0.3, "top_k": 5}, set()),
            (OLD, {"temperature": 1.7}, {"temperature": 1.0}, {"temperature"}),
            (OLD, {"temperature": 0.3, "top_p": 0.9}, {"temperature": 0.3}, {"top_p"}),
            (OLD, {"temperature": 0.3, "top_p": 1}, {"temperature": 0.3}, set()),
            (OLD, {"top_p": 0.9}, {"top_p": 0.9}, set()),
            (OLD, {"temperature": 0.3, "top_p": 0.96, "thinking": Thinking(effort="low")}, {"top_p": 0.96}, {"temperature"}),
            (OLD, {"temperature": 1, "thinking": Thinking(effort="low")}, {}, set()),
            (NEW, {"temperature": 0.3, "top_p": 0.9}, {}, {"temperature, top_p"}),
            (NEW, {"temperature": 1}, {}, set()),
            (LOCAL, {"temperature": 1.7, "top_p": 0.9}, {"temperature": 1.7, "top_p": 0.9}, set()),
        ],
    )
    def test_what_each_generation_takes(self, model: str, more: dict[str, Any], sent: Any, lost: set[str]) -> None:
        body, noted = written(talk(**more), model)
        assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == sent
        assert noted == lost


class TestTheRest:
    def test_max_tokens_is_mandatory(self) -> None:
        assert written(talk())[0]["max_tokens"] == MAX_TOKENS
        assert written(talk(max_tokens=7))[0]["max_tokens"] == 7

    def test_a_schema_is_closed(self) -> None:
        schema = {
            "type": "object",
            "properties": {"a": {"type": "array", "items": {"type": "object"}}, "type": {"enum": [{"type": "object"}]}},
        }
        body, _ = written(talk(output=OutputFormat("json_schema", schema, "answer")))
        sent = body["output_config"]["format"]["schema"]
        assert sent["additionalProperties"] is sent["properties"]["a"]["items"]["additionalProperties"] is False
        assert sent["properties"]["type"] == {"enum": [{"type": "object"}]}

    def test_json_without_a_schema_is_asked_for_in_words(self) -> None:
        body, lost = written(talk(output=OutputFormat("json_object")))
        assert body["system"] == [{"type": "text", "text": JSON_ASKED_FOR}]
        assert lost == {"response_format json_object"}

    @pytest.mark.parametrize(("tier", "sent"), [("auto", "auto"), ("default", "standard_only"), ("flex", None)])
    def test_who_asks_and_at_which_price(self, tier: str, sent: str | None) -> None:
        body, lost = written(talk(user="ada", service_tier=tier, metadata={"team": "a"}))
        assert body["metadata"] == {"user_id": "ada"}
        assert body.get("service_tier") == sent
        assert lost == {"metadata"} | ({"service_tier"} if sent is None else set())

    @pytest.mark.parametrize(
        ("model", "more", "is_cached"),
        [
            (NEW, {"tools": (WEATHER,)}, True),
            (NEW, {"prompt_cache_key": "k"}, True),
            (NEW, {}, False),
            (LOCAL, {"tools": (WEATHER,)}, False),
        ],
    )
    def test_caching_that_others_do_by_themselves(self, model: str, more: dict[str, Any], is_cached: bool) -> None:
        assert ("cache_control" in written(talk(**more), model)[0]) == is_cached

    def test_what_has_no_place_is_named(self) -> None:
        more: dict[str, Any] = {
            "seed": 0,
            "frequency_penalty": 0.5,
            "presence_penalty": 0.0,
            "logprobs": True,
            "store": False,
            "verbosity": "low",
        }
        assert written(talk(**more, more={"logit_bias": {"5": 1}}))[1] == {
            "seed",
            "frequency_penalty",
            "logprobs",
            "verbosity",
            "logit_bias",
        }

    @pytest.mark.parametrize(
        ("more", "param"),
        [({"answers": 2}, "n"), ({"previous_response_id": "resp_1"}, "previous_response_id"), ({"stop": ("\n",)}, "stop")],
    )
    def test_what_would_change_the_meaning_is_refused(self, more: dict[str, Any], param: str) -> None:
        with pytest.raises(UntranslatableError, match=f"`{param}`") as caught:
            written(talk(**more))
        assert caught.value.param == param


@pytest.mark.parametrize(
    ("model", "adaptive", "budget", "sampling", "system"),
    [
        ("claude-3-5-sonnet-20241022", False, True, True, False),
        ("claude-opus-4-20250514", False, True, True, False),
        ("claude-haiku-4-5-20251001", False, True, True, False),
        ("anthropic/claude-sonnet-4.6", True, True, True, False),
        ("us.anthropic.claude-opus-4-7-v1:0", True, False, False, False),
        ("claude-opus-4-8", True, False, False, True),
        ("claude-mythos-preview", True, False, False, True),
        ("gpt-oss-20b", False, True, True, False),
    ],
)
def test_generations(model: str, adaptive: bool, budget: bool, sampling: bool, system: bool) -> None:
    ways = ways_of(model)
    assert (ways.takes_adaptive, ways.takes_budget, ways.takes_sampling, ways.takes_system_turns) == (adaptive, budget, sampling, system)
