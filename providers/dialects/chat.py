"""OpenAI chat completions. https://platform.openai.com/docs/api-reference/chat"""

from __future__ import annotations

from typing import Any

from providers.codecs.chat import CODEC
from providers.dialects import AnswerFacts, Ask, BadRequestError, Dialect, _openai
from providers.dialects._agent_hints import has_hints, without_hints
from providers.dialects._openings import chat_opening
from providers.dialects._reasoning import is_sealed, without_sealed
from providers.dialects.excerpts import chat_excerpt
from providers.splice import set_members
from routing.calibration import tokens_from_bytes
from routing.types import Capability

IMAGE_TOKENS = 1000
"""A guess that fits a full-size picture at OpenAI and Anthropic; what counts is not to count its base64 as text."""


def read(data: dict[str, Any], size: int) -> Ask:
    model = _openai.read_model(data)
    messages = _openai.require(data, "messages", list, "a non-empty array of messages")
    if not messages:
        raise BadRequestError("`messages` is empty: it must hold at least one message", "messages", "invalid_value")
    stream = _openai.read_stream(data)
    images, image_bytes, has_seals = _look_at(messages)
    bits = (Capability.TOOLS if data.get("tools") else 0) | (Capability.VISION if images else 0) | _json_bit(data)
    return Ask(
        model=model,
        stream=stream,
        capability_bits=int(bits),
        input_tokens_estimated=tokens_from_bytes(size - image_bytes) + images * IMAGE_TOKENS,
        output_tokens_max=_openai.read_count(data, "max_completion_tokens") or _openai.read_count(data, "max_tokens"),
        answers=_openai.read_count(data, "n") or 1,
        strip_usage=stream and not _asks_for_usage(data),
        has_sealed_reasoning=has_seals,
    )


def _json_bit(data: dict[str, Any]) -> int:
    wanted = data.get("response_format")
    is_json = isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema")
    return int(Capability.JSON) if is_json else 0


def _look_at(messages: list[Any]) -> tuple[int, int, bool]:
    """How many pictures the messages carry, how many bytes of the body they fill, and whether there is sealed reasoning."""
    count = size = 0
    has_seals = False
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise BadRequestError(f"`messages[{index}]` must be an object with role and content", f"messages[{index}]", "invalid_type")
        if not has_seals and message.get("role") == "assistant":
            has_seals = is_sealed(message)
        content = message.get("content")
        if not isinstance(content, list):
            continue
        for part in content:
            if isinstance(part, dict) and part.get("type") == "image_url":
                count += 1
                image = part.get("image_url")
                url = image.get("url") if isinstance(image, dict) else image
                size += len(url) if isinstance(url, str) else 0
    return count, size, has_seals


def _asks_for_usage(data: dict[str, Any]) -> bool:
    options = data.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def prepare(body: bytes, data: dict[str, Any], ask: Ask, upstream_model: str) -> bytes:
    """The model's name, for a stream the wish for usage, what a policy or config asks for, and agentapi's hints taken out: nothing else
    changes."""
    if has_hints(data):
        body, data = without_hints(body, data)
    changes: dict[str, Any] = {}
    if ask.model != upstream_model or _openai.may_name_another(body):
        changes["model"] = upstream_model
    if ask.strip_usage:
        options = data.get("stream_options")
        changes["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    if ask.drop_sealed:
        changes["messages"] = without_sealed(data["messages"])
    if ask.defaults:
        changes |= _openai.defaults(data, ask)
    return set_members(body, data, changes) if changes else body


def _is_content(choice: dict[str, Any]) -> bool:
    """Anything but a role: text, reasoning, tool calls, refusals, and whatever a vendor adds next."""
    delta = choice.get("delta")
    return isinstance(delta, dict) and any(value for key, value in delta.items() if key != "role")


def _text_size(data: dict[str, Any]) -> int:
    size = 0
    choices = data.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        message = choice.get("message") if isinstance(choice, dict) else None
        if isinstance(message, dict):
            size += sum(len(str(value)) for key, value in message.items() if key != "role" and value)
    return size


def read_answer(body: bytes) -> AnswerFacts:
    return _openai.read_answer(body, _text_size)


DIALECT = Dialect(
    name="chat",
    paths=("/v1/chat/completions", "/chat/completions"),
    read=read,
    prepare=prepare,
    new_scanner=lambda ask: _openai.ChoiceScanner(ask, _is_content),
    read_answer=read_answer,
    read_large_answer=_openai.read_large_answer,
    error_body=_openai.error_body,
    error_events=_openai.error_events,
    end_events=_openai.END_EVENTS,
    excerpt=lambda data, harness, hints: chat_excerpt(data, harness=harness, hints=hints),
    opening=chat_opening,
    codec=CODEC,
)
