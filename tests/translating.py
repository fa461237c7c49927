"""What every codec has in common, for tests that hold for all of them: the codecs there are, conversations and answers that each of their
formats can say, and what of an answer must be the same in all of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
from hypothesis import strategies as st

import providers.codecs
from providers.codecs import Codec, Frame
from providers.codecs.conversation import (
    Conversation,
    Image,
    OutputFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from providers.codecs.effort import effort_of
from providers.codecs.events import BlockEnded, BlockKind, BlockStarted, Delta, Event, Finished, FinishReason, Started, UsageSeen
from routing.types import Usage


def find_codecs() -> dict[str, Codec]:
    """Every package of `providers.codecs`, by name. Raises where one exports no CODEC, or under another name than its own."""
    found: dict[str, Codec] = {}
    for info in pkgutil.iter_modules(providers.codecs.__path__):
        if info.ispkg:
            codec = importlib.import_module(f"providers.codecs.{info.name}").CODEC
            assert isinstance(codec, Codec)
            assert codec.name == info.name
            found[info.name] = codec
    return found


CODECS = find_codecs()
FRAME = Frame("the-name-asked-for", "answer1", 1_800_000_000)
MODEL = {"messages": "claude-opus-5-5", "gemini": "gemini-3-flash", "chat": "gpt-4.1", "responses": "gpt-4.1"}
"""Upstream models that take nearly all of what their format can say."""
ANY_MODEL = "qwen3-coder"


# Requests

WORDS = st.text(min_size=1, max_size=8).filter(lambda text: text.strip() == text and not text.startswith("x-anthropic"))
INPUTS = st.dictionaries(WORDS, st.none() | st.integers(-9, 9) | WORDS | st.lists(WORDS, max_size=2), max_size=2)
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"], "additionalProperties": False}
NAMES = st.sampled_from(["read_file", "write_file"])
PICTURES = st.sampled_from([Image(data="aaaa", media_type="image/png"), Image(data="bbbb", media_type="image/jpeg")])
TOOLS = (Tool("read_file", "Reads.", SCHEMA), Tool("write_file", "Writes.", {"type": "object", "properties": {}}))


@st.composite
def _turns(draw: st.DrawFn) -> list[Turn]:
    """System text in front; then turn about, each call answered, in its order, in the turn behind it."""
    turns = [Turn(Role.SYSTEM, (Text(draw(WORDS)),))] if draw(st.booleans()) else []
    turns.append(Turn(Role.USER, (Text(draw(WORDS)), *draw(st.lists(PICTURES, max_size=1)))))
    for number in range(draw(st.integers(0, 3))):
        calls = [
            ToolCall(f"call_{number}_{each}", draw(NAMES), orjson.dumps(draw(INPUTS)).decode()) for each in range(draw(st.integers(0, 2)))
        ]
        said = [Text(draw(WORDS))] if not calls or draw(st.booleans()) else []
        turns.append(Turn(Role.ASSISTANT, (*said, *calls)))
        answered = tuple(ToolResult(call.id, (Text(draw(WORDS)),)) for call in calls)
        turns.append(Turn(Role.USER, answered or (Text(draw(WORDS)),)))
    return turns


@st.composite
def conversations(draw: st.DrawFn, without: frozenset[str] = frozenset()) -> Conversation:
    """What all formats can say; members in `without` are left unsaid."""
    turns = draw(_turns())
    conversation = Conversation(turns, max_tokens=draw(st.integers(70_000, 90_000)), dialect=draw(st.sampled_from(sorted(CODECS))))
    has_calls = any(isinstance(part, ToolCall) for turn in turns for part in turn.parts)
    if has_calls or draw(st.booleans()):
        conversation.tools = TOOLS
        modes = [ToolChoice("auto"), ToolChoice("none"), ToolChoice("required"), ToolChoice("named", "read_file")]
        conversation.tool_choice = draw(st.none() | st.sampled_from(modes))
    mode = conversation.tool_choice.mode if conversation.tool_choice is not None else "auto"
    may_call = bool(conversation.tools) and mode != "none"
    optional: dict[str, st.SearchStrategy[Any]] = {
        "parallel_tool_calls": st.just(False) if may_call else st.none(),
        "output": st.just(OutputFormat("json_schema", SCHEMA, "answer", strict=True))
        if not conversation.tools
        else st.just(OutputFormat()),
        "stop": st.lists(WORDS, min_size=1, max_size=3, unique=True).map(tuple),
        "seed": st.integers(1, 99),
        "temperature": st.sampled_from([0.0, 0.5, 1.0]),
        "top_p": st.sampled_from([0.25, 0.75]),
        "thinking": st.none()
        if mode in ("required", "named")
        else st.sampled_from(["low", "medium", "high"]).map(lambda effort: Thinking(effort=effort)),
        "user": st.just("baker"),
    }
    for name, values in optional.items():
        if name not in without and draw(st.booleans()):
            setattr(conversation, name, draw(values))
    return conversation


def essence(conversation: Conversation) -> dict[str, Any]:
    """What was asked, without what each format adds of its own (declarations as they came, unsaid defaults, names of results)."""
    thinking, choice = conversation.thinking, conversation.tool_choice
    budget = thinking.budget_tokens if thinking is not None else None
    return {
        "turns": _spoken(conversation.turns),
        "tools": [(tool.name, tool.description, tool.schema, tool.strict is True, tool.kind) for tool in conversation.tools],
        "tool_choice": choice if choice is not None else ToolChoice(),
        "parallel_tool_calls": conversation.parallel_tool_calls is not False,
        "output": (conversation.output.kind, conversation.output.schema),
        "effort": None if thinking is None else thinking.effort or (effort_of(budget) if budget is not None else None),
        **{name: getattr(conversation, name) for name in ("max_tokens", "stop", "seed", "temperature", "top_p", "user")},
    }


def _spoken(turns: Iterable[Turn]) -> list[tuple[Role, list[object]]]:
    """Neighbouring turns of one role as one: chat tells each result in a message of its own."""
    found: list[tuple[Role, list[object]]] = []
    for turn in turns:
        parts: list[object] = [part._replace(name=None) if isinstance(part, ToolResult) else part for part in turn.parts]
        if found and found[-1][0] is turn.role:
            found[-1][1].extend(parts)
        else:
            found.append((turn.role, parts))
    return found


# Answers

TEXTS = st.text(min_size=1, max_size=6) | st.sampled_from(["\n\n", "\r\n", 'data: {"error":1}\n\n', "[DONE]", "é🍩\u2028", '"}]'])


@st.composite
def _block(draw: st.DrawFn, number: int, kind: BlockKind) -> list[Event]:
    if kind is not BlockKind.TOOL_CALL:
        return [
            BlockStarted(number, kind),
            *(Delta(number, text) for text in draw(st.lists(TEXTS, min_size=1, max_size=3))),
            BlockEnded(number),
        ]
    arguments = orjson.dumps(draw(INPUTS)).decode()
    middle = draw(st.integers(0, len(arguments)))
    pieces = [piece for piece in (arguments[:middle], arguments[middle:]) if piece]
    return [BlockStarted(number, kind, f"call_{number}", draw(NAMES)), *(Delta(number, piece) for piece in pieces), BlockEnded(number)]


USAGES = st.builds(
    lambda uncached, read, write, output, thought: Usage(uncached, read, write, output, min(output, thought)),
    *(st.integers(low, 99) for low in (1, 0, 0, 1, 0)),
)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Reasoning, then text, then calls: the order in which all formats can say them. Calls may run beside one another, as chat's may."""
    kinds = [kind for kind in (BlockKind.REASONING, BlockKind.TEXT) if draw(st.booleans())]
    calls = draw(st.integers(0 if kinds else 1, 3))
    said = [event for number, kind in enumerate(kinds) for event in draw(_block(number, kind))]
    waiting = [draw(_block(len(kinds) + number, BlockKind.TOOL_CALL)) for number in range(calls)]
    begun = 0
    while any(waiting):
        number = draw(st.sampled_from([index for index, events in enumerate(waiting) if events and index <= begun]))
        begun = max(begun, number + 1)
        said.append(waiting[number].pop(0))
    reason = draw(st.sampled_from([FinishReason.LENGTH, FinishReason.TOOL_CALLS if calls else FinishReason.STOP]))
    return [Started("up", "up-model"), *said, UsageSeen(draw(USAGES)), Finished(reason)]


class Gist(NamedTuple):
    """What a client has of an answer in the end, whatever its format."""

    reasoning: str
    text: str
    """Refusals count as text: half of the formats know no other way to say them."""
    calls: tuple[tuple[str | None, str | None, str], ...]
    """(id, name, arguments as compact JSON)"""
    reason: FinishReason | None
    input_tokens: int
    output_tokens: int
    cache_read: int


def gist(events: Iterable[Event]) -> Gist:
    started: dict[int, BlockStarted] = {}
    texts: dict[int, str] = {}
    usage, reason = Usage(), None
    for event in events:
        match event:
            case BlockStarted():
                started[event.block], texts[event.block] = event, ""
            case Delta():
                texts[event.block] += event.text
            case UsageSeen():
                usage = event.usage
            case Finished():
                reason = event.reason
            case _:
                pass
    reasoning = "".join(texts[number] for number, block in started.items() if block.kind is BlockKind.REASONING)
    text = "".join(texts[number] for number, block in started.items() if block.kind in (BlockKind.TEXT, BlockKind.REFUSAL))
    calls = tuple((block.id, block.name, _compact(texts[number])) for number, block in started.items() if block.kind is BlockKind.TOOL_CALL)
    return Gist(reasoning, text, calls, reason, usage.input, usage.output, usage.cache_read)


def _compact(arguments: str) -> str:
    """JSON without its blanks; what is none stays as it is (a custom tool's text, an answer cut short)."""
    try:
        return orjson.dumps(orjson.loads(arguments or "{}")).decode()
    except orjson.JSONDecodeError:
        return arguments


def decoded(codec: Codec, pieces: Iterable[bytes]) -> list[Event]:
    decoder = codec.new_decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return merged([*events, *decoder.finish()])


def encoded(codec: Codec, events: Iterable[Event], frame: Frame = FRAME) -> bytes:
    """Event by event, as they come in life."""
    encoder = codec.new_encoder(frame)
    return b"".join(encoder.encode([event]) for event in events)


def merged(events: Iterable[Event]) -> list[Event]:
    """Neighbouring deltas of one block as one: where the pieces were cut says nothing."""
    found: list[Event] = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, Delta) and isinstance(last, Delta) and last.block == event.block:
            found[-1] = Delta(event.block, last.text + event.text)
        else:
            found.append(event)
    return found


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted({min(index, len(data)) for index in at}), len(data)]
    return [piece for start, end in pairwise(edges) if (piece := data[start:end])]


def through_json(body: Mapping[str, Any]) -> Any:
    """What the far end would read."""
    return orjson.loads(orjson.dumps(body))


def reason_of(events: Sequence[Event]) -> FinishReason | None:
    return next((event.reason for event in events if isinstance(event, Finished)), None)
