"""What a dialect is: one wire format, sans-IO. One file per dialect exports `DIALECT`; nothing outside that file knows its JSON.

Same dialect on both sides means the bytes go through: a dialect reads just enough to route, account and notice the end, and changes
only what is listed in README.md ("What donut changes").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from providers.codecs import Codec
from providers.pieces import Body
from routing.classify.excerpt import Excerpt
from routing.facts import FAILURES, Failure, FailureKind
from routing.types import Usage

EVENT_STREAM = b"text/event-stream"


class BadRequestError(Exception):
    """The client's body is wrong. `param` names the field, `str()` says what was wrong and what would be right."""

    def __init__(self, message: str, param: str | None = None, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An error for the client, before it takes a dialect's shape."""

    status: int
    code: str
    message: str
    param: str | None = None
    retry_after_s: float | None = None

    @property
    def failure(self) -> Failure:
        """What it would be if an upstream had said it: for frames that are written by kind."""
        kind = _KINDS.get(self.code, FailureKind.OVERLOADED if self.status >= 500 else FailureKind.BAD_REQUEST)
        return Failure(kind, self.message, self.retry_after_s)


_KINDS: Mapping[str, FailureKind] = {policy.error_code: kind for kind, policy in FAILURES.items()}


class Ask:
    """What donut read from a request body. The text itself is not kept.

    What few requests have is no argument: it is a default of the class, and set on those that have it. Every request makes one of these.
    """

    answers: int = 1
    """How many answers were asked for (`n`): the stream ends when all of them have ended."""
    strip_usage: bool = False
    """donut asks the upstream for usage that the client did not ask for; the chunk that carries it is taken out again."""
    has_sealed_reasoning: bool = False
    """Does it carry reasoning that only the account which made it can read?"""
    has_own_reasoning: bool = False
    """Does it carry reasoning that donut made of another vendor's? The one whose dialect this is would refuse it."""
    previous_answer_id: str | None = None
    """Responses: the answer that it goes on from (`previous_response_id`), which only the account that gave it keeps."""
    needs_all_of_responses: bool = False
    """Responses: does it use what only OpenAI's own servers are sure to know (`ProviderKind.has_all_of_responses`)?"""
    stream_type: bytes = EVENT_STREAM
    """The content type of a streamed answer as the scanner lets it out: not every client of a dialect asks for events."""

    # Set on the way, before `prepare`:
    drop_sealed: bool = False
    """Take that reasoning out: nobody who could read it is left, and config says to go on without."""
    defaults: Mapping[str, int | float] = MappingProxyType({})
    """`output_tokens` and `temperature` that a policy wishes for where the client set none."""
    is_for_reasoner: bool = False
    """Does the replica's model reason? Such models take no temperature, and OpenAI's want another name for the limit."""

    def __init__(
        self,
        model: str,
        stream: bool,
        capability_bits: int = 0,
        input_tokens_estimated: int = 1,
        output_tokens_max: int | None = None,
    ) -> None:
        self.model = model
        self.stream = stream
        self.capability_bits = capability_bits
        self.input_tokens_estimated = input_tokens_estimated
        self.output_tokens_max = output_tokens_max


class Opening(NamedTuple):
    """What stays the same from a conversation's first request to its last. Of long texts, what tells them apart."""

    system: tuple[str, ...] = ()
    tool_names: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    """The messages before the model's first answer."""
    answer: tuple[str, ...] = ()
    """The model's first answer; empty while there is none."""
    session: str | None = None
    """What the body itself calls the conversation."""
    shared: tuple[str, ...] = ()
    """Names in the body that several conversations may share: a user, a `prompt_cache_key`."""


def no_opening(data: dict[str, Any]) -> Opening | None:
    """Of a dialect without conversations."""
    del data
    return None


@dataclass(slots=True)
class AnswerFacts:
    """What donut read from a whole (not streamed) answer."""

    usage: Usage | None = None
    output_tokens_estimated: int = 0
    failure: Failure | None = None
    """An error object inside a 200."""
    body: bytes | None = None
    """What the client gets in its place, where the answer had to be translated."""


class StreamScanner(Protocol):
    """Watches one streamed answer on its way. Holds back at most one unfinished event, so that what leaves is always whole events."""

    has_content: bool
    """True once an event carried something the client would show or act on."""
    is_finished: bool
    """True once the dialect's terminal event was seen."""
    usage: Usage | None
    failure: Failure | None
    """An error event that the upstream sent inside its stream."""
    content_events: int
    aside: dict[str, Any] | None
    """The newest event that is no part of the answer: the vendor's word on its limits (`Signals.read_event`). None: there was none."""

    @property
    def output_tokens_estimated(self) -> int: ...

    def passes(self, data: bytes) -> bool:
        """A quick look: True where `data` is nothing but whole events of plain content, which are noted and go out as they are. False says
        nothing, and leaves `data` to `feed`."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take in bytes as they came; returns the bytes to forward: every event that is complete now."""
        ...

    def finish(self) -> bytes:
        """The stream ended properly: what is still to be forwarded (an event without its closing blank line)."""
        ...

    def end_with(self, reply: ErrorReply) -> bytes:
        """The stream can not go on: the frames that tell the client so, fit to follow those that went out."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    name: str
    paths: tuple[str, ...]
    """Paths under which clients reach it, the official one first."""
    read: Callable[[dict[str, Any], int], Ask]
    """(parsed body, its size in bytes) → Ask. Raises BadRequestError."""
    prepare: Callable[[bytes, dict[str, Any], Ask, str], Body]
    """(body, parsed body, ask, upstream model) → the body to send upstream."""
    new_scanner: Callable[[Ask], StreamScanner]
    read_answer: Callable[[bytes], AnswerFacts]
    """A whole answer → what it says."""
    read_large_answer: Callable[[bytes, int], AnswerFacts]
    """(last bytes, size in bytes) of an answer too large to hold → what its end says."""
    error_body: Callable[[ErrorReply], bytes]
    error_events: Callable[[ErrorReply], bytes]
    """The frames of a stream that never began: a scanner that has seen some of one says its end itself (`end_with`)."""
    end_events: bytes
    """What follows an error event that the upstream sent itself, so that the stream has an end."""
    excerpt: Callable[[dict[str, Any], str, Mapping[str, str]], Excerpt]
    """(parsed body, harness, the harness's own marks by header name) → what the classifier looks at. Never raises."""
    opening: Callable[[dict[str, Any]], Opening | None] = no_opening
    """Parsed body → how its conversation began; None where requests are no conversations."""
    count_input: Callable[[dict[str, Any]], int] | None = None
    """Parsed body → input tokens, as near as they can be told without a tokenizer; None: as `read` estimates them. Never raises."""
    codec: Codec | None = None
    """How it is translated from and to other dialects; None: never (embeddings, legacy completions)."""
    match: Callable[[str, bytes], Mapping[str, Any] | None] | None = None
    """(path, query string) → members that the path says in place of the body, `model` and `stream` say, which are put into the parsed body
    before `read`; None where the path is not this dialect's. Asked only for POSTs to a path that is in nobody's `paths`."""
