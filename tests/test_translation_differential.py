"""donut's translators beside another one, martian-linguafranca (PyPI, MIT), over everything that a client can ask for and all streams that
we have. Whatever they make differently stands in a table here, with the reason; a difference without one is a failure, and so is a reason
without its difference.

Both results are read by donut's own parser of the target format, so that only meaning counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
import pytest

from providers.codecs import UntranslatableError
from providers.codecs.events import BlockStarted
from providers.dialects import BadRequestError
from tests.far_ends import STREAMS, WHOLES
from tests.losses import BASE, FEATURES, UPSTREAM_MODEL
from tests.streams import RECORDINGS, payloads
from tests.translating import CODECS, FRAME, decoded, encoded, essence, gist, through_json

linguafranca = pytest.importorskip("linguafranca", reason="martian-linguafranca has no wheel for this platform")

FORMATS = {
    "chat": linguafranca.FormatName.OPENAI_CHAT_COMPLETIONS,
    "responses": linguafranca.FormatName.OPEN_RESPONSES,
    "messages": linguafranca.FormatName.ANTHROPIC_MESSAGES,
}
DIRECTIONS = pytest.mark.parametrize(("source", "target"), [(a, b) for a in FORMATS for b in FORMATS if a != b])
REFUSED = "refused"


class Why(NamedTuple):
    """`what` differs from `source` to `target` (empty: from or to all of them)."""

    reason: str
    what: tuple[str, ...]
    source: str = ""
    target: str = ""

    def covers(self, source: str, target: str, what: str) -> bool:
        return what in self.what and self.source in ("", source) and self.target in ("", target)


REQUESTS = (
    Why(
        "It drops stop sequences. donut sends them, and refuses where the format has none: the answer would run on.",
        ("stop", "stop_sequences"),
    ),
    Why("It drops who is asking.", ("user", "safety_identifier", "metadata.user_id")),
    Why("It drops the wish for one call at a time.", ("parallel_tool_calls false", "disable_parallel_tool_use")),
    Why("It drops half of what was asked for; donut refuses.", ("n 2", "audio as output")),
    Why("It drops audio; donut sends it to formats that have it and refuses for Anthropic's.", ("audio",)),
    Why(
        "It drops a file, or sends its id to a vendor who does not know it; donut refuses there.",
        ("file by id", "image by id", "file by URL", "PDF by URL"),
    ),
    Why(
        "It drops what OpenAI keeps; donut refuses: the model would not know of it.",
        ("item_reference", "previous_response_id", "conversation", "prompt", "background"),
        "responses",
    ),
    Why("It sends sampling members that the vendor's newest models refuse with a 400.", ("temperature", "top_p")),
    Why("It moves the message to the front; donut leaves it where it stands.", ("system message later",), "chat", "messages"),
    Why(
        "It leaves the message where it stands, which templates of open models refuse; donut says it as a reminder.",
        ("system message later",),
        "messages",
        "chat",
    ),
    Why("It forgets the file's name, or leaves a data URL where base64 belongs.", ("PDF as base64",)),
    Why("It calls a text a file without a type; donut sends it as text.", ("document as text",), "messages"),
    Why(
        "It drops or renames documents with members it does not know.",
        ("context of a document", "citations of a document", "search_result"),
        "messages",
    ),
    Why("It drops what the client wants cached.", ("cache_control",), "chat", "messages"),
    Why(
        "It passes on thinking with the wrong vendor's seal, or drops it for its own; donut gives seals to their vendor only.",
        (
            "reasoning_details, signed by Anthropic",
            "reasoning_details, encrypted by OpenAI",
            "encrypted reasoning",
            "signed thinking",
            "redacted thinking",
        ),
    ),
    Why(
        "It makes a reasoning item that OpenAI did not write, which its API refuses.",
        ("reasoning_content of a call under way",),
        "chat",
        "responses",
    ),
    Why(
        "Anthropic guarantees JSON only with a schema: donut asks for it in words, it drops it.",
        ("response_format json_object", "text.format json_object"),
    ),
    Why(
        "It drops tools that take free text, or passes them on to servers that know functions only; donut wraps them.",
        ("custom tool", "custom tool's grammar"),
    ),
    Why("It joins a namespace with `--`, donut with `__`: both give it back.", ("namespace of tools",), "responses"),
    Why(
        "donut sends only the tools that may be called where the format cannot say so; it drops the choice, or sends what few know.",
        ("tool_choice allowed_tools",),
    ),
    Why(
        "It turns a vendor's own tool into another's; donut names it as lost: they search, cost and answer differently.",
        ("web_search_options", "web_search"),
    ),
    Why(
        "It drops the wish not to think; donut asks for as little as the model can.",
        ("reasoning_effort none", "reasoning.effort none", "thinking disabled"),
    ),
    Why("It drops the refusal.", ("refusal in the conversation",), "chat"),
    Why(
        "It sends Claude Code's accounting line to others, whose caches it spoils: it is new in every request.",
        ("billing line of Claude Code",),
        "messages",
    ),
    Why("It drops the picture, which a tool message cannot hold; donut puts it into the next user's message.", ("image in a result",)),
    Why("It does not know the block and refuses the whole request.", ("citations in the conversation",), "messages"),
    Why(
        "It keeps the vendor's call as a call of a function that nobody declared.",
        ("a server tool's call in the conversation",),
        "messages",
    ),
    Why("It drops `instructions` beside an `input` that is a string.", ("instructions",), "responses", "messages"),
)


def translated(source: str, body: Mapping[str, Any], target: str) -> Any:
    try:
        conversation = CODECS[source].parse(through_json(body))
        return asked(target, through_json(CODECS[target].encode(conversation, UPSTREAM_MODEL[target])))
    except (UntranslatableError, BadRequestError):
        return REFUSED


def asked(target: str, body: Mapping[str, Any]) -> Any:
    try:
        return essence(CODECS[target].parse(body))
    except (UntranslatableError, BadRequestError):
        return REFUSED


def theirs(source: str, body: Mapping[str, Any], target: str) -> Any:
    try:
        result = linguafranca.convert_request_json(through_json(body), source_format=FORMATS[source], target_format=FORMATS[target])
    except linguafranca.ConversionError:
        return REFUSED
    return asked(target, result.value)


def differing(source: str, target: str) -> set[str]:
    bodies = {what: {**BASE[source], **each.beside, **each.given} for what, each in FEATURES[source].items()}
    return {what for what, body in bodies.items() if translated(source, body, target) != theirs(source, body, target)}


@DIRECTIONS
def test_requests(source: str, target: str) -> None:
    unexplained = [what for what in differing(source, target) if not any(why.covers(source, target, what) for why in REQUESTS)]
    assert unexplained == []


def test_every_reason_has_its_difference() -> None:
    found = {(source, target, what) for source in FORMATS for target in FORMATS if source != target for what in differing(source, target)}
    idle = [(why.reason, what) for why in REQUESTS for what in why.what if not any(why.covers(*case) and case[2] == what for case in found)]
    assert idle == []


# Answers

REJECTED: Mapping[str, str] = {
    "missing field `input_tokens`": "`message_delta` with nothing but the output's tokens: llama-server, and Anthropic itself until 2025.",
    "missing field `created_at`": "llama-server's `response.created` without a time.",
    "missing field `id`": "An error in the middle of a chat stream.",
    "missing field `index`": "Calls without an index, as Gemini's OpenAI endpoint sent them.",
    "unknown variant `function_call`": "The older form of calls.",
    "invalid type: sequence, expected a string": "Mistral's content in parts.",
    "invalid type: map, expected a string": "Arguments that are an object, as some local servers send them.",
}
"""The beginning of its error → what real servers send that it takes for wrong."""

TOLD_OTHERWISE: Mapping[str, tuple[str, ...]] = {
    "It loses the arguments of a call's opening chunk.": ("chat calls streamed", "chat several_calls_in_one_chunk", "chat name_comes_late"),
    "It mixes calls that run beside one another, or that all say index 0.": ("chat interleaved_calls", "chat every_index_zero"),
    "It does not know `reasoning_details`.": ("chat openrouter_thinking",),
    "A refusal ends an answer for a reason of its own; it says `stop`.": ("chat refusal",),
    "A failure inside a stream is no end: it says `stop`, and clients take half an answer for a whole one.":
        ("messages overloaded", "responses failed", "chat error_inside"),
    "It runs the parts of a summary into each other.": ("responses text",),
}  # fmt: skip
"""Why it tells a stream otherwise → which streams, of some target at least."""


def streams() -> Iterable[tuple[str, str, bytes]]:
    """(source, name, bytes), without those whose calls only Codex's format has."""
    for source in FORMATS:
        for name, stream in zip(("calls streamed", "summary streamed"), STREAMS[source], strict=True):
            yield source, name, stream
    for path in sorted(RECORDINGS.glob("*/*.sse")):
        if path.parent.name in FORMATS:
            events = decoded(CODECS[path.parent.name], [path.read_bytes()])
            if not any(isinstance(event, BlockStarted) and (event.call_kind != "function" or event.namespace) for event in events):
                yield path.parent.name, path.stem, path.read_bytes()


def wire(target: str, events: Iterable[Any]) -> bytes:
    """Its events have no framing."""
    said = b"".join(
        (b"" if target == "chat" else f"event: {each['type']}\n".encode()) + b"data: " + orjson.dumps(each) + b"\n\n" for each in events
    )
    return said + (b"data: [DONE]\n\n" if target == "chat" else b"")


def difference(source: str, stream: bytes, target: str) -> str | None:
    """None: the same; its error, or an empty text where it says something else."""
    ours = gist(decoded(CODECS[target], [encoded(CODECS[target], decoded(CODECS[source], [stream]))]))
    said = [each for each in payloads(stream) if each != "[DONE]"]
    try:
        events = list(linguafranca.convert_response_stream_json(said, source_format=FORMATS[source], target_format=FORMATS[target]))
    except linguafranca.ConversionError as error:
        return str(error)
    return None if gist(decoded(CODECS[target], [wire(target, events)])) == ours else ""


def is_explained(source: str, name: str, said: str) -> bool:
    if said:
        return any(said.startswith(error) for error in REJECTED)
    return any(f"{source} {name}" in names for names in TOLD_OTHERWISE.values())


@DIRECTIONS
def test_streams(source: str, target: str) -> None:
    found = {name: difference(source, stream, target) for each, name, stream in streams() if each == source}
    assert {name: said for name, said in found.items() if said is not None and not is_explained(source, name, said)} == {}


def test_every_stream_told_otherwise_is() -> None:
    found = {
        f"{source} {name}"
        for source, name, stream in streams()
        for target in FORMATS
        if target != source and difference(source, stream, target) is not None
    }
    assert {name for names in TOLD_OTHERWISE.values() for name in names} - found == set()


WHOLE_TOLD_OTHERWISE = {("chat", "messages", 0): "It says `end_turn` behind a call, and Anthropic's clients then run no tool."}


@DIRECTIONS
@pytest.mark.parametrize("act", [0, 1], ids=["calls", "summary"])
def test_whole_answers(source: str, target: str, act: int) -> None:
    answer = WHOLES[source][act]
    ours = CODECS[target].decode_answer(through_json(CODECS[target].encode_answer(CODECS[source].decode_answer(answer), FRAME)))
    result = linguafranca.convert_response_json(through_json(answer), source_format=FORMATS[source], target_format=FORMATS[target])
    is_same = gist(CODECS[target].decode_answer(result.value)) == gist(ours)
    assert is_same is ((source, target, act) not in WHOLE_TOLD_OTHERWISE)
