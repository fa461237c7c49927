"""Requests in Anthropic's format: read into a conversation, written again, and what is wrong with them named."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.codecs.conversation import Conversation, Loss, OutputFormat, Thinking, ToolChoice
from providers.codecs.messages import CODEC
from providers.dialects import BadRequestError
from tests import golden
from tests.recorded import requests_of, told

REQUESTS = requests_of("messages")
EVERY_REQUEST = pytest.mark.parametrize("name", sorted(REQUESTS))
HELLO = [{"role": "user", "content": "Hi"}]


def parse(**more: Any) -> Conversation:
    return CODEC.parse({"model": "m", "max_tokens": 9, "messages": HELLO, **more})


@EVERY_REQUEST
def test_what_they_say(name: str) -> None:
    golden.check(f"messages/{name}.conversation.txt", told(CODEC.parse(REQUESTS[name])))


@EVERY_REQUEST
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-4-5", "qwen3-coder"])
def test_what_is_made_of_them_for_three_generations(name: str, model: str) -> None:
    body = CODEC.encode(CODEC.parse(REQUESTS[name]), model)
    golden.check(f"messages/{name}.{model}.json", golden.as_json(body))


def test_nothing_is_dropped_for_a_model_that_takes_it_all() -> None:
    sent, got = REQUESTS["claude_code"], CODEC.encode(CODEC.parse(REQUESTS["claude_code"]), "claude-opus-5-5")
    assert got.keys() == sent.keys()
    same = ("max_tokens", "system", "metadata", "context_management", "output_config", "stream")
    assert {key: got[key] for key in same} == {key: sent[key] for key in same}


# Members


@pytest.mark.parametrize(
    ("more", "thinking"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, Thinking(enabled=False)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Thinking(budget_tokens=2048)),
        ({"thinking": {"type": "adaptive"}}, Thinking(is_adaptive=True)),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Thinking(is_adaptive=True, show=False)),
        ({"thinking": {"type": "adaptive", "display": "updates"}, "output_config": {"effort": "max"}},
         Thinking(is_adaptive=True, effort="max", show=True)),
        ({"output_config": {"effort": "low"}}, Thinking(effort="low")),
    ],
)  # fmt: skip
def test_thinking(more: dict[str, Any], thinking: Thinking | None) -> None:
    assert parse(**more).thinking == thinking


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ({"type": "auto"}, ToolChoice(), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "none"}, ToolChoice("none"), None),
        ({"type": "tool", "name": "x"}, ToolChoice("named", "x"), None),
    ],
)
def test_tool_choice(choice: dict[str, Any], expected: ToolChoice, parallel: bool | None) -> None:
    conversation = parse(tool_choice=choice)
    assert (conversation.tool_choice, conversation.parallel_tool_calls) == (expected, parallel)


@pytest.mark.parametrize("member", ["output_config", "output_format"])
def test_structured_output_under_both_of_its_names(member: str) -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    more = {member: {"format": wanted} if member == "output_config" else wanted}
    assert parse(**more).output == OutputFormat("json_schema", {"type": "object"}, strict=True)


def test_what_only_anthropic_knows_is_kept_for_it_and_named() -> None:
    conversation = parse(
        container="c1",
        betas=None,
        tools=[{"name": "a", "input_schema": {}, "defer_loading": True}, {"name": "b", "input_schema": {}, "defer_loading": True}],
    )
    assert conversation.more == {"container": "c1"}
    assert conversation.losses == [Loss("tools[].defer_loading", "only Anthropic's format has it")]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": [5]}, "messages[0]"),
        ({"messages": [{"role": "judge", "content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": 5}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "x"}]}]}, "messages[0].content[0]"),
        ({"system": 5}, "system"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"description": "x"}]}, "tools[0]"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": True}, "thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, "budget_tokens"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"metadata": "x"}, "metadata"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ],
)
def test_what_is_wrong_is_named(more: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse(**more)
    assert caught.value.param == param
    assert f"`{param}" in str(caught.value)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "source", "data", "id", "name", "input", "tool_use_id", "citations"]),
            inner | st.sampled_from(["user", "assistant", "text", "image", "document", "tool_use", "tool_result", "thinking", "base64"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    data=st.fixed_dictionaries(
        {"messages": st.lists(ODD, max_size=3)},
        optional=dict.fromkeys(("system", "tools", "tool_choice", "thinking", "output_config", "metadata", "service_tier"), ODD),
    )
)
def test_any_body_is_read_or_refused(data: dict[str, Any]) -> None:
    try:
        conversation = CODEC.parse(data)
    except BadRequestError:
        return
    orjson.dumps(CODEC.encode(conversation, "claude-opus-5"))


# There and back: bodies in the spelling that the encoder prefers

WORDS = st.text(min_size=1, max_size=8).filter(lambda text: text.strip() == text and not text.startswith("x-anthropic"))
CACHE = st.sampled_from([{}, {}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}])


def blocks(*kinds: st.SearchStrategy[dict[str, Any]], at_least: int = 1) -> st.SearchStrategy[list[dict[str, Any]]]:
    cached = st.builds(lambda block, cache: {**block, **cache}, st.one_of(*kinds), CACHE)
    return st.lists(cached, min_size=at_least, max_size=3)


TEXT = st.builds(lambda text: {"type": "text", "text": text}, WORDS)
SOURCES = st.sampled_from(
    [
        {"type": "base64", "media_type": "image/png", "data": "aaaa"},
        {"type": "url", "url": "https://donut.example/a.png"},
        {"type": "file", "file_id": "file_1"},
    ]
)
IMAGE = st.builds(lambda source: {"type": "image", "source": source}, SOURCES)
DOCUMENT = st.builds(
    lambda source, title: {"type": "document", "source": source, **title},
    st.sampled_from(
        [
            {"type": "base64", "media_type": "application/pdf", "data": "aaaa"},
            {"type": "text", "media_type": "text/plain", "data": "Plain."},
            {"type": "url", "url": "https://donut.example/a.pdf"},
        ]
    ),
    st.sampled_from([{}, {"title": "Menu"}]),
)
THINKING = st.sampled_from(
    [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "thinking", "thinking": "", "signature": "c2ln"}]
)
REDACTED = st.just({"type": "redacted_thinking", "data": "bm8="})
FOREIGN = st.just({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "donut"}})


def collapsed(content: list[dict[str, Any]]) -> Any:
    return content[0]["text"] if len(content) == 1 and content[0].keys() == {"type", "text"} else content


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Turn about, each call answered in the next message."""
    messages = [{"role": "user", "content": collapsed(draw(blocks(TEXT, IMAGE, DOCUMENT)))}]
    for number in range(draw(st.integers(0, 3))):
        calls = [
            {"type": "tool_use", "id": f"toolu_{number}_{each}", "name": draw(st.sampled_from("ab")), "input": draw(INPUTS)}
            for each in range(draw(st.integers(0, 2)))
        ]
        said = draw(blocks(TEXT, FOREIGN, at_least=0 if calls else 1))
        thought = draw(st.lists(THINKING | REDACTED, max_size=2))
        messages.append({"role": "assistant", "content": collapsed([*thought, *said, *calls])})
        results = [
            {
                "type": "tool_result",
                "tool_use_id": call["id"],
                "content": collapsed(draw(blocks(TEXT, IMAGE))),
                **draw(FAILED),
                **draw(CACHE),
            }
            for call in calls
        ]
        messages.append({"role": "user", "content": collapsed([*results, *draw(blocks(TEXT, at_least=0 if results else 1))])})
        if draw(st.booleans()):
            messages += [{"role": "system", "content": draw(WORDS)}, {"role": "assistant", "content": draw(WORDS)}]
            messages.append({"role": "user", "content": draw(WORDS)})
    return messages


INPUTS = st.dictionaries(WORDS, st.none() | st.integers(-9, 9) | WORDS | st.lists(WORDS, max_size=2), max_size=2)
FAILED = st.sampled_from([{}, {"is_error": True}])
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "additionalProperties": False}
TOOLS = st.lists(
    st.builds(
        lambda name, more, cache: {"name": name, **more, "input_schema": SCHEMA, **cache},
        st.sampled_from("ab"),
        st.sampled_from([{}, {"description": "Does."}]),
        CACHE,
    )
    | st.just({"type": "web_search_20250305", "name": "web_search", "max_uses": 3}),
    min_size=1,
    max_size=3,
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    optional: dict[str, Any] = {
        "system": blocks(TEXT),
        "tools": TOOLS,
        "stop_sequences": st.lists(WORDS, min_size=1, max_size=2),
        "metadata": st.just({"user_id": "baker"}),
        "service_tier": st.sampled_from(["auto", "standard_only"]),
        "context_management": st.just({"edits": []}),
        "stream": st.just(True),
        "thinking": st.sampled_from([{"type": "adaptive"}, {"type": "adaptive", "display": "summarized"}]),
        "output_config": st.just({"format": {"type": "json_schema", "schema": SCHEMA}}),
    }
    body: dict[str, Any] = {"model": "claude-opus-5", "max_tokens": draw(st.integers(1, 9999)), "messages": draw(conversations())}
    body |= draw(st.fixed_dictionaries({}, optional=optional))
    has_calls = any(isinstance(m["content"], list) and any(b["type"] == "tool_use" for b in m["content"]) for m in body["messages"])
    if has_calls:
        body.setdefault("tools", draw(TOOLS))
    if "tools" in body and draw(st.booleans()):
        single = draw(st.sampled_from([{}, {"disable_parallel_tool_use": True}]))
        body["tool_choice"] = draw(st.sampled_from([{"type": "auto", **single}, {"type": "none"}]))
        if "thinking" not in body and draw(st.booleans()):
            body["tool_choice"] = draw(st.sampled_from([{"type": "any", **single}, {"type": "tool", "name": "a", **single}]))
    if "thinking" in body and draw(st.booleans()):
        body.setdefault("output_config", {})
        body["output_config"] = {**body["output_config"], "effort": draw(st.sampled_from(["low", "medium", "high", "xhigh", "max"]))}
    return body


@settings(max_examples=300, deadline=None)
@given(body=bodies())
def test_there_and_back(body: dict[str, Any]) -> None:
    conversation = CODEC.parse(orjson.loads(orjson.dumps(body)))
    assert CODEC.encode(conversation, body["model"]) == body
    assert conversation.losses == []


@settings(max_examples=100, deadline=None)
@given(body=bodies())
def test_writing_twice_says_the_same(body: dict[str, Any]) -> None:
    """An encoder runs again for the next replica: it must not have changed what it read, nor note its losses twice."""
    conversation = CODEC.parse(body)
    for model in ("claude-sonnet-4-5", "claude-opus-5", "qwen3"):
        first, lost = CODEC.encode(conversation, model), list(conversation.losses)
        assert CODEC.encode(conversation, model) == first
        assert conversation.losses == lost
