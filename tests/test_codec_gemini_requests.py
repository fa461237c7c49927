"""Requests in Google's format: read into a conversation, written again, and what is wrong with them named."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.codecs import UntranslatableError
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
from providers.codecs.gemini import CODEC
from providers.codecs.gemini.schemas import json_schema, refs_alone
from providers.codecs.gemini.seals import UNSEALED
from providers.dialects import BadRequestError
from tests import golden
from tests.recorded import requests_of, told

REQUESTS = requests_of("gemini")
EVERY_REQUEST = pytest.mark.parametrize("name", sorted(REQUESTS))
HELLO = [{"role": "user", "parts": [{"text": "Hi"}]}]
NEW, OLD = "gemini-3.8-flash", "gemini-2.5-pro"


def parse(**more: Any) -> Conversation:
    return CODEC.parse({"model": NEW, "stream": False, "contents": HELLO, **more})


def config(**members: Any) -> Conversation:
    return parse(generationConfig=members)


@EVERY_REQUEST
def test_what_they_say(name: str) -> None:
    golden.check(f"gemini/{name}.conversation.txt", told(CODEC.parse({"model": NEW, "stream": True, "alt": "sse", **REQUESTS[name]})))


@EVERY_REQUEST
@pytest.mark.parametrize("model", [NEW, OLD])
def test_what_is_made_of_them_for_two_generations(name: str, model: str) -> None:
    golden.check(f"gemini/{name}.{model}.json", golden.as_json(CODEC.encode(CODEC.parse({"model": model, **REQUESTS[name]}), model)))


@EVERY_REQUEST
def test_what_is_written_is_read_as_the_same(name: str) -> None:
    first = CODEC.parse({"model": NEW, **REQUESTS[name]})
    again = CODEC.parse({"model": NEW, **orjson.loads(orjson.dumps(CODEC.encode(first, NEW)))})
    parts = [[part for turn in each.turns for part in turn.parts if not isinstance(part, Audio | Document)] for each in (first, again)]
    assert len(parts[0]) == len(parts[1])
    assert [type(part) for part in parts[0]] == [type(part) for part in parts[1]]
    assert [tool._replace(raw=None) for tool in again.tools] == [tool._replace(raw=None) for tool in first.tools]
    skipped = ("turns", "tools", "losses", "thinking")  # a budget comes back as a level
    names = [name for name in Conversation([]).__slots__ if name not in skipped]
    assert {name: getattr(again, name) for name in names} == {name: getattr(first, name) for name in names}


def test_the_harness_loses_nothing() -> None:
    sent = REQUESTS["cli_turn"]
    got = CODEC.encode(CODEC.parse({"model": NEW, **sent}), NEW)
    assert got["generationConfig"] == sent["generationConfig"]
    assert got["tools"] == sent["tools"]
    assert got["contents"] == [{"role": each["role"], "parts": each["parts"]} for each in sent["contents"]]


# Reading


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        ({"thinkingBudget": 0}, Thinking(enabled=False)),
        ({"thinkingBudget": -1, "includeThoughts": True}, Thinking(is_adaptive=True, show=True)),
        ({"thinkingBudget": 2048}, Thinking(budget_tokens=2048)),
        ({"thinkingLevel": "LOW", "includeThoughts": False}, Thinking(effort="low", show=False)),
        ({"includeThoughts": True}, Thinking(show=True)),
    ],
)
def test_thinking_is_read(thinking: dict[str, Any], expected: Thinking) -> None:
    assert config(thinkingConfig=thinking).thinking == expected


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({}, ToolChoice("auto")),
        ({"mode": "NONE"}, ToolChoice("none")),
        ({"mode": "any"}, ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["a"]}, ToolChoice("named", "a")),
        ({"mode": "ANY", "allowedFunctionNames": ["a", "b"]}, ToolChoice("required", allowed=("a", "b"))),
    ],
)
def test_tool_choice_there_and_back(calling: dict[str, Any], choice: ToolChoice) -> None:
    functions = [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}]
    conversation = parse(tools=functions, toolConfig={"functionCallingConfig": calling})
    assert conversation.tool_choice == choice
    again = CODEC.parse({"model": NEW, **CODEC.encode(conversation, NEW)})
    assert again.tool_choice == choice


def test_output_formats() -> None:
    assert config(responseMimeType="application/json").output == OutputFormat("json_object")
    assert config(responseMimeType="application/json", responseSchema={"type": "STRING"}).output == OutputFormat(
        "json_schema", {"type": "string"}
    )
    assert config(responseMimeType="text/plain").output == OutputFormat()


def test_calls_without_ids_are_told_apart_by_name_and_order() -> None:
    def called(name: str, **more: Any) -> dict[str, Any]:
        return {"functionCall": {"name": name, "args": {}, **more}}

    def answered(name: str, text: str, **more: Any) -> dict[str, Any]:
        return {"functionResponse": {"name": name, "response": {"output": text}, **more}}

    contents = [
        *HELLO,
        {"role": "model", "parts": [called("a"), called("b"), called("a"), called("c", id="x")]},
        {"role": "user", "parts": [answered("b", "1"), answered("a", "2"), answered("a", "3"), answered("c", "4", id="x")]},
        {"role": "model", "parts": [called("c", id="x")]},
        {"role": "user", "parts": [answered("c", "5", id="x"), answered("z", "6")]},
    ]
    conversation = parse(contents=contents)
    calls = [part.id for turn in conversation.turns for part in turn.parts if isinstance(part, ToolCall)]
    assert calls == ["call_1", "call_2", "call_3", "x", "x_5"], "an id that comes again is another call's"
    results = [(part.call_id, part.parts[0]) for turn in conversation.turns for part in turn.parts if isinstance(part, ToolResult)]
    expected = [("call_2", "1"), ("call_1", "2"), ("call_3", "3"), ("x", "4"), ("x_5", "5"), ("call_6", "6")]
    assert results == [(call_id, Text(text)) for call_id, text in expected]
    assert parse(contents=contents[:3]).turns == conversation.turns[:3], "an upstream's cache knows the beginning again"


def test_schemas() -> None:
    kind = {"type": "STRING", "nullable": True, "enum": ["A"]}
    schema: dict[str, Any] = {
        "type": "OBJECT",
        "nullable": True,
        "properties": {"type": kind, "default": {"any_of": [{"type": "NULL"}]}},
        "required": ["type"],
        "property_ordering": ["type"],
        "maxProperties": "3",
        "default": {"nullable": True},
    }
    assert json_schema(schema) == {
        "type": ["object", "null"],
        "properties": {"type": {"type": ["string", "null"], "enum": ["A", None]}, "default": {"anyOf": [{"type": "null"}]}},
        "required": ["type"],
        "maxProperties": 3,
        "default": {"nullable": True},
    }
    assert json_schema(json_schema(schema)) == json_schema(schema)
    told = {
        "type": "object",
        "properties": {"p": {"$ref": "#/$defs/P", "description": "x"}},
        "$defs": {"P": {"type": "string", "title": "P"}},
    }
    assert refs_alone(told)["properties"] == {"p": {"$ref": "#/$defs/P"}}
    assert refs_alone(told)["$defs"] == told["$defs"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"contents": 5}, "contents"),
        ({"contents": [5]}, "contents[0]"),
        ({"contents": [{"role": "robot", "parts": []}]}, "contents[0]"),
        ({"contents": [{"parts": "x"}]}, "contents[0].parts"),
        ({"contents": [{"parts": [5]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"functionCall": {}}]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"inlineData": 5}]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"functionResponse": {"name": "a", "response": 5}}]}]}, "contents[0].parts[0]"),
        ({"tools": 5}, "tools"),
        ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0]"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, "toolConfig.functionCallingConfig.mode"),
        ({"generationConfig": 5}, "generationConfig"),
        ({"generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        ({"generationConfig": {"maxOutputTokens": 1.5}}, "generationConfig.maxOutputTokens"),
        ({"generationConfig": {"stopSequences": "x"}}, "generationConfig.stopSequences"),
        ({"generationConfig": {"responseModalities": ["IMAGE"]}}, "generationConfig.responseModalities"),
        ({"cachedContent": "cachedContents/1"}, "cachedContent"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse(**body)
    assert caught.value.param == param


# Writing


def conversation(*turns: Turn, **more: Any) -> Conversation:
    return Conversation(list(turns), dialect="chat", **more)


def user(*parts: Part | str) -> Turn:
    return Turn(Role.USER, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def model(*parts: Part | str) -> Turn:
    return user(*parts)._replace(role=Role.ASSISTANT)


def system(text: str) -> Turn:
    return Turn(Role.SYSTEM, (Text(text),))


def call(id_: str, seal: str | None = None) -> ToolCall:
    return ToolCall(id_, "look", "{}", seal=seal)


def result(id_: str) -> ToolResult:
    return ToolResult(id_, (Text(id_),))


def contents(*turns: Turn, name: str = NEW) -> list[list[str]]:
    """What stands in the contents, in short: a list per content, the role first."""
    shown = []
    for content in CODEC.encode(conversation(*turns), name)["contents"]:
        parts = [
            part.get("text")
            or (f"call {part['functionCall']['id']}" if "functionCall" in part else f"result {part['functionResponse']['id']}")
            for part in content["parts"]
        ]
        shown.append([content["role"], *parts])
    return shown


def test_results_come_right_behind_their_calls_one_each() -> None:
    got = contents(user("go"), model(call("a")), model(call("b"), call("c")), system("hurry"), user(result("c"), "so?"), user(result("a")))
    reminder = "<system_message>\nhurry\n</system_message>"
    assert got == [
        ["user", "go"],
        ["model", "call a", "call b", "call c"],
        ["user", "result a", "result b", "result c", reminder, "so?"],
    ] or got == [
        ["user", "go"],
        ["model", "call a", "call b", "call c"],
        ["user", "result a", "result b", "result c", "so?", reminder],
    ]


def test_the_user_begins() -> None:
    assert contents(system("s"), model("hello"), user("x"))[0][0] == "user"
    assert contents(system("s")) == [["user", "s"]]


def test_a_result_of_no_call_is_text() -> None:
    assert contents(user("go"), user(result("lost"))) == [["user", "go", "lost"]]


def signatures(*parts: Part, name: str = NEW) -> list[str | None]:
    body = CODEC.encode(
        conversation(user("go"), model(*parts), user(*(result(part.id) for part in parts if isinstance(part, ToolCall)))), name
    )
    return [part.get("thoughtSignature") for part in body["contents"][1]["parts"] if "functionCall" in part]


def test_calls_carry_their_seals_from_wherever_they_came() -> None:
    sealed = Reasoning("", "gemini", "c2Vh", is_summary=True)
    assert signatures(call("a", "bA=="), call("b")) == ["bA==", None]
    assert signatures(sealed, call("a"), call("b")) == ["c2Vh", None]
    assert signatures(sealed, call("a", "c2Vh")) == ["c2Vh"]
    assert signatures(call("a"), call("b")) == [UNSEALED, None], "the newest models refuse a first call without any"
    assert signatures(Reasoning("hm", "anthropic", "x"), call("a")) == [UNSEALED]
    assert signatures(call("a"), name=OLD) == [None]


@pytest.mark.parametrize(
    ("thinking", "name", "expected"),
    [
        (Thinking(effort="high"), NEW, {"thinkingLevel": "HIGH", "includeThoughts": True}),
        (Thinking(budget_tokens=8192, show=False), NEW, {"thinkingLevel": "MEDIUM"}),
        (Thinking(enabled=False), NEW, {"thinkingLevel": "MINIMAL"}),
        (Thinking(effort="none"), "gemini-3.1-pro-preview", {"thinkingLevel": "LOW"}),
        (Thinking(is_adaptive=True), NEW, {"includeThoughts": True}),
        (Thinking(is_adaptive=True), OLD, {"thinkingBudget": -1, "includeThoughts": True}),
        (Thinking(effort="max"), OLD, {"thinkingBudget": 32768, "includeThoughts": True}),
        (Thinking(enabled=False), OLD, {"thinkingBudget": 128}),
        (Thinking(enabled=False), "gemini-2.5-flash", {"thinkingBudget": 0}),
        (Thinking(budget_tokens=64), "gemini-2.5-flash-lite", {"thinkingBudget": 512, "includeThoughts": True}),
        (Thinking(effort="high"), "gemma-3-27b-it", None),
        (Thinking(effort="high"), "gemini-2.0-flash", None),
        (None, NEW, None),
    ],
)
def test_thinking_is_written(thinking: Thinking | None, name: str, expected: dict[str, Any] | None) -> None:
    asked = conversation(user("x"), thinking=thinking)
    assert CODEC.encode(asked, name).get("generationConfig", {}).get("thinkingConfig") == expected
    assert (expected is None and thinking is not None) == any(loss.what == "thinking" for loss in asked.losses)


def test_a_json_format_beside_tools_is_asked_for_in_words_where_it_must() -> None:
    def asked(name: str) -> tuple[dict[str, Any], Conversation]:
        wanted = conversation(user("x"), tools=(Tool("a"),), output=OutputFormat("json_schema", {"type": "object"}))
        return CODEC.encode(wanted, name), wanted

    body, wanted = asked(NEW)
    assert body["generationConfig"] == {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}
    assert wanted.losses == []
    body, wanted = asked(OLD)
    assert "generationConfig" not in body
    assert '{"type":"object"}' in body["systemInstruction"]["parts"][0]["text"]
    assert [loss.what for loss in wanted.losses] == ["response_format"]


def test_media() -> None:
    parts = CODEC.encode(
        conversation(
            user(
                Image(data="aaaa"),
                Image(url="https://example.org/a.png?x=1"),
                Document(data="JVBERg==", name="a.pdf"),
                Document(data="w6k=", media_type="text/plain", name="e.txt"),
                Document(url="https://example.org/b"),
            )
        ),
        NEW,
    )["contents"][0]["parts"]
    assert parts == [
        {"inlineData": {"mimeType": "image/jpeg", "data": "aaaa"}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://example.org/a.png?x=1"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}},
        {"text": "e.txt:\né"},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.org/b"}},
    ]


@pytest.mark.parametrize("name", [NEW, OLD])
def test_pictures_in_results_stand_where_the_model_sees_them(name: str) -> None:
    shown = ToolResult("a", (Text("see"), Image(data="aaaa", media_type="image/png")))
    answered, *beside = CODEC.encode(conversation(user("go"), model(call("a")), user(shown)), name)["contents"][2]["parts"]
    picture = {"inlineData": {"mimeType": "image/png", "data": "aaaa"}}
    assert (answered["functionResponse"].get("parts"), beside) == (([picture], []) if name == NEW else (None, [picture]))


@pytest.mark.parametrize(
    ("more", "param"),
    [({"answers": 2}, "n"), ({"previous_response_id": "r"}, "previous_response_id"), ({"stop": tuple("abcdef")}, "stop")],
)
def test_what_would_be_another_request_is_refused(more: dict[str, Any], param: str) -> None:
    with pytest.raises(UntranslatableError) as caught:
        CODEC.encode(conversation(user("x"), **more), NEW)
    assert caught.value.param == param
    with pytest.raises(UntranslatableError):
        CODEC.encode(conversation(user(Image(file_id="file-1"))), NEW)


def test_losses_are_told_once() -> None:
    asked = conversation(
        user(Text("x", cache={"type": "ephemeral"})),
        model(Reasoning("hm")),
        user("y"),
        tools=(Tool("a", strict=True), Tool("web", kind="server", vendor="openai")),
        parallel_tool_calls=False,
        user="u",
        verbosity="low",
        service_tier="flex",
        more={"logit_bias": {}},
    )
    for _ in range(2):
        CODEC.encode(asked, NEW)
    lost = [loss.what for loss in asked.losses]
    assert sorted(lost) == [
        "cache_control",
        "logit_bias",
        "parallel_tool_calls",
        "reasoning",
        "service_tier",
        "tools[] web",
        "tools[].strict",
        "user",
        "verbosity",
    ]
    assert all(loss.why for loss in asked.losses)
