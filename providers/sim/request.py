"""Reads what a client asks the simulated fleet for, once, and refuses what a real upstream would refuse. Pure.

`RequestError` is such a refusal: raised here and wherever a field turns out to be wrong, answered in `transport.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from providers.transport.port import Headers

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English and code."""


class RequestError(Exception):
    """The request is answered with an OpenAI error body instead of an answer; `headers` go with it."""

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        *,
        type_: str = "invalid_request_error",
        param: str | None = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or []
        self.body = orjson.dumps({"error": {"message": message, "type": type_, "param": param, "code": code}})


def context_too_long(tokens: int, context_window: int, param: str) -> RequestError:
    """OpenAI's words: clients find the error by them."""
    message = (
        f"This model's maximum context length is {context_window} tokens. However, your messages resulted in {tokens} tokens. "
        "Please reduce the length of the messages."
    )
    return RequestError(400, "context_length_exceeded", message, param=param)


@dataclass(frozen=True, slots=True)
class Asked:
    """One parsed request body; `fields` is the whole of it, for what only one dialect reads."""

    fields: Mapping[str, Any]
    model: str
    stream: bool
    include_usage: bool
    max_tokens: int | None
    input_tokens: int
    """Estimated: the body's bytes over four."""
    digest: bytes
    """A hash of the body: the only source of variety in an answer, so the same body is always answered alike."""

    @property
    def short_id(self) -> str:
        return self.digest[:12].hex()


def read_request(body: bytes) -> Asked:
    """Parse a body of any dialect. Raises RequestError (400) when it is not a JSON object or a common field has the wrong shape."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, None, f"The request body is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise RequestError(400, None, "The request body must be a JSON object.")
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise RequestError(400, None, "You must provide a model parameter.", param="model")
    stream = fields.get("stream") or False
    if not isinstance(stream, bool):
        raise RequestError(400, None, "'stream' must be a boolean.", param="stream")
    options = fields.get("stream_options")
    return Asked(
        fields=fields,
        model=model,
        stream=stream,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        max_tokens=_max_tokens(fields),
        input_tokens=max(1, len(body) // BYTES_PER_TOKEN),
        digest=hashlib.blake2b(body, digest_size=32).digest(),
    )


def _max_tokens(fields: Mapping[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = fields.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise RequestError(400, None, f"'{name}' must be a positive integer.", param=name)
        return value
    return None


def last_message(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The last entry of `messages`. Raises RequestError (400) when there is none or an entry is not an object with a role."""
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestError(400, None, "'messages' must be a list with at least one message.", param="messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise RequestError(400, None, f"'messages[{index}]' must be an object with a role.", param=f"messages.[{index}].role")
    last: Mapping[str, Any] = messages[-1]
    return last


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or the text parts of a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return " ".join(text for text in texts if isinstance(text, str))
