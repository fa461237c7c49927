"""Requests in OpenAI's Responses format: read into a conversation, written again, and what is wrong with them named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.codecs import UntranslatableError
from providers.codecs.conversation import (
    Conversation,
    Document,
    Image,
    Loss,
    OutputFormat,
    Part,
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
from providers.codecs.responses import CODEC
from providers.dialects import BadRequestError
from tests import golden
from tests.recorded import requests_of, told

REQUESTS = requests_of("responses")
EVERY_REQUEST = pytest.mark.parametrize("name", sorted(REQUESTS))


def parse(**more: Any) -> Conversation:
    return CODEC.parse({"model": "m", "input": "Hi", **more})


@EVERY_REQUEST
def test_what_they_say(name: str) -> None:
    golden.check(f"responses/{name}.conversation.txt", told(CODEC.parse(REQUESTS[name]), "echo"))


@EVERY_REQUEST
def test_what_is_made_of_them(name: str) -> None:
    body = CODEC.encode(CODEC.parse(REQUESTS[name]), "gpt-6-sol")
    golden.check(f"responses/{name}.gpt-6-sol.json", golden.as_json(body))


@EVERY_REQUEST
def test_written_and_read_again_they_say_the_same(name: str) -> None:
    conversation = CODEC.parse(REQUESTS[name])
    again = CODEC.parse(CODEC.encode(conversation, "some-model"))
    again.losses = conversation.losses = []
    if name == "codex":  # the tools that a search found are declared with the others, and its result says no more
        assert again.turns[5].parts[2] != conversation.turns[5].parts[2]
        again.turns[5] = conversation.turns[5]
    assert again == conversation


# Members


@pytest.mark.parametrize(
    ("more", "thinking"),
    [
        ({}, None),
        ({"reasoning": None}, None),
        ({"reasoning": {}}, None),
        ({"reasoning": {"effort": "none", "summary": "auto"}}, Thinking(enabled=False, effort="none", summary="auto")),
        ({"reasoning": {"effort": "xhigh"}}, Thinking(effort="xhigh")),
        ({"reasoning": {"summary": "detailed"}, "include": ["reasoning.encrypted_content"]}, Thinking(summary="detailed", wants_seal=True)),
    ],
)
def test_thinking(more: dict[str, Any], thinking: Thinking | None) -> None:
    assert parse(**more).thinking == thinking


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("named", "f")),
        ({"type": "custom", "name": "c"}, ToolChoice("named", "c")),
        ({"type": "web_search"}, ToolChoice("named", "web_search")),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]},
         ToolChoice("auto", allowed=("f", "web_search"))),
    ],
)  # fmt: skip
def test_choice_of_tools(choice: Any, read: ToolChoice) -> None:
    tools = [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}, {"type": "web_search"}]
    conversation = parse(tools=tools, tool_choice=choice)
    assert conversation.tool_choice == read
    assert CODEC.encode(conversation, "m")["tool_choice"] == choice


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"input": [{"type": 5}]}, "input[0].type"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"input": [{"role": "user", "content": ["x"]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].file_id"),
        ({"input": [{"type": "function_call", "call_id": "c", "arguments": "{}"}]}, "input[0].name"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "reasoning", "summary": 5}]}, "input[0].summary"),
        ({"input": [{"type": "local_shell_call", "action": {}}]}, "input[0].id"),
        ({"tools": {}}, "tools"),
        ({"tools": [{}]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f", "parameters": 5}]}]},
         "tools[0].tools[0].parameters"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "tools": [5]}}, "tool_choice.tools[0]"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": 5}, "text"),
        ({"reasoning": "high"}, "reasoning"),
        ({"max_output_tokens": "9"}, "max_output_tokens"),
        ({"temperature": True}, "temperature"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"instructions": 5}, "instructions"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(data: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse(**data)
    assert caught.value.param == param
    assert f"`{param}`" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"id": "msg_1"}]}, "input[0]"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": "Hi"}, {"type": "compaction_trigger"}]}, "input[1]"),
    ],
)
def test_what_only_openai_keeps_is_refused_with_what_would_work(data: dict[str, Any], param: str) -> None:
    with pytest.raises(UntranslatableError) as caught:
        parse(**data)
    assert caught.value.param == param
    assert f"`{param}`" in str(caught.value)
    assert ": " in str(caught.value)


def test_other_servers_items_and_parts_are_kept_for_them() -> None:
    search = {"type": "web_search_call", "id": "ws", "status": "completed"}
    part = {"type": "input_hologram", "data": "x"}
    conversation = parse(input=[search, {"role": "user", "content": [part]}])
    assert CODEC.encode(conversation, "m")["input"] == [search, {"type": "message", "role": "user", "content": [part]}]


# Writing what others sent


def written(*parts: Part, role: Role = Role.USER, model: str = "gpt-6-sol", **more: Any) -> tuple[dict[str, Any], list[Loss]]:
    conversation = Conversation([Turn(role, parts)], dialect="messages", **more)
    return CODEC.encode(conversation, model), conversation.losses


def test_a_call_and_its_result_keep_one_id_however_long() -> None:
    long = "x" * 200
    conversation = Conversation([Turn(Role.ASSISTANT, (ToolCall(long, "f", ""),)), Turn(Role.USER, (ToolResult(long, (Text("ok"),)),))])
    call, result = CODEC.encode(conversation, "m")["input"]
    assert call["call_id"] == result["call_id"]
    assert len(call["call_id"]) <= 64
    assert (call["arguments"], result["output"]) == ("{}", "ok")


def test_the_result_of_a_custom_call_is_a_custom_one() -> None:
    call = ToolCall("c1", "patch", "text", kind="custom")
    conversation = Conversation([Turn(Role.ASSISTANT, (call,)), Turn(Role.USER, (ToolResult("c1", (Text("ok"),)), Text("Go on")))])
    items = CODEC.encode(conversation, "m")["input"]
    assert [item["type"] for item in items] == ["custom_tool_call", "custom_tool_call_output", "message"]


def test_what_was_said_stands_around_the_calls() -> None:
    body, lost = written(Text("a"), ToolCall("1", "f", "{}"), Text("b"), Refused("c"), role=Role.ASSISTANT)
    assert [item.get("content", item.get("name")) for item in body["input"]] == [
        [{"type": "output_text", "text": "a"}],
        "f",
        [{"type": "output_text", "text": "b"}, {"type": "refusal", "refusal": "c"}],
    ]
    assert not lost


@pytest.mark.parametrize(
    ("reasoning", "model", "item"),
    [
        (Reasoning("t", "openai", "seal", "rs_1"), "gpt-6-sol",
         {"type": "reasoning", "summary": [{"type": "summary_text", "text": "t"}], "id": "rs_1", "encrypted_content": "seal"}),
        (Reasoning("t", "anthropic", "seal"), "gpt-6-sol", None),
        (Reasoning("t"), "gpt-6-sol", None),
        (Reasoning("t"), "qwen3-coder", {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "t"}]}),
    ],
)  # fmt: skip
def test_reasoning_goes_back_to_who_can_read_it(reasoning: Reasoning, model: str, item: dict[str, Any] | None) -> None:
    body, lost = written(reasoning, Text("x"), role=Role.ASSISTANT, model=model)
    assert body["input"][:-1] == ([item] if item else [])
    assert [loss.what for loss in lost] == ([] if item else ["reasoning"])


@pytest.mark.parametrize("seal", ["", "a.b.c"])
@pytest.mark.parametrize("is_redacted", [True, False])
def test_the_seals_of_others_come_back_from_the_client(seal: str, is_redacted: bool) -> None:
    from_client = {
        "type": "reasoning", "id": "rs_x", "summary": [{"type": "summary_text", "text": "t"}],
        "encrypted_content": f"donut.anthropic.{'redacted' if is_redacted else ''}.{seal}",
    }  # fmt: skip
    (turn,) = parse(input=[from_client]).turns
    assert turn.parts == (Reasoning("t", "anthropic", seal or None, is_redacted=is_redacted),)


def test_media() -> None:
    parts = (
        Image(data="aQ==", media_type="image/gif"),
        Image(url="https://e/x.png", detail="low"),
        Document(data="aQ=="),
        Document(text="words", name="notes"),
    )
    body, lost = written(*parts, ToolResult("c", (Image(data="aQ=="),)))
    message, result = body["input"]
    assert message["content"] == [
        {"type": "input_image", "image_url": "data:image/gif;base64,aQ=="},
        {"type": "input_image", "image_url": "https://e/x.png", "detail": "low"},
        {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,aQ=="},
        {"type": "input_text", "text": "notes\n\nwords"},
    ]
    assert result["output"] == [{"type": "input_image", "image_url": "data:image/png;base64,aQ=="}]
    assert not lost


def test_files_of_others_and_stops_and_many_answers_are_refused() -> None:
    for part, more, param in (
        (Image(file_id="f"), {}, "file_id"),
        (Text("x"), {"stop": ("END",)}, "stop"),
        (Text("x"), {"answers": 2}, "n"),
    ):
        with pytest.raises(UntranslatableError) as caught:
            written(part, **more)
        assert caught.value.param == param


def test_what_has_no_member_is_noted_once() -> None:
    conversation = Conversation(
        [Turn(Role.USER, (Text("x"),), name="Ann"), Turn(Role.USER, (ToolResult("c", (), is_error=True),))],
        top_k=5, seed=1, frequency_penalty=0.5, temperature=0.3, max_tokens=1, service_tier="batch", more={"logit_bias": {}},
        dialect="chat",
    )  # fmt: skip
    CODEC.encode(conversation, "gpt-6-sol")
    body = CODEC.encode(conversation, "gpt-6-sol")
    assert [loss.what for loss in conversation.losses] == [
        "messages[].name", "tool_result.is_error", "max_tokens", "temperature", "service_tier", "top_k", "seed", "frequency_penalty",
        "logit_bias",
    ]  # fmt: skip
    assert body["max_output_tokens"] == 16
    assert "temperature" not in body


@pytest.mark.parametrize(
    ("model", "thinking", "sent"),
    [
        ("gpt-4.1", None, 0.3),
        ("gpt-5.1-chat-latest", None, 0.3),
        ("openai/gpt-5.5", None, None),
        ("gpt-5.5", Thinking(enabled=False), 0.3),
        ("o4-mini", None, None),
        ("openai/gpt-oss-120b", None, 0.3),
        ("qwen3-coder", Thinking(effort="high"), 0.3),
    ],
)
def test_models_that_reason_take_no_temperature(model: str, thinking: Thinking | None, sent: float | None) -> None:
    body, _ = written(Text("x"), model=model, thinking=thinking, temperature=0.3)
    assert body.get("temperature") == sent


@pytest.mark.parametrize(
    ("thinking", "reasoning"),
    [
        (Thinking(budget_tokens=8192), {"effort": "medium", "summary": "auto"}),
        (Thinking(budget_tokens=20000, show=False), {"effort": "high"}),
        (Thinking(is_adaptive=True, effort="max"), {"effort": "max", "summary": "auto"}),
        (Thinking(enabled=False), {"effort": "none"}),
    ],
)
def test_budgets_become_efforts(thinking: Thinking, reasoning: dict[str, Any]) -> None:
    body, lost = written(Text("x"), thinking=thinking)
    assert body["reasoning"] == reasoning
    assert body.get("include") == (["reasoning.encrypted_content"] if thinking.enabled else None)
    assert body["store"] is False
    assert not lost


def test_tools_of_others() -> None:
    grammar = {"syntax": "regex", "definition": "a"}
    tools = (
        Tool("f", schema=None, strict=None),
        Tool("c", kind="custom", raw={"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": grammar}}}),
        Tool("web_search", kind="server", vendor="anthropic", raw={"type": "web_search_20250305", "name": "web_search"}),
    )  # fmt: skip
    body, lost = written(Text("x"), tools=tools, parallel_tool_calls=False, user="u" * 100)
    assert body["tools"] == [
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False},
        {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "regex", "definition": "a"}},
    ]
    assert body["parallel_tool_calls"] is False
    assert len(body["user"]) == 64
    assert [loss.what for loss in lost] == ["tools[] web_search"]


# Any conversation

WORDS = st.text(min_size=1, max_size=8)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


def made(kind: Callable[..., Any], /, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`kind` with these members; `st.builds` would think of more."""
    return st.fixed_dictionaries(members).map(lambda drawn: kind(**drawn))


PNG = st.just("image/png")
GIVEN: st.SearchStrategy[Part] = st.one_of(
    made(Text, text=WORDS),
    made(Image, data=st.just("aQ=="), media_type=PNG, detail=st.none() | st.just("low")),
    made(Image, url=st.just("https://e/x")),
    made(Document, data=st.just("aQ=="), media_type=st.just("application/pdf"), name=NAMES),
)
SAID: st.SearchStrategy[Part] = st.one_of(
    made(Text, text=WORDS),
    made(Refused, text=WORDS),
    made(Reasoning, text=WORDS, vendor=st.just("openai"), seal=NAMES, id=st.none() | NAMES, is_summary=st.just(True)),
    made(ToolCall, id=NAMES, name=NAMES, arguments=st.just('{"a": 1}'), namespace=st.none() | NAMES, item_id=st.none() | NAMES),
    made(ToolCall, id=NAMES.map("custom_{}".format), name=NAMES, arguments=WORDS, kind=st.just("custom")),
)
RESULTS = made(ToolResult, call_id=NAMES.map("other_{}".format), parts=st.lists(made(Text, text=WORDS), min_size=1, max_size=2).map(tuple))
TURNS = st.lists(
    st.one_of(
        made(Turn, role=st.sampled_from([Role.USER, Role.SYSTEM]), parts=st.lists(GIVEN, min_size=1, max_size=3).map(tuple)),
        made(Turn, role=st.just(Role.ASSISTANT), parts=st.lists(SAID, min_size=1, max_size=4).map(tuple)),
        made(Turn, role=st.just(Role.USER), parts=st.lists(RESULTS, min_size=1, max_size=3).map(tuple)),
    ),
    min_size=1,
    max_size=6,
)
SCHEMA = st.just({"type": "object", "properties": {"a": {}}})
TOOLS = st.lists(
    made(Tool, name=NAMES, description=st.none() | WORDS, schema=SCHEMA, strict=st.booleans(), namespace=st.none() | NAMES),
    max_size=3,
    unique_by=lambda tool: (tool.name, tool.namespace),
).map(tuple)
THINKING = made(Thinking, effort=st.sampled_from(["low", "high"]), summary=st.none() | st.just("auto"), wants_seal=st.booleans())
OUTPUT = made(
    OutputFormat,
    kind=st.just("json_schema"),
    schema=SCHEMA,
    name=NAMES,
    strict=st.none() | st.booleans(),
    description=st.none() | WORDS,
)
NUMBERS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"max_tokens": st.integers(1, 99), "temperature": st.floats(0, 2), "top_p": st.floats(0, 1), "stream": st.booleans()}
)


def folded(turns: list[Turn]) -> list[Turn]:
    """Neighbours that the format does not tell apart, as one turn."""
    found: list[Turn] = []
    for turn in turns:
        kind = (turn.role, isinstance(turn.parts[0], ToolResult))
        last = found[-1] if found else None
        if last and kind == (last.role, isinstance(last.parts[0], ToolResult)) and (turn.role is Role.ASSISTANT or kind[1]):
            found[-1] = Turn(turn.role, (*last.parts, *turn.parts))
        else:
            found.append(turn)
    return found


@settings(max_examples=150, deadline=None)
@given(turns=TURNS, tools=TOOLS, thinking=st.none() | THINKING, output=st.just(OutputFormat()) | OUTPUT, numbers=NUMBERS)
def test_any_conversation_survives(
    turns: list[Turn], tools: tuple[Tool, ...], thinking: Thinking | None, output: OutputFormat, numbers: dict[str, Any]
) -> None:
    conversation = Conversation(
        folded(turns), tools=tools, thinking=thinking, output=output, store=False, wants_usage=True, dialect="responses", **numbers
    )
    body = orjson.loads(orjson.dumps(CODEC.encode(conversation, "some-model")))
    again = CODEC.parse(body)
    again.tools = tuple(tool._replace(raw=None) for tool in again.tools)
    assert (again, again.losses) == (conversation, [])


KINDS = [
    "message", "reasoning", "function_call", "function_call_output", "local_shell_call", "additional_tools", "tool_search_output",
    "namespace", "input_text", "input_image", "input_file", "user", "assistant", "auto", "x", "function",
]  # fmt: skip
KEYS = ["type", "role", "content", "output", "call_id", "name", "id", "text", "format", "tools", "summary", "action", "arguments"]
MEMBERS = ["input", "tools", "tool_choice", "text", "reasoning", "include", "instructions", "metadata", "user", "store"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(MEMBERS), ANYTHING))
def test_whatever_comes_is_read_or_refused_in_words(data: dict[str, Any]) -> None:
    refusal = None
    try:
        conversation = CODEC.parse({"model": "m", **data})
    except (BadRequestError, UntranslatableError) as error:
        refusal = error
    else:
        orjson.dumps(CODEC.encode(conversation, "m"))
    assert refusal is None or refusal.param
