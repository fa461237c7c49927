"""Codex's tools at an upstream that knows only functions: flat names out, namespaces, free text and items of their own back."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.codecs import Frame
from providers.codecs.conversation import Conversation
from providers.codecs.custom_input import Unwrapper, unwrapped
from providers.codecs.events import BlockEnded, BlockKind, BlockStarted, Delta, Event, Finished, FinishReason, Started
from providers.codecs.messages import CODEC as MESSAGES
from providers.codecs.responses import CODEC
from tests.streams import RECORDINGS
from tests.test_codec_responses_streams import judged, payloads
from tests.translating import encoded

PATCH = '*** Begin Patch\n+say("ü\\d")\n*** End Patch'


def conversation(name: str) -> Conversation:
    return CODEC.parse(orjson.loads((RECORDINGS / "responses" / f"{name}.request.json").read_bytes()))


def answered(request: Conversation, *calls: tuple[str, str]) -> list[dict[str, Any]]:
    """The items that the client gets where the upstream calls functions of these names with these arguments, letter by letter."""
    events: list[Event] = [Started()]
    for number, (name, arguments) in enumerate(calls):
        events += [BlockStarted(number, BlockKind.TOOL_CALL, f"call_{number}", name)]
        events += [Delta(number, letter) for letter in arguments]
        events.append(BlockEnded(number))
    stream = encoded(CODEC, [*events, Finished(FinishReason.TOOL_CALLS)], Frame("m", "a", 1, conversation=request))
    judged(stream)
    output: list[dict[str, Any]] = payloads(stream)[-1]["response"]["output"]
    return output


def test_a_long_way_out_and_back() -> None:
    request = conversation("codex")
    sent = MESSAGES.encode(request, "claude-opus-5-5")
    names = [tool["name"] for tool in sent["tools"]]
    assert names == ["exec_command", "apply_patch", "tool_search", "multi_agent_v1__spawn_agent", "multi_agent_v1__close_agent"]
    calls = [block for message in sent["messages"] if message["role"] == "assistant" for block in message["content"]]
    assert [(call["name"], call["input"]) for call in calls] == [
        ("exec_command", {"cmd": "echo hello"}),
        ("apply_patch", {"input": "*** Begin Patch\n*** End Patch"}),
        ("tool_search", {"query": "agents"}),
        ("multi_agent_v1__spawn_agent", {"message": "hi"}),
    ]
    made = answered(request, *((call["name"], orjson.dumps(call["input"]).decode()) for call in calls))
    given_in = [
        item for item in orjson.loads((RECORDINGS / "responses" / "codex.request.json").read_bytes())["input"] if "call" in item["type"]
    ]
    asked = [item for item in given_in if not item["type"].endswith("output")]
    for item, original in zip(made, asked, strict=True):
        same = ("type", "name", "namespace", "input", "execution")
        assert {key: item.get(key) for key in same} == {key: original.get(key) for key in same}
        if "arguments" in original:
            assert as_object(item["arguments"]) == as_object(original["arguments"])


def as_object(arguments: Any) -> Any:
    return orjson.loads(arguments) if isinstance(arguments, str) else arguments


def test_plain_functions_that_stand_in_a_namespace_of_that_name_are_plain_functions() -> None:
    request = conversation("codex_lite")
    assert [tool["name"] for tool in MESSAGES.encode(request, "m")["tools"]] == ["exec", "wait", "clock__sleep"]
    exec_, sleep = answered(request, ("exec", '{"input": "text(1)"}'), ("clock__sleep", '{"duration_ms": 5}'))
    assert (exec_["type"], exec_["input"], "namespace" in exec_) == ("custom_tool_call", "text(1)", False)
    assert (sleep["name"], sleep["namespace"]) == ("sleep", "clock")


def test_a_shell_of_the_clients() -> None:
    request = conversation("sdk")
    made = answered(
        request, ("local_shell", '{"command": ["ls"], "timeout_ms": 5}'), ("local_shell", '{"command": "ls | wc"}'), ("local_shell", "ls")
    )
    assert [item["action"]["command"] for item in made] == [["ls"], ["bash", "-lc", "ls | wc"], ["ls"]]
    assert made[0]["action"] == {"type": "exec", "command": ["ls"], "timeout_ms": 5, "env": {}}
    assert {item["type"] for item in made} == {"local_shell_call"}


def test_a_search_in_words_is_one_too() -> None:
    (made,) = answered(conversation("codex"), ("tool_search", "agents"))
    assert made["arguments"] == {"query": "agents"}


def test_a_tool_that_nobody_declared_keeps_its_name() -> None:
    (made,) = answered(conversation("codex"), ("mcp__x__y", "{}"))
    assert (made["type"], made["name"], made["arguments"]) == ("function_call", "mcp__x__y", "{}")


def test_free_text_streams_as_it_comes() -> None:
    request = conversation("codex")
    encoder = CODEC.new_encoder(Frame("m", "a", 1, conversation=request))
    encoder.encode([Started(), BlockStarted(0, BlockKind.TOOL_CALL, "c", "apply_patch")])
    said = [payloads_of(encoder.encode([Delta(0, piece)])) for piece in ('{"inp', 'ut": "*** Be', "gin\\", "nPatch", '"}')]
    assert said == [[], ["*** Be"], ["gin"], ["\nPatch"], []]


def payloads_of(stream: bytes) -> list[str]:
    return [orjson.loads(line[5:])["delta"] for line in stream.split(b"\n") if line.startswith(b"data:")]


# Unwrapping


def fed(pieces: Iterable[str]) -> str:
    unwrapper = Unwrapper()
    return "".join([*(unwrapper.feed(piece) for piece in pieces), unwrapper.finish()])


@given(text=st.text(st.characters(exclude_categories=["Cs"])), cuts=st.lists(st.integers(0, 80), max_size=6), ascii_only=st.booleans())
def test_any_text_in_any_pieces(text: str, cuts: list[int], *, ascii_only: bool) -> None:
    wrapped = orjson.dumps({"input": text}).decode()
    if ascii_only:
        wrapped = "".join(letter if letter.isascii() else escaped(letter) for letter in wrapped)
    edges = [0, *sorted(min(cut, len(wrapped)) for cut in cuts), len(wrapped)]
    assert fed(wrapped[start:end] for start, end in pairwise(edges)) == text
    assert fed(wrapped) == unwrapped(wrapped) == text


def escaped(letter: str) -> str:
    """As pairs of surrogates where need be: how Python and JavaScript escape."""
    raw = letter.encode("utf-16-be")
    return "".join(f"\\u{raw[at : at + 2].hex()}" for at in range(0, len(raw), 2))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (PATCH, PATCH),
        ("", ""),
        ('{"patch": "x"}', "x"),
        ('{"input": "a\nb"}', "a\nb"),
        ('{"input": "a\\d\\\\s"}', "a\\d\\s"),
        ('{"input": "cut', "cut"),
        ('{"input": "half \\ud83d"}', "half \\ud83d"),
        ('{"input": 5}', '{"input": 5}'),
        ('{"a": "x", "b": "y"}', '{"a": "x", "b": "y"}'),
        ('{"input": "x", "more": 1}', "x"),
        ('["x"]', '["x"]'),
    ],
)
def test_what_models_write_instead(arguments: str, text: str) -> None:
    assert fed(arguments) == text
    assert fed([arguments]) == text
