"""What a simulated model says: plainly simulated, repeatable, a tool call when one is due, JSON when it was promised."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.sim.fleet import LOCAL_PROVIDER, SimReplica, find
from providers.sim.reply import Reply, reply_to_chat, reply_to_prompt
from providers.sim.request import RequestError, read_request

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}, "unit": {"enum": ["C", "F"]}},
            "required": ["city", "days"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "get_time"}}


def replica() -> SimReplica:
    found = find(LOCAL_PROVIDER, "sim-mid")
    assert found is not None
    return found


def ask(text: Any = "Say hello.", role: str = "user", **fields: Any) -> Reply:
    message = {"role": role, "content": text}
    return reply_to_chat(read_request(orjson.dumps({"model": "sim-mid", "messages": [message], **fields})), replica())


def test_text_says_that_it_is_simulated_and_by_whom() -> None:
    reply = ask("Say hello, please.")
    assert reply.text.startswith("This is the simulated fleet of donut (sim-mid on sim-local); no model was asked.")
    assert '"Say hello, please."' in reply.text
    assert reply.finish_reason == "stop"


def test_the_same_request_is_answered_alike_and_another_one_is_not() -> None:
    assert ask("one") == ask("one")
    assert ask("one", seed=1).text != ask("one", seed=2).text


def test_a_huge_word_is_not_echoed_whole() -> None:
    assert len(ask("x" * 100_000).text) < 1_000


def test_text_parts_are_read_and_images_ignored() -> None:
    parts = [{"type": "text", "text": "look at"}, {"type": "image_url", "image_url": {"url": "data:,"}}, {"type": "text", "text": "this"}]
    assert '"look at this"' in ask(parts).text


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_max_tokens_cuts_and_says_so(name: str) -> None:
    few: dict[str, Any] = {name: 5}
    many: dict[str, Any] = {name: 500}
    reply = ask(**few)
    assert (reply.output_tokens, reply.finish_reason) == (5, "length")
    assert ask(**many).finish_reason == "stop"


def test_a_user_who_speaks_of_a_tool_gets_a_call_with_the_required_arguments() -> None:
    reply = ask("Use a tool for the weather.", tools=[WEATHER])
    assert reply.finish_reason == "tool_calls"
    assert reply.tool_call is not None
    assert reply.tool_call.name == "get_weather"
    assert orjson.loads(reply.text) == {"city": "simulated", "days": 2}


@pytest.mark.parametrize(
    ("text", "role", "choice", "called"),
    [
        ("Hello.", "user", None, None),
        ("The tool said so.", "tool", None, None),
        ("Use a tool.", "user", "none", None),
        ("Use a tool.", "user", "auto", "get_weather"),
        ("Use the tool get_time.", "user", "auto", "get_time"),
        ("Hello.", "user", "required", "get_weather"),
        ("Hello.", "user", {"type": "function", "function": {"name": "get_time"}}, "get_time"),
    ],
)
def test_when_a_tool_is_called(text: str, role: str, choice: Any, called: str | None) -> None:
    call = ask(text, role, tools=[WEATHER, CLOCK], **({"tool_choice": choice} if choice else {})).tool_call
    assert (call.name if call else None) == called


def test_a_named_tool_that_is_not_offered_is_refused() -> None:
    with pytest.raises(RequestError, match="'nope' not found"):
        ask(tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "nope"}})


def test_json_object_and_json_schema_give_json() -> None:
    assert orjson.loads(ask(response_format={"type": "json_object"}).text)["simulated"] is True
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert orjson.loads(ask(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}).text) == {"n": 1}
    with pytest.raises(RequestError):
        ask(response_format={"type": "json_schema"})


@pytest.mark.parametrize("prompt", ["Say hello.", ["Say hello.", "And more."], [1, 2, 3], [[1, 2], [3]]])
def test_every_shape_of_prompt_is_answered(prompt: Any) -> None:
    asked = read_request(orjson.dumps({"model": "sim-mid", "prompt": prompt}))
    assert "simulated" in reply_to_prompt(asked, replica()).text


def test_a_missing_prompt_is_refused() -> None:
    with pytest.raises(RequestError, match="prompt"):
        reply_to_prompt(read_request(b'{"model": "sim-mid"}'), replica())
