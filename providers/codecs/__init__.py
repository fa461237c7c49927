"""Translation between wire formats, sans-IO: any dialect → `conversation` and `events` → any other dialect.

Only used when no replica speaks the client's own dialect; between equal dialects the bytes go through. One package per dialect
exports `CODEC`; nothing outside it knows its JSON. What a format cannot say is never dropped in silence: it becomes a `Loss`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from providers.codecs.conversation import Conversation
from providers.codecs.events import Event


class StreamDecoder(Protocol):
    """One upstream stream, from bytes to events. Any split of the bytes gives the same events."""

    def feed(self, data: bytes) -> list[Event]:
        """Raises nothing: what is no JSON, or not this dialect, becomes a `Failed` event. Unknown event types are passed over."""
        ...

    def finish(self) -> list[Event]:
        """The connection ended properly. Adds nothing that the upstream did not say: without a `Finished` the stream was cut."""
        ...


class StreamEncoder(Protocol):
    """One downstream stream, from events to bytes: a complete, balanced sequence in the dialect, up to its terminal event."""

    def encode(self, events: Iterable[Event]) -> bytes:
        """What the client must see for `events`; may be empty. After `Finished` the bytes hold the terminal event."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """What an encoder must know of the request that is being answered."""

    model: str
    """The name that the client asked for: what its answer must say."""
    answer_id: str
    """Unique, without a prefix: each dialect puts its own in front."""
    created_s: int
    """Seconds since the epoch."""
    wants_usage: bool = True
    """chat: did the client ask for the usage chunk?"""
    conversation: Conversation | None = None
    """Responses echoes half of the request in its answer."""


@dataclass(frozen=True, slots=True)
class Codec:
    name: str
    parse: Callable[[Mapping[str, Any]], Conversation]
    """A client's parsed body. Raises `providers.dialects.BadRequestError` where the body is wrong, naming the member."""
    encode: Callable[[Conversation, str], dict[str, Any]]
    """(conversation, upstream model) → the body for an upstream of this dialect; what it cannot carry is added to `conversation.losses`.

    Raises `UntranslatableError` where leaving something out would change what was asked.
    """
    new_decoder: Callable[[], StreamDecoder]
    new_encoder: Callable[[Frame], StreamEncoder]
    decode_answer: Callable[[Mapping[str, Any]], list[Event]]
    """A whole answer as the events that a stream of it would have been."""
    encode_answer: Callable[[Sequence[Event], Frame], dict[str, Any]]


class UntranslatableError(Exception):
    """The request means something that the upstream's format cannot say. `str()` names the member and what would work."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param
