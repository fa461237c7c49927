"""Requests in OpenAI's chat format: read into a conversation, written again, and what is wrong with them named."""

from __future__ import annotations

from typing import Any

import pytest

from providers.codecs import UntranslatableError
from providers.codecs.chat import CODEC
from providers.codecs.conversation import (
    Audio,
    Conversation,
    Document,
    Image,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from providers.codecs.messages import CODEC as MESSAGES
from providers.dialects import BadRequestError
from tests import golden
from tests.recorded import requests_of, told

EVERYTHING = requests_of("chat")["everything"]
HELLO = [{"role": "user", "content": "Hi"}]


def parse(**more: Any) -> Conversation:
    return CODEC.parse({"model": "m", "messages": HELLO, **more})


def written(*turns: Turn, model: str = "qwen3-coder", **more: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = CODEC.encode(Conversation(list(turns), dialect="messages", **more), model)["messages"]
    return messages


def user(*parts: Part) -> Turn:
    return Turn(Role.USER, parts)


def assistant(*parts: Part) -> Turn:
    return Turn(Role.ASSISTANT, parts)


class TestReading:
    def test_everything(self) -> None:
        golden.check("chat/everything.conversation.txt", told(CODEC.parse(EVERYTHING)))

    def test_what_is_made_of_it_for_the_same_format_means_the_same(self) -> None:
        conversation = CODEC.parse(EVERYTHING)
        again = CODEC.parse(CODEC.encode(conversation, "gpt-4.1"))
        assert again == conversation
        assert conversation.losses == []

    def test_what_is_made_of_it_for_anthropic(self) -> None:
        golden.check("chat/everything.claude.json", golden.as_json(MESSAGES.encode(CODEC.parse(EVERYTHING), "claude-opus-5-5")))

    @pytest.mark.parametrize(
        ("more", "member"),
        [
            ({"messages": "Hi"}, "messages"),
            ({"messages": [3]}, "messages[0]"),
            ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
            ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
            ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0]"),
            ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
            ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]}]}, "messages[0].tool_calls[0].function.name"),
            ({"tools": {}}, "tools"),
            ({"tools": [{"type": "function", "function": {}}]}, None),
            ({"tool_choice": "sometimes"}, "tool_choice"),
            ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
            ({"stop": 5}, "stop"),
            ({"temperature": "hot"}, "temperature"),
            ({"max_tokens": 1.5}, "max_tokens"),
            ({"user": 5}, "user"),
        ],
    )
    def test_what_is_wrong_is_named(self, more: dict[str, Any], member: str | None) -> None:
        with pytest.raises(BadRequestError) as raised:
            parse(**more)
        assert member is None or raised.value.param == member

    def test_what_would_come_to_mean_something_else_is_refused(self) -> None:
        for more in (
            {"modalities": ["text", "audio"]},
            {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]}]},
        ):
            with pytest.raises(UntranslatableError):
                parse(**more)

    @pytest.mark.parametrize(
        ("more", "thinking"),
        [
            ({"reasoning_effort": "high"}, Thinking(effort="high")),
            ({"reasoning_effort": "none"}, Thinking(enabled=False, effort="none")),
            ({"reasoning": {"max_tokens": 2000, "exclude": True}}, Thinking(budget_tokens=2000, show=False)),
            ({"thinking": {"type": "disabled"}}, Thinking(enabled=False)),
            ({}, None),
        ],
    )
    def test_how_much_to_think(self, more: dict[str, Any], thinking: Thinking | None) -> None:
        assert parse(**more).thinking == thinking

    def test_functions_are_what_tools_were_called_before(self) -> None:
        messages = [
            {"role": "assistant", "content": None, "function_call": {"name": "bake", "arguments": "{}"}},
            {"role": "function", "name": "bake", "content": "done"},
        ]
        conversation = parse(messages=messages, functions=[{"name": "bake"}], function_call={"name": "bake"})
        (call,), (result,) = (turn.parts for turn in conversation.turns)
        assert isinstance(call, ToolCall)
        assert isinstance(result, ToolResult)
        assert call.id == result.call_id
        assert conversation.tools[0].name == "bake"
        assert conversation.tool_choice == ToolChoice("named", "bake")

    def test_sealed_reasoning_is_its_vendors(self) -> None:
        details = [
            {"type": "reasoning.text", "text": "Hm.", "signature": "c2VhbA==", "format": "anthropic-claude-v1"},
            {"type": "reasoning.summary", "summary": "Counting", "id": "rs_1", "format": "openai-responses-v1"},
            {"type": "reasoning.encrypted", "data": "Z2VoZWlt", "id": "rs_1", "format": "openai-responses-v1"},
        ]
        message = {"role": "assistant", "content": "One.", "reasoning": "Hm.", "reasoning_details": details}
        anthropic, openai, _ = parse(messages=[message]).turns[0].parts
        assert anthropic == Reasoning("Hm.", "anthropic", "c2VhbA==")
        assert openai == Reasoning("Counting", "openai", "Z2VoZWlt", "rs_1", is_summary=True)


class TestWriting:
    def test_answers_in_pieces_become_one_message_with_its_results_behind_it(self) -> None:
        """As Responses tells them: each call an item, a developer's word between a call and its result."""
        messages = written(
            user(Text("Go.")),
            assistant(Text("Two.")),
            assistant(ToolCall("a", "bake", "{}")),
            assistant(ToolCall("b", "bake", "")),
            Turn(Role.SYSTEM, (Text("Hurry."),)),
            user(ToolResult("a", (Text("1"),))),
            user(ToolResult("b", (Text("2"),))),
        )
        assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "user"]
        assert [call["id"] for call in messages[1]["tool_calls"]] == ["a", "b"]
        assert messages[1]["tool_calls"][1]["function"]["arguments"] == "{}"
        assert messages[4]["content"] == "<system-reminder>\nHurry.\n</system-reminder>"

    def test_openais_models_take_system_text_where_it_stands(self) -> None:
        turns = (user(Text("Go.")), Turn(Role.SYSTEM, (Text("Hurry."),)), user(Text("Now.")))
        assert [message["role"] for message in written(*turns, model="gpt-5.5")] == ["user", "system", "user"]
        assert [message["role"] for message in written(*turns)] == ["user", "user"]

    def test_pictures_in_results_come_behind_them(self) -> None:
        _, tool, shown = written(
            assistant(ToolCall("a", "look", "{}")), user(ToolResult("a", (Image(data="aGk=", media_type="image/png"),)))
        )
        assert tool["content"] == "[image: see the next message]"
        assert shown["content"][1]["image_url"]["url"] == "data:image/png;base64,aGk="

    def test_thoughts_go_back_only_while_their_calls_are_under_way(self) -> None:
        call, result = assistant(Reasoning("Hm."), ToolCall("a", "look", "{}")), user(ToolResult("a", (Text("1"),)))
        assert written(user(Text("Go.")), call, result)[1]["reasoning_content"] == "Hm."
        assert "reasoning_content" not in written(user(Text("Go.")), call, result, assistant(Text("One.")), user(Text("And?")))[1]

    def test_anothers_seal_is_lost_and_told(self) -> None:
        conversation = Conversation([assistant(Reasoning("Hm.", "anthropic", "c2VhbA=="), Text("One."))], dialect="messages")
        (message,) = CODEC.encode(conversation, "gpt-5.5")["messages"]
        assert message == {"role": "assistant", "content": "One."}
        assert [loss.what for loss in conversation.losses] == ["reasoning"]

    @pytest.mark.parametrize("part", [Image(file_id="f"), Document(url="https://example.org/x.pdf"), Document(file_id="f")])
    def test_what_cannot_be_sent_is_refused(self, part: Part) -> None:
        with pytest.raises(UntranslatableError):
            written(user(part))

    def test_documents_and_sounds(self) -> None:
        (message,) = written(user(Document(data="JVBERg==", name="a.pdf"), Document(text="flour", name="List"), Audio("aGk=", "wav")))
        assert message["content"] == [
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
            {"type": "text", "text": "List\n\nflour"},
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        ]

    @pytest.mark.parametrize(
        ("model", "name"),
        [
            ("gpt-5.5", "max_completion_tokens"),
            ("o4-mini", "max_completion_tokens"),
            ("gpt-4.1", "max_tokens"),
            ("gpt-oss-20b", "max_tokens"),
            ("qwen3-coder", "max_tokens"),
        ],
    )
    def test_the_limit_by_its_name(self, model: str, name: str) -> None:
        body = CODEC.encode(Conversation([user(Text("Hi"))], max_tokens=9, temperature=0.5, dialect="messages"), model)
        assert body[name] == 9
        assert ("temperature" in body) == (name == "max_tokens")

    @pytest.mark.parametrize(
        ("thinking", "effort"),
        [
            (Thinking(budget_tokens=4096), "low"),
            (Thinking(budget_tokens=31999), "high"),
            (Thinking(effort="max"), "high"),
            (Thinking(is_adaptive=True), None),
            (Thinking(enabled=False), None),
            (Thinking(enabled=False, effort="none"), "none"),
        ],
    )
    def test_how_much_to_think(self, thinking: Thinking, effort: str | None) -> None:
        body = CODEC.encode(Conversation([user(Text("Hi"))], thinking=thinking, dialect="messages"), "m")
        assert body.get("reasoning_effort") == effort

    def test_tools(self) -> None:
        raw = {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}}
        tools = (
            Tool("look", "Looks.", {"type": "object"}, namespace="files"),
            Tool("patch", kind="custom", raw=raw),
            Tool("search", kind="server", vendor="anthropic"),
        )
        conversation = Conversation([user(Text("Hi"))], tools=tools, tool_choice=ToolChoice("named", "look"), dialect="responses")
        body = CODEC.encode(conversation, "m")
        assert [tool["function"]["name"] for tool in body["tools"]] == ["files__look", "patch"]
        assert body["tool_choice"] == {"type": "function", "function": {"name": "files__look"}}
        assert "start: WORD" in body["tools"][1]["function"]["parameters"]["properties"]["input"]["description"]
        assert [loss.what for loss in conversation.losses] == ["tools[] search"]

    def test_only_allowed_tools_are_sent(self) -> None:
        tools = (Tool("look"), Tool("bake"))
        body = CODEC.encode(
            Conversation([user(Text("Hi"))], tools=tools, tool_choice=ToolChoice("required", None, ("bake",)), dialect="responses"), "m"
        )
        assert [tool["function"]["name"] for tool in body["tools"]] == ["bake"]
        assert body["tool_choice"] == "required"

    def test_long_names_and_ids_are_shortened_alike(self) -> None:
        long = "call_" + "x" * 60
        body = CODEC.encode(
            Conversation([assistant(ToolCall(long, "bake", "{}")), user(ToolResult(long, ()))], user="u" * 200, dialect="messages"), "m"
        )
        made, result = body["messages"]
        assert made["tool_calls"][0]["id"] == result["tool_call_id"]
        assert len(result["tool_call_id"]) <= 40
        assert len(body["user"]) == 64

    def test_another_upstreams_memory_is_refused(self) -> None:
        with pytest.raises(UntranslatableError, match="previous_response_id"):
            CODEC.encode(Conversation([user(Text("Hi"))], previous_response_id="resp_1", dialect="responses"), "m")

    def test_what_has_no_place_is_told(self) -> None:
        conversation = Conversation(
            [user(Text("Hi", {"type": "ephemeral"}))], top_k=5, metadata={"a": "b"}, more={"mcp_servers": []}, dialect="messages"
        )
        CODEC.encode(conversation, "m")
        assert {loss.what for loss in conversation.losses} == {"cache_control", "top_k", "metadata", "mcp_servers"}

    def test_a_schema_gets_the_name_that_it_needs(self) -> None:
        body = CODEC.encode(
            Conversation([user(Text("Hi"))], output=OutputFormat("json_schema", {"type": "object"}), dialect="messages"), "m"
        )
        assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
