"""Encodes a `Reply` as OpenAI's chat and completions bodies, whole or as server-sent events; and embeddings. Pure.

Streams come as a lazy iterator of (tokens said so far, bytes): the transport paces by the first and nothing is built before it is read.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Iterator
from typing import Any

import orjson

from providers.sim.reply import Reply
from providers.sim.request import BYTES_PER_TOKEN, Asked, RequestError, context_too_long

CREATED_S = 1_763_596_800
"""A constant: the same request is answered with the same bytes, whenever."""
DIMENSIONS = 256
DIMENSIONS_LIMIT = 4_096
INPUTS_LIMIT = 2_048
"""OpenAI's limit of inputs per embeddings request."""

Paced = Iterator[tuple[int, bytes]]


def _event(data: Any) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def usage_of(asked: Asked, output_tokens: int) -> dict[str, int]:
    total = asked.input_tokens + output_tokens
    return {"prompt_tokens": asked.input_tokens, "completion_tokens": output_tokens, "total_tokens": total}


def chat_body(asked: Asked, reply: Reply) -> bytes:
    """A `chat.completion`."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.tool_call is not None:
        function = {"name": reply.tool_call.name, "arguments": reply.text}
        message |= {"content": None, "tool_calls": [{"id": reply.tool_call.id, "type": "function", "function": function}]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    return _body(asked, "chatcmpl", "chat.completion", [choice], reply.output_tokens)


def chat_events(asked: Asked, reply: Reply) -> Paced:
    """`chat.completion.chunk` events: the role, one delta per piece, the finish reason, usage if asked for, `[DONE]`."""
    frame = _frame(asked, "chatcmpl", "chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _event({**frame, "choices": [choice]})

    call = reply.tool_call
    if call is None:
        yield 0, chunk({"role": "assistant", "content": "", "refusal": None})
    else:
        opening = {"index": 0, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield 0, chunk({"role": "assistant", "content": None, "tool_calls": [opening]})
    for said, piece in enumerate(reply.pieces):
        delta = {"content": piece} if call is None else {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
        yield said, chunk(delta)
    yield from _ending(asked, reply, frame, chunk({}, reply.finish_reason))


def completion_body(asked: Asked, reply: Reply) -> bytes:
    """A legacy `text_completion`."""
    choice = {"index": 0, "text": reply.text, "logprobs": None, "finish_reason": reply.finish_reason}
    return _body(asked, "cmpl", "text_completion", [choice], reply.output_tokens)


def completion_events(asked: Asked, reply: Reply) -> Paced:
    frame = _frame(asked, "cmpl", "text_completion")

    def chunk(text: str, finish_reason: str | None = None) -> bytes:
        return _event({**frame, "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}]})

    for said, piece in enumerate(reply.pieces):
        yield said, chunk(piece)
    yield from _ending(asked, reply, frame, chunk("", reply.finish_reason))


def _ending(asked: Asked, reply: Reply, frame: dict[str, Any], finish: bytes) -> Paced:
    said = reply.output_tokens
    yield said, finish
    if asked.include_usage:
        yield said, _event({**frame, "choices": [], "usage": usage_of(asked, said)})
    yield said, DONE


def _frame(asked: Asked, prefix: str, kind: str) -> dict[str, Any]:
    return {"id": f"{prefix}-{asked.short_id}", "object": kind, "created": CREATED_S, "model": asked.model, "system_fingerprint": "sim"}


def _body(asked: Asked, prefix: str, kind: str, choices: list[Any], output_tokens: int) -> bytes:
    return orjson.dumps({**_frame(asked, prefix, kind), "choices": choices, "usage": usage_of(asked, output_tokens)})


def embeddings_body(asked: Asked, context_window: int) -> bytes:
    """A `list` of unit vectors, as floats or base64 of little-endian float32. Raises RequestError on a bad input, size or format.

    `context_window` is what each single input may have in tokens.
    """
    texts = _embedding_inputs(asked.fields.get("input"))
    dimensions = asked.fields.get("dimensions")
    dimensions = DIMENSIONS if dimensions is None else dimensions
    if not isinstance(dimensions, int) or not 1 <= dimensions <= DIMENSIONS_LIMIT:
        raise RequestError(400, None, f"'dimensions' must be an integer from 1 to {DIMENSIONS_LIMIT}.", param="dimensions")
    encoding = asked.fields.get("encoding_format", "float")
    if encoding not in {"float", "base64"}:
        raise RequestError(400, None, "'encoding_format' must be 'float' or 'base64'.", param="encoding_format")
    tokens = [max(1, len(text.encode()) // BYTES_PER_TOKEN) for text in texts]
    if max(tokens) > context_window:
        raise context_too_long(max(tokens), context_window, "input")
    data = []
    for index, text in enumerate(texts):
        vector = unit_vector(text, dimensions)
        packed = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode() if encoding == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": packed})
    usage = {"prompt_tokens": sum(tokens), "total_tokens": sum(tokens)}
    return orjson.dumps({"object": "list", "data": data, "model": asked.model, "usage": usage})


def _embedding_inputs(given: Any) -> list[str]:
    """A string, a list of strings, a list of tokens or a list of lists of tokens → texts; tokens are taken as words of their own."""
    if isinstance(given, str) and given:
        return [given]
    if isinstance(given, list) and 0 < len(given) <= INPUTS_LIMIT:
        if all(isinstance(item, int) for item in given):
            return [" ".join(map(str, given))]
        texts = [" ".join(map(str, item)) if isinstance(item, list) else item for item in given]
        if all(isinstance(text, str) and text for text in texts):
            return texts
    raise RequestError(400, None, f"'input' must be a non-empty string or a list of 1 to {INPUTS_LIMIT} of them.", param="input")


def unit_vector(text: str, dimensions: int) -> list[float]:
    """Feature hashing: each word moves four coordinates up or down, so texts that share words lie close together."""
    moved: dict[int, float] = {}
    for word in text.lower().split() or [text]:
        digest = hashlib.blake2b(word.encode(), digest_size=16).digest()
        for (number,) in struct.iter_unpack("<I", digest):
            index = (number >> 1) % dimensions
            moved[index] = moved.get(index, 0.0) + (1.0 if number & 1 else -1.0)
    length = math.sqrt(math.fsum(value * value for value in moved.values()))
    if length == 0.0:  # the words cancelled out
        moved, length = {0: 1.0}, 1.0
    vector = [0.0] * dimensions
    for index, value in moved.items():
        vector[index] = value / length
    return vector
