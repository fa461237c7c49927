"""OpenAI chat completions. https://platform.openai.com/docs/api-reference/chat"""

from __future__ import annotations

import re
from functools import partial
from itertools import repeat
from typing import Any

from providers.codecs.chat import CODEC
from providers.dialects import Ask, Dialect, _openai
from providers.dialects._agent_hints import HINTS, without_hints
from providers.dialects._openings import chat_opening
from providers.dialects._reasoning import is_sealed, without_sealed
from providers.dialects.excerpts import chat_excerpt
from providers.splice import set_member, set_members
from routing.calibration import tokens_from_bytes

IMAGE_TOKENS = 1000
"""A guess that fits a full-size picture at OpenAI and Anthropic; what counts is not to count its base64 as text."""


_CONTENTS, _ROLES = repeat("content"), repeat("role")


def read(data: dict[str, Any], size: int) -> Ask:
    model, messages, stream = _openai.read_talk(data)
    images, image_bytes, has_seals = _look_at(messages)
    bits = _openai.TOOLS if data.get("tools") else 0
    if images:
        bits |= _openai.VISION
    if "response_format" in data and _openai.wants_json(data["response_format"]):
        bits |= _openai.JSON
    limit = _openai.read_count(data, "max_completion_tokens") if "max_completion_tokens" in data else None
    if limit is None:
        limit = _openai.read_count(data, "max_tokens")
    ask = Ask(model, stream, bits, tokens_from_bytes(size - image_bytes) + images * IMAGE_TOKENS, limit)
    if has_seals:
        ask.has_sealed_reasoning = True
    if "n" in data:
        ask.answers = _openai.read_count(data, "n") or 1
    if stream:
        ask.strip_usage = not asks_for_usage(data)
    return ask


def _look_at(messages: list[dict[str, Any]]) -> tuple[int, int, bool]:
    """How many pictures the messages carry, how many bytes of the body they fill, and whether there is sealed reasoning.

    A long conversation has two hundred messages, most of which are plain text: which ones are not, C finds out.
    """
    count = size = 0
    contents = [*map(dict.get, messages, _CONTENTS)]
    if list in map(type, contents):
        for content in contents:
            if isinstance(content, list):
                images, length = _pictures_in(content)
                count += images
                size += length
    has_seals = False
    if "assistant" in map(dict.get, messages, _ROLES):
        has_seals = any(is_sealed(message) for message in messages if message.get("role") == "assistant")
    return count, size, has_seals


def _pictures_in(content: list[Any]) -> tuple[int, int]:
    """How many, and how many bytes of the body they fill."""
    count = size = 0
    for part in content:
        if isinstance(part, dict) and part.get("type") == "image_url":
            count += 1
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else image
            size += len(url) if isinstance(url, str) else 0
    return count, size


def asks_for_usage(data: dict[str, Any]) -> bool:
    options = data.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def prepare(body: bytes, data: dict[str, Any], ask: Ask, upstream_model: str) -> bytes:
    """The model's name, for a stream the wish for usage, what a policy or config asks for, and agentapi's hints taken out: nothing else
    changes."""
    if not HINTS.isdisjoint(data):
        body, data = without_hints(body, data)
    is_named = ask.model == upstream_model and not _openai.may_name_another(body)
    if not (ask.strip_usage or ask.drop_sealed or ask.defaults):
        return body if is_named else set_member(body, data, "model", upstream_model)
    changes: dict[str, Any] = {} if is_named else {"model": upstream_model}
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
    if isinstance(delta, dict):
        for key, value in delta.items():
            if value and key != "role":
                return True
    return False


_SAYS = re.compile(
    rb'"choices": ?\[\{(?:"finish_reason": ?null, ?)?(?:"index": ?\d+, ?)?'
    rb'"delta": ?\{(?:"role": ?"assistant", ?)?"(?:content|reasoning(?:_content)?)": ?"[^"]'
)
"""A chunk that says something, as nearly every server writes it. Stands in no text: inside JSON strings quotes are escaped."""

_ROLE = frozenset({"role"})
_PLAIN = frozenset({"role", "content"})


def _text_size(data: dict[str, Any]) -> int:
    size = 0
    try:
        for choice in data["choices"]:
            message = choice["message"]
            text = message.get("content")
            size += len(text) if isinstance(text, str) else 0
            for key in message.keys() - (_PLAIN if isinstance(text, str) else _ROLE):
                if message[key]:
                    size += len(str(message[key]))
    except (KeyError, TypeError, AttributeError):
        pass  # no answer, or an odd one: what of it was understood counts
    return size


DIALECT = Dialect(
    name="chat",
    paths=("/v1/chat/completions", "/chat/completions"),
    read=read,
    prepare=prepare,
    new_scanner=lambda ask: _openai.ChoiceScanner(ask, _is_content, _SAYS),
    read_answer=partial(_openai.read_answer, text_of=_text_size),
    read_large_answer=_openai.read_large_answer,
    error_body=_openai.error_body,
    error_events=_openai.error_events,
    end_events=_openai.END_EVENTS,
    excerpt=lambda data, harness, hints: chat_excerpt(data, harness=harness, hints=hints),
    opening=chat_opening,
    codec=CODEC,
)
