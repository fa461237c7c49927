"""Google's generateContent and streamGenerateContent. https://ai.google.dev/api/generate-content

The model and whether the answer is streamed stand in the path, so a body goes to a Google upstream as it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson

from providers.codecs.gemini import CODEC
from providers.codecs.gemini.seals import UNSEALED, is_ours
from providers.codecs.gemini.spelling import member, snake
from providers.dialects import Ask, BadRequestError, Dialect, Opening, StreamScanner, _google, _openai
from providers.dialects._openings import MESSAGES_LOOKED_AT, telling
from providers.dialects.excerpts.gemini import gemini_excerpt, parts_of, read_content, tool_names
from providers.pieces import Body
from providers.splice import set_members
from routing.calibration import tokens_from_bytes

IMAGE_TOKENS = 1120
"""Generation 3's default for a picture (https://ai.google.dev/gemini-api/docs/media-resolution); older ones take 258 per tile."""
MEDIA_BYTES_PER_TOKEN = 200
"""A PDF page takes 258 to 560 tokens (https://ai.google.dev/gemini-api/docs/document-processing); that it fills 100 KB of base64 is our
guess. Counted as text, it would weigh fifty times as much."""
IN_PATH = frozenset({"model", "stream", "alt"})
"""Members that `match` says. They are no members of Google's body: an upstream that saw them would refuse it."""

_METHODS: Mapping[str, bool] = {"generateContent": False, "streamGenerateContent": True}
_VERSIONS = frozenset({"v1beta", "v1", "v1alpha"})


def match(path: str, query_string: bytes = b"") -> Mapping[str, Any] | None:
    """`/v1beta/models/MODEL:METHOD` → the members that it says. `alt=sse` asks for events, anything else for an array of chunks."""
    _, version, models, *rest = (*path.split("/", 3), "", "", "")[:4]
    if models != "models" or version not in _VERSIONS:
        return None
    model, colon, method = rest[0].rpartition(":")
    if not colon or method not in _METHODS:
        return None
    is_stream = _METHODS[method]
    alt = parse_qs(query_string.decode("latin-1")).get("alt", ["json"])[-1] if is_stream else "json"
    return {"model": model, "stream": is_stream, "alt": "sse" if alt == "sse" else "json"}


class GeminiAsk(Ask):
    is_array: bool = False
    """A stream as one JSON array."""


def read(data: dict[str, Any], size: int) -> Ask:
    model = _openai.read_model(data)
    contents = data.get("contents")
    if isinstance(contents, dict):  # one content without its array, as protobuf's JSON allows it
        contents = [contents]
    elif not isinstance(contents, list):
        contents = _openai.require(data, "contents", list, "a non-empty array of contents")
    if not contents:
        raise BadRequestError("`contents` is empty: it must hold at least one content", "contents", "invalid_value")
    _openai.check_objects(contents, "contents", "an object with role and parts")
    seen, config = _look_at(contents), _config(data)
    bits = _openai.TOOLS if data.get("tools") else 0
    if seen.has_images:
        bits |= _openai.VISION
    if member(config, "responseMimeType") == "application/json":
        bits |= _openai.JSON
    stream = _openai.read_stream(data)
    tokens = tokens_from_bytes(max(0, size - seen.media_bytes)) + seen.media_tokens
    ask = GeminiAsk(model, stream, bits, tokens, _openai.read_count(config, _spelt(config, "maxOutputTokens")))
    ask.answers = _openai.read_count(config, _spelt(config, "candidateCount")) or 1
    ask.has_own_reasoning, ask.has_sealed_reasoning = seen.has_own_seals, seen.has_seals
    if stream and data.get("alt") == "json":
        ask.is_array, ask.stream_type = True, b"application/json"
    return ask


def _config(data: Mapping[str, Any]) -> dict[str, Any]:
    config = member(data, "generationConfig")
    return config if isinstance(config, dict) else {}


def _spelt(data: Mapping[str, Any], name: str) -> str:
    """`name` as `data` spells it."""
    return name if name in data or snake(name) not in data else snake(name)


# Members of a part, in both spellings. An agent has hundreds of parts, and one look tells that a part has none of these.
_RESPONSES = frozenset({"functionResponse", "function_response"})
_BLOBS = frozenset({"inlineData", "inline_data", "fileData", "file_data"})
_NOTABLE = _BLOBS | {"thoughtSignature", "thought_signature"}


class _Seen(NamedTuple):
    media_tokens: int
    media_bytes: int
    """Of the body: base64 that must not be counted as text."""
    has_images: bool
    has_own_seals: bool
    """Those that donut made."""
    has_seals: bool
    """Those of one account."""


def _look_at(contents: object) -> _Seen:
    tokens = size = 0
    has_images = has_own = has_seals = False
    for part in _parts(contents):
        if _NOTABLE.isdisjoint(part):
            continue  # text, or a call
        if is_ours(member(part, "thoughtSignature")):
            has_own = True
        elif not has_seals:
            has_seals = _is_sealed(part)
        if _BLOBS.isdisjoint(part):
            continue
        for blob in _blobs(part):
            data, kind = blob.get("data"), member(blob, "mimeType")
            is_image = isinstance(kind, str) and kind.startswith("image/")
            length = len(data) if isinstance(data, str) else 0
            has_images = has_images or is_image
            size += length
            tokens += IMAGE_TOKENS if is_image else length // MEDIA_BYTES_PER_TOKEN
    return _Seen(tokens, size, has_images, has_own, has_seals)


def _parts(contents: object) -> Iterator[dict[str, Any]]:
    """Every part, those inside function responses as well (screenshots come in them)."""
    for content in contents if isinstance(contents, list) else [contents]:
        for part in parts_of(content) if isinstance(content, dict) else ():
            yield part
            if not _RESPONSES.isdisjoint(part):
                answered = member(part, "functionResponse")
                if isinstance(answered, dict) and "parts" in answered:
                    yield from parts_of(answered)


def _blobs(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("inlineData", "fileData"):
        blob = member(part, name)
        if isinstance(blob, dict):
            yield blob


def _is_sealed(part: Mapping[str, Any]) -> bool:
    """Does the part carry what only the account can read that made it? Neither the stand-in nor what donut put there is that."""
    signature = member(part, "thoughtSignature")
    return isinstance(signature, str) and bool(signature) and signature != UNSEALED and not is_ours(signature)


def prepare(body: bytes, data: dict[str, Any], ask: Ask, upstream_model: str) -> Body:
    """What a policy or config asks for, and no signature that this upstream would refuse: nothing else changes."""
    del upstream_model  # it stands in the path
    changes: dict[str, Any] = {}
    if ask.drop_sealed or ask.has_own_reasoning:
        contents = data["contents"]
        listed = contents if isinstance(contents, list) else [contents]
        changes["contents"] = [_unsealed(content, drop_sealed=ask.drop_sealed) for content in listed]
    if ask.defaults:
        changes |= _defaults(data, ask)
    if not changes:
        return body
    return set_members(body, {key: value for key, value in data.items() if key not in IN_PATH}, changes)


def _defaults(data: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """`generationConfig` with what a policy adds where the client said nothing."""
    config, added = _config(data), dict[str, Any]()
    if ask.output_tokens_max is None and "output_tokens" in ask.defaults:
        added["maxOutputTokens"] = ask.defaults["output_tokens"]
    if config.get("temperature") is None and "temperature" in ask.defaults and not ask.is_for_reasoner:
        added["temperature"] = ask.defaults["temperature"]
    return {_spelt(data, "generationConfig"): {**config, **added}} if added else {}


def _unsealed(content: dict[str, Any], *, drop_sealed: bool) -> dict[str, Any]:
    """A content without donut's own signatures; on demand without Google's, too. A call gets the stand-in: without any it is refused."""
    parts = parts_of(content)
    kept = [
        _without_seal(part) if (drop_sealed and _is_sealed(part)) or is_ours(member(part, "thoughtSignature")) else part for part in parts
    ]
    return content if kept == parts else {**content, "parts": kept}


def _without_seal(part: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in part.items() if name not in ("thoughtSignature", "thought_signature")}
    if member(part, "functionCall") is not None:
        kept["thoughtSignature"] = UNSEALED
    return kept


def opening(data: dict[str, Any]) -> Opening:
    """System text, functions, and the words before the model's first answer, however they are spread over contents and parts."""
    contents = data.get("contents")
    system = member(data, "systemInstruction")
    before: list[str] = []
    answer: tuple[str, ...] = ()
    for content in contents[:MESSAGES_LOOKED_AT] if isinstance(contents, list) else ():
        said = read_content(content)
        if said.role == "assistant":
            calls = (text for call in said.calls for text in (call.id, call.arguments))
            answer = tuple(map(telling, (*said.texts, *calls))) or ("",)  # an empty answer is one, too
            break
        before += said.texts
    standing = read_content(system).texts
    return Opening(_joined(standing), tuple(tool_names(data)), _joined(before), answer)


def _joined(texts: Any) -> tuple[str, ...]:
    return (telling("\n".join(texts)),) if texts else ()


def count_input(data: dict[str, Any]) -> int:
    """A local estimate of `totalTokens` for `countTokens`: text by its bytes, pictures and PDFs by rule of thumb. Never raises."""
    inner = member(data, "generateContentRequest")
    request = inner if isinstance(inner, dict) else data
    contents = request.get("contents")
    seen = _look_at(contents)
    text = orjson.dumps([member(request, "systemInstruction"), contents, request.get("tools")])
    return tokens_from_bytes(max(0, len(text) - seen.media_bytes)) + seen.media_tokens


def _new_scanner(ask: Ask) -> StreamScanner:
    is_array = isinstance(ask, GeminiAsk) and ask.is_array
    return _google.ArrayScanner(ask.answers) if is_array else _google.GeminiScanner(ask.answers)


DIALECT = Dialect(
    name="gemini",
    paths=(),
    read=read,
    prepare=prepare,
    new_scanner=_new_scanner,
    read_answer=_google.read_answer,
    read_large_answer=_google.read_large_answer,
    error_body=_google.error_body,
    error_events=_google.error_events,
    end_events=_google.END_EVENTS,
    excerpt=lambda data, harness, hints: gemini_excerpt(data, harness=harness, hints=hints),
    opening=opening,
    count_input=count_input,
    codec=CODEC,
    match=match,
)
