"""One story told by four vendors, each in their own words as they really come: a model that reads two files at once and then sums them up.

The bytes are written by hand and not by donut's encoders, so that a mistake of a codec's does not cancel itself out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from providers.codecs.conversation import Text, ToolResult
from tests.streams import DONE, event
from tests.translating import CODECS
from tests.upstreams import ReceivedRequest, answer, chunked

THOUGHT = "The user wants both files."
ASIDE = "Let me look."
CALLS = (("call_a", "read_file", '{"path": "a.txt"}'), ("call_b", "read_file", '{"path": "b.txt"}'))
RESULTS = {"call_a": "one", "call_b": "two"}
ENCRYPTED, SIGNATURE = "Z2VoZWlt", "c2lnbmVk"
SUMMARY = '{"files": 2, "words": ["one", "two"]}'
UNCACHED, CACHED, OUTPUT, REASONING = 20, 100, 30, 8
"""Tokens of each answer; all input is 120, all output 30."""

KINDS = {"chat": "openai", "responses": "openai", "messages": "anthropic", "gemini": "gemini"}
Data = dict[str, Any]


def config_of(dialect: str, port: int) -> str:
    """A donut whose only upstream speaks `dialect`."""
    version = "v1beta" if dialect == "gemini" else "v1"
    return f"""\
discovery: {{local: false, environment: false}}
models:
  - {{id: test-model, tier: small, use_cases: [chat, code], context_window: 200000, capabilities: [tools, json, vision, reasoning]}}
providers:
  - id: far
    kind: {KINDS[dialect]}
    base_url: http://127.0.0.1:{port}/{version}
    api_key: upstream-secret
    dialects: [{dialect}]
    models: [{{upstream: up-model, model: test-model, price: {{input: 1, output: 2}}}}]
"""


class FarEnd:
    """A handler for `ScriptedUpstream`. Without results in the request it calls two tools, with them it sums up."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.seen: list[Data] = []
        """The bodies that came."""

    async def __call__(self, request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        path = request.head.split(b" ", 2)[1].decode()
        assert path.startswith(PATHS[self.dialect]), path
        body: Data = orjson.loads(request.body)
        self.seen.append(body)
        is_streamed = "streamGenerateContent" in path or body.get("stream") is True
        acts = STREAMS if is_streamed else WHOLES
        said = acts[self.dialect][1 if self.results else 0]
        if isinstance(said, bytes):
            middle = len(said) // 2
            writer.write(chunked(said[:middle], said[middle:], headers=b"content-type: text/event-stream\r\n"))
        else:
            writer.write(answer(orjson.dumps(said), headers=b"content-type: application/json\r\n"))

    @property
    def results(self) -> dict[str, str]:
        """Call id → text of the results in the last request, as the vendor would find them."""
        conversation = CODECS[self.dialect].parse({"model": "up-model", **self.seen[-1]})
        results = [part for turn in conversation.turns for part in turn.parts if isinstance(part, ToolResult)]
        return {result.call_id: "".join(part.text for part in result.parts if isinstance(part, Text)) for result in results}

    @property
    def has_its_seal(self) -> bool:
        """Did the vendor get back what it signed or encrypted? Chat seals nothing."""
        seals = {"responses": ENCRYPTED, "messages": SIGNATURE, "gemini": SIGNATURE}
        return self.dialect not in seals or f'"{seals[self.dialect]}"' in orjson.dumps(self.seen[-1]).decode()


PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "gemini": "/v1beta/models/up-model:",
}


# Chat


def _chunk(delta: Data, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "up-model", "choices": [choice]})


_CHAT_USAGE = {
    "prompt_tokens": UNCACHED + CACHED,
    "completion_tokens": OUTPUT,
    "total_tokens": UNCACHED + CACHED + OUTPUT,
    "prompt_tokens_details": {"cached_tokens": CACHED, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": REASONING, "audio_tokens": 0},
}
_CHAT_END = event(
    {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "up-model", "choices": [], "usage": _CHAT_USAGE}
)


def _chat_call(index: int, **function: str) -> Data:
    opening = {"id": CALLS[index][0], "type": "function"} if "name" in function else {}
    return {"index": index, **opening, "function": function}


_CHAT_ACTS = (
    b"".join(
        [
            _chunk({"role": "assistant", "content": None, "reasoning_content": THOUGHT[:9]}),
            _chunk({"reasoning_content": THOUGHT[9:]}),
            _chunk({"content": ASIDE}),
            _chunk({"tool_calls": [_chat_call(0, name="read_file", arguments="")]}),
            _chunk({"tool_calls": [_chat_call(0, arguments='{"path": ')]}),
            # An opening chunk with arguments, and two calls in one chunk: llama-server and vLLM send both.
            _chunk({"tool_calls": [_chat_call(0, arguments='"a.txt"}'), _chat_call(1, name="read_file", arguments='{"path"')]}),
            _chunk({"tool_calls": [_chat_call(1, arguments=': "b.txt"}')]}),
            _chunk({}, "tool_calls"),
            _CHAT_END,
            DONE,
        ]
    ),
    b"".join(
        [_chunk({"role": "assistant", "content": SUMMARY[:7]}), _chunk({"content": SUMMARY[7:]}), _chunk({}, "stop"), _CHAT_END, DONE]
    ),
)


def _completion(message: Data, reason: str) -> Data:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "up-model", "choices": [choice], "usage": _CHAT_USAGE}


_CHAT_WHOLES = (
    _completion(
        {
            "content": ASIDE,
            "reasoning_content": THOUGHT,
            "tool_calls": [{"id": id_, "type": "function", "function": {"name": name, "arguments": text}} for id_, name, text in CALLS],
        },
        "tool_calls",
    ),
    _completion({"content": SUMMARY}, "stop"),
)


# Responses


def _message_item(text: str) -> Data:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}


_REASONING_ITEM: Data = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": THOUGHT}],
    "encrypted_content": ENCRYPTED,
}
_CALL_ITEMS: list[Data] = [
    {"id": f"fc_{id_}", "type": "function_call", "status": "completed", "call_id": id_, "name": name, "arguments": text}
    for id_, name, text in CALLS
]
_RESPONSES_USAGE = {
    "input_tokens": UNCACHED + CACHED,
    "input_tokens_details": {"cached_tokens": CACHED},
    "output_tokens": OUTPUT,
    "output_tokens_details": {"reasoning_tokens": REASONING},
    "total_tokens": UNCACHED + CACHED + OUTPUT,
}


def _response(output: list[Data], status: str = "completed") -> Data:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "up-model",
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": _RESPONSES_USAGE if status == "completed" else None,
    }


def _responses_stream(items: list[Data]) -> bytes:
    said: list[Data] = [{"type": "response.created", "response": _response([], "in_progress")}]
    for index, item in enumerate(items):
        at = {"output_index": index, "item_id": item["id"]}
        said.append({"type": "response.output_item.added", "output_index": index, "item": {**item, **_EMPTY[item["type"]]}})
        if item["type"] == "message":
            part = item["content"][0]
            said += [
                {"type": "response.content_part.added", **at, "content_index": 0, "part": {**part, "text": ""}},
                {"type": "response.output_text.delta", **at, "content_index": 0, "delta": part["text"][:7], "logprobs": []},
                {"type": "response.output_text.delta", **at, "content_index": 0, "delta": part["text"][7:], "logprobs": []},
                {"type": "response.output_text.done", **at, "content_index": 0, "text": part["text"], "logprobs": []},
                {"type": "response.content_part.done", **at, "content_index": 0, "part": part},
            ]
        elif item["type"] == "reasoning":
            part = item["summary"][0]
            said += [
                {"type": "response.reasoning_summary_part.added", **at, "summary_index": 0, "part": {**part, "text": ""}},
                {"type": "response.reasoning_summary_text.delta", **at, "summary_index": 0, "delta": part["text"]},
                {"type": "response.reasoning_summary_text.done", **at, "summary_index": 0, "text": part["text"]},
                {"type": "response.reasoning_summary_part.done", **at, "summary_index": 0, "part": part},
            ]
        else:
            text = item["arguments"]
            said += [
                {"type": "response.function_call_arguments.delta", **at, "delta": text[:4]},
                {"type": "response.function_call_arguments.delta", **at, "delta": text[4:]},
                {"type": "response.function_call_arguments.done", **at, "arguments": text},
            ]
        said.append({"type": "response.output_item.done", "output_index": index, "item": item})
    said.append({"type": "response.completed", "response": _response(items)})
    return _named([{**each, "sequence_number": number} for number, each in enumerate(said)])


_EMPTY: Mapping[str, Data] = {
    "message": {"content": [], "status": "in_progress"},
    "reasoning": {"summary": [], "encrypted_content": None},
    "function_call": {"arguments": "", "status": "in_progress"},
}


def _named(said: list[Data]) -> bytes:
    return b"".join(f"event: {each['type']}\ndata: ".encode() + orjson.dumps(each) + b"\n\n" for each in said)


_RESPONSES_ITEMS = ([_REASONING_ITEM, _message_item(ASIDE), *_CALL_ITEMS], [_message_item(SUMMARY)])


# Messages

_MESSAGES_USAGE = {
    "input_tokens": UNCACHED,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": CACHED,
    "output_tokens": OUTPUT,
    "output_tokens_details": {"thinking_tokens": REASONING},
}
_MESSAGES_CONTENT: tuple[list[Data], list[Data]] = (
    [
        {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE},
        {"type": "text", "text": ASIDE},
        *({"type": "tool_use", "id": id_, "name": name, "input": orjson.loads(text)} for id_, name, text in CALLS),
    ],
    [{"type": "text", "text": SUMMARY}],
)


def _message(content: list[Data], reason: str | None, usage: Data) -> Data:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "up-model",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _messages_stream(content: list[Data], reason: str) -> bytes:
    said: list[Data] = [{"type": "message_start", "message": _message([], None, {**_MESSAGES_USAGE, "output_tokens": 1})}, {"type": "ping"}]
    for index, block in enumerate(content):
        empty, deltas = _PIECES[block["type"]](block)
        said.append({"type": "content_block_start", "index": index, "content_block": {**block, **empty}})
        said += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        said.append({"type": "content_block_stop", "index": index})
    said.append({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": _MESSAGES_USAGE})
    return _named([*said, {"type": "message_stop"}])


def _text_pieces(block: Data) -> tuple[Data, list[Data]]:
    return {"text": ""}, [{"type": "text_delta", "text": text} for text in (block["text"][:7], block["text"][7:])]


def _thinking_pieces(block: Data) -> tuple[Data, list[Data]]:
    signed = {"type": "signature_delta", "signature": block["signature"]}
    return {"thinking": "", "signature": ""}, [{"type": "thinking_delta", "thinking": block["thinking"]}, signed]


def _call_pieces(block: Data) -> tuple[Data, list[Data]]:
    text = next(text for id_, _, text in CALLS if id_ == block["id"])
    return {"input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in ("", text[:5], text[5:])]


_PIECES = {"text": _text_pieces, "thinking": _thinking_pieces, "tool_use": _call_pieces}


# Gemini


def _candidate(parts: list[Data], reason: str | None = None, *, with_usage: bool = False) -> Data:
    candidate: Data = {"content": {"role": "model", "parts": parts}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    usage = {
        "promptTokenCount": UNCACHED + CACHED,
        "cachedContentTokenCount": CACHED,
        "candidatesTokenCount": OUTPUT - REASONING,
        "thoughtsTokenCount": REASONING,
        "totalTokenCount": UNCACHED + CACHED + OUTPUT,
    }
    return {"candidates": [candidate], "modelVersion": "up-model", "responseId": "r1", **({"usageMetadata": usage} if with_usage else {})}


_GEMINI_CALLS: list[Data] = [{"functionCall": {"id": id_, "name": name, "args": orjson.loads(text)}} for id_, name, text in CALLS]
_GEMINI_CALLS[0]["thoughtSignature"] = SIGNATURE
_GEMINI_ACTS = (
    b"".join(
        [
            event(_candidate([{"text": THOUGHT, "thought": True}])),
            event(_candidate([{"text": ASIDE}])),
            event(_candidate(_GEMINI_CALLS)),
            event(_candidate([{"text": ""}], "STOP", with_usage=True)),
        ]
    ),
    event(_candidate([{"text": SUMMARY[:7]}])) + event(_candidate([{"text": SUMMARY[7:]}], "STOP", with_usage=True)),
)
_GEMINI_WHOLES = (
    _candidate([{"text": THOUGHT, "thought": True}, {"text": ASIDE}, *_GEMINI_CALLS], "STOP", with_usage=True),
    _candidate([{"text": SUMMARY}], "STOP", with_usage=True),
)

STREAMS: Mapping[str, tuple[bytes, bytes]] = {
    "chat": _CHAT_ACTS,
    "responses": (_responses_stream(_RESPONSES_ITEMS[0]), _responses_stream(_RESPONSES_ITEMS[1])),
    "messages": (_messages_stream(_MESSAGES_CONTENT[0], "tool_use"), _messages_stream(_MESSAGES_CONTENT[1], "end_turn")),
    "gemini": _GEMINI_ACTS,
}
WHOLES: Mapping[str, tuple[Data, Data]] = {
    "chat": _CHAT_WHOLES,
    "responses": (_response(_RESPONSES_ITEMS[0]), _response(_RESPONSES_ITEMS[1])),
    "messages": (_message(_MESSAGES_CONTENT[0], "tool_use", _MESSAGES_USAGE), _message(_MESSAGES_CONTENT[1], "end_turn", _MESSAGES_USAGE)),
    "gemini": _GEMINI_WHOLES,
}
