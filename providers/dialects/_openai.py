"""What OpenAI's chat, completions and embeddings have in common: usage, errors, and the scanner of their streams."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate, product, repeat
from typing import Any

import orjson

from providers import sse
from providers.codecs.chat import failures, usage
from providers.dialects import AnswerFacts, Ask, BadRequestError, ErrorReply, _tail
from providers.splice import has_escaped_names
from providers.sse import EVENT_ENDS
from routing.calibration import tokens_from_bytes
from routing.facts import Failure, FailureKind
from routing.types import Capability, Usage

read_usage, failure_in = usage.read_usage, failures.failure_in

_DONE = b"data: [DONE]"
END_EVENTS = _DONE + b"\n\n"

TOOLS, JSON, VISION = int(Capability.TOOLS), int(Capability.JSON), int(Capability.VISION)
"""The bits as plain numbers: `|` between two flags costs as much as reading a short message."""

# For `map`: a long conversation has hundreds of messages, and C looks at each of them in a fraction of the time.
_MEMBER, _CONTENT = dict.get, repeat("content")
_OTHER_CAPITALS = frozenset(map("".join, product("mM", "oO", "dD", "eE", "lL"))) - {"model"}
_JSON_FORMATS = ("json_object", "json_schema")
_MARK = re.compile(rb'"(?:error"|finish_reason": ?"|usage"\s*:\s*\{)')
"""What an error, an end or usage looks like; `[DONE]` is looked for beside it, since without the quote in front this would take five times
as long.

Inside JSON strings the quotes are escaped, so prose never matches. `"finish_reason":null` and `"usage":null` stand in every chunk of some
servers and mean nothing.
"""
# Its parts, for `_marked_event`.
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_FINISHED, _FINISHED_SPACED = b'"finish_reason":"', b'"finish_reason": "'


def require(data: dict[str, Any], key: str, kind: type, hint: str) -> Any:
    """The member `key`, which must be there and of `kind`. Raises BadRequestError naming it."""
    if key not in data:
        raise BadRequestError(f"`{key}` is missing: {hint}", key, "missing_required_parameter")
    value = data[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadRequestError(f"`{key}` must be {hint}, not {_json_type(value)}", key, "invalid_type")
    return value


def read_model(data: dict[str, Any]) -> str:
    model = data.get("model")
    if not isinstance(model, str):
        model = require(data, "model", str, "a string: the name of a model, or auto")
    if not model:
        raise BadRequestError("`model` is empty: name a model, or auto", "model", "invalid_value")
    if not _OTHER_CAPITALS.isdisjoint(data):
        # Servers written in Go take any capitals for the same key, so the upstream could be told of a model that donut did not choose.
        key = next(key for key in data if key in _OTHER_CAPITALS)
        raise BadRequestError(f"`{key}` beside `model`: some servers read both as the model's name, so write `model` only", key)
    return model


def read_talk(data: dict[str, Any], size: int) -> tuple[Ask, list[dict[str, Any]], list[Any]]:
    """What a chat and Anthropic's messages ask for in the same words, the messages, and what each of them has as its content. Raises
    BadRequestError.

    One look tells that all is as it should be; where it is not, each is read by itself and says what is wrong.
    """
    stream = data.get("stream", False)
    try:
        model, messages = data["model"], data["messages"]
        contents = [*map(_MEMBER, messages, _CONTENT)]  # fails unless it is an array of nothing but objects
    except (KeyError, TypeError):
        model = contents = None
    if not (model and contents and isinstance(model, str) and isinstance(stream, bool) and _OTHER_CAPITALS.isdisjoint(data)):
        model, messages, stream = read_model(data), _read_messages(data), read_stream(data)
        contents = [message.get("content") for message in messages]
    limit = data.get("max_tokens")
    if type(limit) is not int or limit <= 0:  # as `read_count` has it
        limit = None
    return Ask(model, stream, TOOLS if data.get("tools") else 0, tokens_from_bytes(size), limit), messages, contents


def _read_messages(data: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = require(data, "messages", list, "a non-empty array of messages")
    if not messages:
        raise BadRequestError("`messages` is empty: it must hold at least one message", "messages", "invalid_value")
    check_objects(messages, "messages", "an object with role and content")
    return messages


def check_objects(items: list[Any], name: str, hint: str) -> None:
    """Raises BadRequestError unless every item of the member `name` is an object."""
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise BadRequestError(f"`{name}[{index}]` must be {hint}", f"{name}[{index}]", "invalid_type")


def may_name_another(body: bytes) -> bool:
    """May `model` stand in `body` more than once? Parsers differ on which of repeated keys counts; a key can be spelled with escapes."""
    return body.rfind(b'"model"', 0, body.rfind(b'"model"')) >= 0 or has_escaped_names(body)


def read_stream(data: dict[str, Any]) -> bool:
    stream = data.get("stream", False)
    if isinstance(stream, bool):
        return stream
    if stream is None:
        return False
    raise BadRequestError(f"`stream` must be true or false, not {_json_type(stream)}", "stream", "invalid_type")


def read_count(data: dict[str, Any], key: str) -> int | None:
    """A positive integer member, or None when it is absent or not one (the upstream may then say what it thinks of it)."""
    value = data.get(key)
    return value if type(value) is int and value > 0 else None


def wants_json(wanted: object) -> bool:
    """Of a `response_format` or what Responses calls `text.format`."""
    return isinstance(wanted, dict) and wanted.get("type") in _JSON_FORMATS


def defaults(data: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """The members that a policy adds where the client said nothing."""
    added: dict[str, Any] = {}
    if ask.output_tokens_max is None and "output_tokens" in ask.defaults:
        # OpenAI's reasoning models refuse `max_tokens`, and small servers know nothing else. Legacy completions have no other name.
        name = "max_completion_tokens" if ask.is_for_reasoner and "messages" in data else "max_tokens"
        added[name] = ask.defaults["output_tokens"]
    if data.get("temperature") is None and "temperature" in ask.defaults and not ask.is_for_reasoner:
        added["temperature"] = ask.defaults["temperature"]
    return added


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def error_object(reply: ErrorReply) -> dict[str, Any]:
    return failures.error_object(reply.status, reply.code, reply.message, reply.param)


def error_body(reply: ErrorReply) -> bytes:
    return orjson.dumps(error_object(reply))


def error_events(reply: ErrorReply) -> bytes:
    """One error frame and the end: OpenCode loops on a stream that just stops."""
    return b"data: " + error_body(reply) + b"\n\n" + END_EVENTS


def read_answer(body: bytes, text_of: Callable[[dict[str, Any]], int]) -> AnswerFacts:
    """Facts of a whole answer; `text_of` counts the bytes of its text."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return AnswerFacts(failure=Failure(FailureKind.PROTOCOL, "the upstream's answer is not JSON"))
    if not isinstance(data, dict):
        return AnswerFacts(failure=Failure(FailureKind.PROTOCOL, "the upstream's answer is not a JSON object"))
    used = read_usage(data.get("usage"))
    # The text is measured even when usage is there: that is what calibrates the estimates of the answers without.
    size = text_of(data)
    return AnswerFacts(used, tokens_from_bytes(size) if size else 0, failure_in(data, body) if "error" in data else None)


def read_large_answer(tail: bytes, size: int) -> AnswerFacts:
    """Facts of an answer of which only the end was kept: every known server writes usage last, or near enough."""
    return AnswerFacts(usage=usage_in_tail(tail), output_tokens_estimated=tokens_from_bytes(size))


def usage_in_tail(tail: bytes) -> Usage | None:
    """Usage from the last bytes of a large answer."""
    return _tail.usage_in_tail(tail, read_usage)


class ChoiceScanner:
    """Scans a stream of `choices` chunks. After the first content it parses only chunks that carry a mark: a chunk of plain content costs
    two searches, and twenty in one piece cost the same two.

    `says` finds content in a chunk as most servers write it, and so spares them the reading of the first; `is_content` judges any choice.
    """

    # How each begins: defaults of the class, which no scanner has to set.
    _held = b""
    _ended: frozenset[int] = frozenset()
    """The indices of the answers that have ended."""
    has_content = False
    is_finished = False
    usage: Usage | None = None
    failure: Failure | None = None
    content_events = 0
    aside: dict[str, Any] | None = None

    def __init__(self, ask: Ask, is_content: Callable[[dict[str, Any]], bool], says: re.Pattern[bytes] | None = None) -> None:
        self._ask = ask
        self._is_content = is_content
        self._says = says

    @property
    def output_tokens_estimated(self) -> int:
        """Most servers send one token per event; calibration learns those that do not."""
        return self.content_events

    def passes(self, data: bytes) -> bool:
        if self.has_content and not self._held and data.endswith(EVENT_ENDS) and data.rfind(b"[DONE]") < 0 and _MARK.search(data) is None:
            self.content_events += data.count(b'"choices"')
            return True
        return False

    def feed(self, data: bytes) -> bytes:
        if self._held:
            data = self._held + data
            self._held = b""
        if not data.endswith(EVENT_ENDS):
            data = self._without_unfinished(data)
        return self._scan(data) if data else data

    def _without_unfinished(self, data: bytes) -> bytes:
        """Up to the last blank line; what stands behind it is held."""
        end = sse.last_boundary(data)
        if end or len(data) <= sse.MAX_EVENT_BYTES:
            self._held = data[end:]
            return data[:end]
        return data

    def finish(self) -> bytes:
        rest, self._held = self._held, b""
        if rest:
            rest = self._scan(rest)
            if self.failure is not None:
                rest += b"\n\n"  # an error event that lacked its blank line: what follows must not become part of it
        return rest

    def end_with(self, reply: ErrorReply) -> bytes:
        return error_events(reply)

    def _scan(self, data: bytes) -> bytes:
        """Read what must be read of complete events; returns them without those that the client must not see.

        A stream that comes in one piece is the beginning, one run of plain content and the end, and no work is done for every event of it.
        """
        hidden: list[tuple[int, int]] = []
        has_returns = b"\r" in data
        position, size = 0, len(data)
        while not self.has_content and position < size:
            end = 0 if has_returns else data.find(b"\n\n", position) + 2
            if end < 2:
                end = sse.event_end(data, position)
            if self._says is not None and self._says.search(data, position, end) is not None:
                self.has_content = True
                break  # it may be the first of the run
            if not self._read(data[position:end]):
                hidden.append((position, end))
            position = end
            if self.failure is not None:
                return self._up_to_failure(data[:end], hidden)
        if position < size:
            plain, position = position, _marked_event(data, position, has_returns)
            self.content_events += data.count(b'"choices"', plain, position)  # a comment is no token
        if position < size:
            events, blank = _split(data[position:], has_returns)
            edges: list[int] = []
            for index, event in enumerate(events):
                if event == _DONE:
                    self.is_finished = True
                elif _MARK.search(event) is None and b"[DONE]" not in event:
                    self.content_events += event.count(b'"choices"')
                elif not self._read(event):
                    edges = edges or _edges(events, blank, position)
                    hidden.append((edges[index], edges[index + 1]))
                elif self.failure is not None:
                    edges = edges or _edges(events, blank, position)
                    return self._up_to_failure(data[: edges[index + 1]], hidden)
        return _without(data, hidden) if hidden else data

    def _up_to_failure(self, data: bytes, hidden: list[tuple[int, int]]) -> bytes:
        """Nothing behind an error is forwarded, or what the client sees would depend on how the bytes were cut."""
        self._held = b""
        return _without(data, hidden)

    def _read(self, event: bytes) -> bool:
        """Take note of one event, with or without its blank line; False when the client must not see it."""
        try:
            # Nearly every upstream sends one line, and JSON may end in line ends. Other lines behind it, and this is no JSON.
            chunk = orjson.loads(event[6:]) if event.startswith(b"data: {") else self._odd_chunk(event)
        except orjson.JSONDecodeError:
            chunk = self._odd_chunk(event)
        if chunk is None:
            return True
        told = chunk.get("usage")
        if told is not None:
            self.usage = read_usage(told) or self.usage
        if chunk.get("error"):
            self.failure = failure_in(chunk, sse.payload(event) or event)
            self.is_finished = False  # even behind a finish reason: the stream still needs an end
            return True
        choices = chunk.get("choices")
        if not choices:
            # Also where it says nothing: a client that did not ask for it may not survive an event without choices.
            return not (self._ask.strip_usage and isinstance(told, dict))
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._read_choice(choice)
        return True

    def _odd_chunk(self, event: bytes) -> dict[str, Any] | None:
        """The chunk in an event of other lines than one; None where there is none."""
        payload = sse.payload(event)
        if payload is None:
            return None
        if payload.strip() == b"[DONE]":
            self.is_finished = True
            return None
        try:
            chunk = orjson.loads(payload)
        except orjson.JSONDecodeError:
            chunk = None
        if isinstance(chunk, dict):
            return chunk
        # Not ours to judge: it goes through, and counts as content, so that it is never sent twice.
        self.has_content = True
        return None

    def _read_choice(self, choice: dict[str, Any]) -> None:
        if self._is_content(choice):
            self.has_content = True
            self.content_events += 1
        if choice.get("finish_reason"):
            self.has_content = True
            if self._ask.answers == 1 or self._have_all_ended(choice.get("index")):
                self.is_finished = True

    def _have_all_ended(self, index: object) -> bool:
        """Now that the one at `index` has. By index: some servers repeat the reason, and one answer that ended twice is not two."""
        self._ended |= {index if isinstance(index, int) else 0}
        return len(self._ended) >= self._ask.answers


def _marked_event(data: bytes, position: int, has_returns: bool) -> int:
    """Where the first event that carries a mark begins, from the one at `position` on; the end of `data` where there is none."""
    size = len(data)
    # The newest finish reason is nearly always the first mark as well, and CPython searches backwards twice as fast as forwards.
    mark = data.rfind(_FINISHED, position)
    if mark < 0:
        mark = size
    if not (  # as `_MARK`, in half its time where much is to be looked through
        data.rfind(b'"error"', position, mark) < 0
        and data.rfind(_FINISHED, position, mark) < 0
        and data.rfind(_FINISHED_SPACED, position, mark) < 0
        and data.rfind(b"[DONE]", position, mark) < 0
        and (data.rfind(b'"usage"', position, mark) < 0 or _USAGE.search(data, position, mark) is None)
    ):
        found = _MARK.search(data, position)
        mark = size if found is None else found.start()
        done = data.find(b"[DONE]", position, mark)
        mark = mark if done < 0 else done
    if mark == size:
        return size
    if has_returns:
        return position + sse.last_boundary(data[position:mark])
    blank = data.rfind(b"\n\n", position, mark)
    return position if blank < 0 else blank + 2


def _split(data: bytes, has_returns: bool) -> tuple[list[bytes], int]:
    """The events of `data`, and the length of the blank line that each of them lacks here."""
    if has_returns:
        return sse.events(data), 0
    events = data.split(b"\n\n")
    if not events[-1]:
        events.pop()
    return events, 2


def _edges(events: Sequence[bytes], blank: int, position: int) -> list[int]:
    """Where each of these events begins, the first of them at `position`, and the last one ends. Few streams need to know."""
    return [*accumulate((len(event) + blank for event in events), initial=position)]


def _without(data: bytes, hidden: list[tuple[int, int]]) -> bytes:
    pieces: list[bytes] = []
    position = 0
    for start, end in hidden:
        pieces.append(data[position:start])
        position = end
    pieces.append(data[position:])
    return b"".join(pieces)
