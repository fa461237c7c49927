"""OpenAI's Responses. https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

from typing import Any, NamedTuple

from providers.codecs.responses import CODEC
from providers.codecs.responses.seals import is_ours
from providers.dialects import Ask, BadRequestError, Dialect, Opening, _openai, _responses
from providers.dialects._openings import MESSAGES_LOOKED_AT, chat_opening
from providers.dialects.excerpts.responses import CALL_ARGUMENTS, input_items, responses_excerpt, tool_names
from providers.pieces import Body
from providers.splice import set_members
from routing.calibration import tokens_from_bytes

IMAGE_TOKENS = 1000
"""A guess that fits a full-size picture at OpenAI; what counts is not to count its base64 as text."""
FILE_BYTES_PER_TOKEN = 50
"""As for the PDFs of the messages dialect: counted as text, a file would weigh ten times as much."""

_COMMON_ITEMS = (None, "message", "function_call", "function_call_output")

_KEPT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
"""With one of these the input may be empty: the rest stands at OpenAI."""


def read(data: dict[str, Any], size: int) -> Ask:
    model = _openai.read_model(data)
    given = data.get("input")
    if not isinstance(given, str | list) and not (given is None and any(data.get(key) for key in _KEPT_ELSEWHERE)):
        raise BadRequestError(
            "`input` must be a string or an array of items", "input", "missing_required_parameter" if given is None else "invalid_type"
        )
    seen = _look_at(given if isinstance(given, list) else [])
    bits = _openai.TOOLS if data.get("tools") or seen.has_tools else 0
    if seen.has_images:
        bits |= _openai.VISION
    if _wants_json(data):
        bits |= _openai.JSON
    tokens = tokens_from_bytes(max(0, size - seen.media_bytes)) + seen.media_tokens
    ask = Ask(model, _openai.read_stream(data), bits, tokens, _openai.read_count(data, "max_output_tokens"))
    ask.has_own_reasoning, ask.has_sealed_reasoning = seen.has_own_seals, seen.has_seals
    previous = data.get("previous_response_id")
    if previous and isinstance(previous, str):
        ask.previous_answer_id = previous
    ask.needs_all_of_responses = bool(previous) or seen.has_more_than_calls or _has_more_than_functions(data.get("tools"))
    return ask


def _has_more_than_functions(tools: Any) -> bool:
    return isinstance(tools, list) and any(isinstance(tool, dict) and tool.get("type") != "function" for tool in tools)


def _wants_json(data: dict[str, Any]) -> bool:
    text = data.get("text")
    return isinstance(text, dict) and _openai.wants_json(text.get("format"))


class _Seen(NamedTuple):
    media_tokens: int
    media_bytes: int
    """Of the body: base64 that must not be counted as text."""
    has_images: bool
    has_tools: bool
    has_own_seals: bool
    """Those that donut made."""
    has_seals: bool
    """Those of one account."""
    has_more_than_calls: bool
    """Items besides messages, calls of functions and their results?"""


def _look_at(items: list[Any]) -> _Seen:
    """What the items are, and the parts of messages and results (screenshots come in them). An agent has hundreds of them."""
    tokens = size = 0
    has_images = has_tools = has_own = has_seals = has_more = False
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise BadRequestError(f"`input[{index}]` must be an object with a type", f"input[{index}]", "invalid_type")
        kind = item.get("type")
        if kind == "function_call":
            continue  # nothing but text
        if kind not in _COMMON_ITEMS:
            has_more = True
            has_tools = has_tools or kind == "additional_tools"
            if kind in ("reasoning", "compaction"):
                if is_ours(item):
                    has_own = True
                else:
                    has_seals = has_seals or bool(item.get("encrypted_content"))
                continue
        parts = item.get("content")
        if not isinstance(parts, list):
            parts = item.get("output")
            if not isinstance(parts, list):
                continue
        for part in parts:
            made = part.get("type") if isinstance(part, dict) else None
            if made == "input_image":
                has_images = True
                tokens += IMAGE_TOKENS
                size += _length(part.get("image_url"))
            elif made == "input_file":
                length = _length(part.get("file_data"))
                tokens += length // FILE_BYTES_PER_TOKEN
                size += length
    return _Seen(tokens, size, has_images, has_tools, has_own, has_seals, has_more)


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else 0


def prepare(body: bytes, data: dict[str, Any], ask: Ask, upstream_model: str) -> Body:
    """The model's name, what a policy or config asks for, and no reasoning that this upstream would refuse: nothing else changes."""
    changes: dict[str, Any] = {}
    if ask.model != upstream_model or _openai.may_name_another(body):
        changes["model"] = upstream_model
    if (ask.drop_sealed or ask.has_own_reasoning) and isinstance(data.get("input"), list):
        kept = [item for item in data["input"] if not _goes(item, drop_sealed=ask.drop_sealed)]
        if len(kept) < len(data["input"]):
            changes["input"] = kept
    if ask.defaults:
        changes |= _defaults(data, ask)
    return set_members(body, data, changes) if changes else body


def _goes(item: Any, *, drop_sealed: bool) -> bool:
    """Reasoning that this upstream cannot read. A compaction item stays: without it there would be no conversation."""
    return (
        isinstance(item, dict)
        and item.get("type") == "reasoning"
        and (is_ours(item) or (drop_sealed and bool(item.get("encrypted_content"))))
    )


def _defaults(data: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """The members that a policy adds where the client said nothing."""
    added: dict[str, Any] = {}
    if ask.output_tokens_max is None and "output_tokens" in ask.defaults:
        added["max_output_tokens"] = ask.defaults["output_tokens"]
    if data.get("temperature") is None and "temperature" in ask.defaults and not ask.is_for_reasoner:
        added["temperature"] = ask.defaults["temperature"]
    return added


def opening(data: dict[str, Any]) -> Opening:
    """As a chat's: items are read as the messages that they would be there."""
    messages: list[Any] = []
    for item in input_items(data)[:MESSAGES_LOOKED_AT]:
        kind = item.get("type") if isinstance(item, dict) else None
        if isinstance(kind, str) and kind in CALL_ARGUMENTS:
            messages.append({"role": "assistant", "tool_calls": [{"id": item.get("call_id"), "function": _function(item, kind)}]})
        elif isinstance(item, dict) and item.get("role") and kind != "additional_tools":
            messages.append(item)
    found = chat_opening({**data, "messages": messages, "tools": None, "system": data.get("instructions")})
    return found._replace(tool_names=tuple(tool_names(data)), session=found.session or _thread(data))


def _function(item: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"name": item.get("name"), "arguments": item.get(CALL_ARGUMENTS[kind])}


def _thread(data: dict[str, Any]) -> str | None:
    """Codex says in the body, too, which thread this is; the API's own word for a conversation is one as well."""
    told, conversation = data.get("client_metadata"), data.get("conversation")
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
    thread = told.get("thread_id") if isinstance(told, dict) else None
    return next((each for each in (conversation, thread) if isinstance(each, str) and each), None)


DIALECT = Dialect(
    name="responses",
    paths=("/v1/responses", "/responses", "/backend-api/codex/responses"),
    read=read,
    prepare=prepare,
    new_scanner=lambda ask: _responses.ResponsesScanner(),
    read_answer=_responses.read_answer,
    read_large_answer=_responses.read_large_answer,
    error_body=_openai.error_body,
    error_events=_responses.error_events,
    end_events=_responses.END_EVENTS,
    excerpt=lambda data, harness, hints: responses_excerpt(data, harness=harness, hints=hints),
    opening=opening,
    codec=CODEC,
)
