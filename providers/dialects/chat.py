"""OpenAI chat completions. https://platform.openai.com/docs/api-reference/chat"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from providers.codecs.chat import CODEC
from providers.dialects import Ask, Dialect, _openai
from providers.dialects._agent_hints import HINTS, without_hints
from providers.dialects._openings import chat_opening
from providers.dialects._reasoning import HOLDS_NONE, has_sealed, without_sealed
from providers.dialects.excerpts import chat_excerpt
from providers.pieces import Body
from providers.splice import set_members, set_model
from routing.calibration import tokens_from_bytes

IMAGE_TOKENS = 1000
"""A guess that fits a full-size picture at OpenAI and Anthropic; what counts is not to count its base64 as text."""

_SELDOM = frozenset({"response_format", "max_completion_tokens", "n"})


def read(data: dict[str, Any], size: int) -> Ask:
    ask, messages, contents = _openai.read_talk(data, size)
    if ask.stream:
        ask.strip_usage = not asks_for_usage(data)
    if list in map(type, contents):
        _count_pictures(ask, contents, size)
    if not all(map(HOLDS_NONE, messages)) and has_sealed(messages):
        ask.has_sealed_reasoning = True
    if not _SELDOM.isdisjoint(data):
        _read_seldom(ask, data)
    return ask


def _count_pictures(ask: Ask, contents: list[Any], size: int) -> None:
    """Take account of the pictures in a body of `size` bytes, whose base64 is no text."""
    count = filled = 0
    for content in contents:
        for part in content if type(content) is list else ():
            if isinstance(part, dict) and part.get("type") == "image_url":
                count += 1
                image = part.get("image_url")
                url = image.get("url") if isinstance(image, dict) else image
                filled += len(url) if isinstance(url, str) else 0
    if count:
        ask.capability_bits |= _openai.VISION
        ask.input_tokens_estimated = tokens_from_bytes(max(0, size - filled)) + count * IMAGE_TOKENS


def _read_seldom(ask: Ask, data: dict[str, Any]) -> None:
    if _openai.wants_json(data.get("response_format")):
        ask.capability_bits |= _openai.JSON
    limit = _openai.read_count(data, "max_completion_tokens")
    if limit is not None:
        ask.output_tokens_max = limit
    ask.answers = _openai.read_count(data, "n") or 1


def asks_for_usage(data: dict[str, Any]) -> bool:
    options = data.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def prepare(body: bytes, data: dict[str, Any], ask: Ask, upstream_model: str) -> Body:
    """The model's name, for a stream the wish for usage, what a policy or config asks for, and agentapi's hints taken out: nothing else
    changes."""
    if not HINTS.isdisjoint(data):
        body, data = without_hints(body, data)
    is_named = ask.model == upstream_model and not _openai.may_name_another(body)
    if not (ask.strip_usage or ask.drop_sealed or ask.defaults):
        return body if is_named else set_model(body, data, upstream_model)
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
            if isinstance(text, str):
                size += len(text)
                if len(message) <= 2:  # that and a role, as the most have it
                    continue
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
