"""Anthropic's Messages. https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import orjson

from providers.codecs.messages import CODEC
from providers.codecs.messages.seals import MARK
from providers.dialects import Ask, Dialect, Opening, _anthropic, _openai
from providers.dialects._openings import MESSAGES_LOOKED_AT, chat_opening, telling
from providers.dialects.excerpts import chat_excerpt
from providers.pieces import Body
from providers.splice import set_members
from routing.calibration import tokens_from_bytes

IMAGE_TOKENS = 1000
"""A guess that fits a full-size picture (width x height / 750, https://docs.anthropic.com/en/docs/build-with-claude/vision)."""
PDF_BYTES_PER_TOKEN = 50
"""A page takes 1,500 to 3,000 tokens (https://docs.anthropic.com/en/docs/build-with-claude/pdf-support); that it fills 100 KB of base64 is
our guess. Counted as text, a PDF would weigh ten times as much."""

_FORMATS = frozenset({"output_config", "output_format"})
_SEALED = ("thinking", "redacted_thinking")


def read(data: dict[str, Any], size: int) -> Ask:
    ask, _, contents = _openai.read_talk(data, size)
    if list in map(type, contents):
        seen = _look_at(contents)
        if seen.media_tokens:
            ask.capability_bits |= _openai.VISION
        if seen.media_bytes or seen.media_tokens:
            ask.input_tokens_estimated = tokens_from_bytes(max(0, size - seen.media_bytes)) + seen.media_tokens
        ask.has_own_reasoning, ask.has_sealed_reasoning = seen.has_own_seals, seen.has_seals
    if not _FORMATS.isdisjoint(data) and _wants_json(data):
        ask.capability_bits |= _openai.JSON
    return ask


def _wants_json(data: dict[str, Any]) -> bool:
    config = data.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else data.get("output_format")
    return isinstance(wanted, dict) and wanted.get("type") == "json_schema"


class _Seen(NamedTuple):
    media_tokens: int
    media_bytes: int
    """Of the body: base64 that must not be counted as text."""
    has_own_seals: bool
    """Those that donut made."""
    has_seals: bool
    """Those of one account."""


def _look_at(contents: list[Any]) -> _Seen:
    """What the messages' blocks are, those inside tool results as well (screenshots come in them). An agent has hundreds of them."""
    tokens = size = 0
    has_own = has_seals = False
    inner: list[Any] = []
    for blocks in (chain.from_iterable([content for content in contents if type(content) is list]), inner):
        for block in blocks:
            try:
                kind = block["type"]
            except (TypeError, KeyError):
                continue  # no block
            if kind in ("text", "tool_use"):
                continue
            if kind == "tool_result":
                if blocks is not inner and isinstance(results := block.get("content"), list):
                    inner += results
            elif kind in _SEALED:
                if _is_ours(block):
                    has_own = True
                else:
                    has_seals = has_seals or bool(block.get("signature") or block.get("data"))
            elif kind in ("image", "document"):
                source = block.get("source")
                data = source.get("data") if isinstance(source, dict) and source.get("type") == "base64" else None
                length = len(data) if isinstance(data, str) else 0
                size += length
                tokens += IMAGE_TOKENS if kind == "image" else length // PDF_BYTES_PER_TOKEN
    return _Seen(tokens, size, has_own, has_seals)


def _blocks(messages: list[Any]) -> Iterator[dict[str, Any]]:
    """Every content block, those inside tool results as well (screenshots come in them)."""
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else ():
            if not isinstance(block, dict):
                continue
            yield block
            if block.get("type") == "tool_result" and isinstance(inner := block.get("content"), list):
                yield from (part for part in inner if isinstance(part, dict))


def _is_ours(block: dict[str, Any]) -> bool:
    """Did donut make this thinking block, from another vendor's answer? Anthropic would refuse its signature."""
    signature = block.get("signature")
    return isinstance(signature, str) and signature.startswith(MARK)


def prepare(body: bytes, data: dict[str, Any], ask: Ask, upstream_model: str) -> Body:
    """The model's name, what a policy or config asks for, and no thinking that this upstream would refuse: nothing else changes."""
    changes: dict[str, Any] = {}
    if ask.model != upstream_model or _openai.may_name_another(body):
        changes["model"] = upstream_model
    if ask.drop_sealed or ask.has_own_reasoning:
        changes |= _without_thinking(data, drop_sealed=ask.drop_sealed)
    if ask.defaults:
        changes |= _defaults(data, ask)
    return set_members(body, data, changes) if changes else body


def _defaults(data: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """The members that a policy adds where the client said nothing."""
    added: dict[str, Any] = {}
    if ask.output_tokens_max is None and "output_tokens" in ask.defaults:
        added["max_tokens"] = ask.defaults["output_tokens"]
    if data.get("temperature") is None and "temperature" in ask.defaults and not (ask.is_for_reasoner or data.get("thinking")):
        added["temperature"] = ask.defaults["temperature"]
    return added


def _without_thinking(data: dict[str, Any], *, drop_sealed: bool) -> dict[str, Any]:
    """The members that change when thinking is taken out: donut's own always, sealed ones on demand."""
    kept: list[Any] = []
    changed = False
    for message in data["messages"]:
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list) or message.get("role") != "assistant":
            kept.append(message)
            continue
        blocks = [block for block in content if not _goes(block, drop_sealed)]
        changed = changed or len(blocks) != len(content)
        if blocks or not content:  # a message without any block would be refused
            kept.append(message if len(blocks) == len(content) else {**message, "content": blocks})
    if not changed:
        return {}
    thinking = data.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") == "enabled" and _is_in_unsigned_loop(kept):
        # With a budget, the API refuses to go on thinking behind tool calls that were made without.
        return {"messages": kept, "thinking": {"type": "disabled"}}
    return {"messages": kept}


def _goes(block: Any, drop_sealed: bool) -> bool:
    return isinstance(block, dict) and block.get("type") in _SEALED and (drop_sealed or _is_ours(block))


def _is_in_unsigned_loop(messages: list[Any]) -> bool:
    if len(messages) < 2 or not any(block.get("type") == "tool_result" for block in _blocks(messages[-1:])):
        return False
    made = [block.get("type") for block in _blocks(messages[-2:-1])]
    return "tool_use" in made and made[0] not in _SEALED


def opening(data: dict[str, Any]) -> Opening:
    """As a chat's, with the ids of the first answer's calls: an answer may be nothing else."""
    found = chat_opening(data)
    messages = data.get("messages")
    for message in messages[:MESSAGES_LOOKED_AT] if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("role") == "assistant":
            ids = (block.get("id") for block in _blocks([message]) if block.get("type") == "tool_use")
            calls = tuple(telling(each) for each in ids if isinstance(each, str))
            return found._replace(answer=(*found.answer, *calls)) if calls else found
    return found


def count_input(data: dict[str, Any]) -> int:
    """A local estimate of `input_tokens` for `count_tokens`: text by its bytes, pictures and PDFs by rule of thumb. Never raises."""
    messages = data.get("messages")
    contents = [message.get("content") for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []
    seen = _look_at(contents)
    text = orjson.dumps([data.get("system"), messages, data.get("tools")])
    return tokens_from_bytes(max(0, len(text) - seen.media_bytes)) + seen.media_tokens


DIALECT = Dialect(
    name="messages",
    paths=("/v1/messages", "/messages"),
    read=read,
    prepare=prepare,
    new_scanner=lambda ask: _anthropic.MessagesScanner(),
    read_answer=_anthropic.read_answer,
    read_large_answer=_anthropic.read_large_answer,
    error_body=_anthropic.error_body,
    error_events=_anthropic.error_events,
    end_events=_anthropic.END_EVENTS,
    excerpt=lambda data, harness, hints: chat_excerpt(data, endpoint="messages", harness=harness, hints=hints),
    opening=opening,
    count_input=count_input,
    codec=CODEC,
)
