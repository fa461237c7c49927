"""What a client of this format asked for about the answer's form: thoughts shown or not, and how a stream is framed: as server-sent events
where it asked for `alt=sse`, else as one JSON array that grows.

https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent (the array is what `?alt=json`, Google's default, means)
"""

from __future__ import annotations

from dataclasses import dataclass

from providers.codecs.conversation import Conversation


@dataclass(slots=True)
class GeminiConversation(Conversation):
    is_array: bool = False
    shows_thoughts: bool = False
    """`includeThoughts`: Google sends none to clients that did not ask for them."""


class Framer:
    """Frames the chunks of one stream."""

    __slots__ = ("_has_begun", "is_array")

    def __init__(self, *, is_array: bool) -> None:
        self.is_array = is_array
        self._has_begun = False

    def chunk(self, data: bytes) -> bytes:
        """One chunk, framed. `data` is JSON without a line break."""
        if not self.is_array:
            return b"data: " + data + b"\n\n"
        opening = b",\n" if self._has_begun else b"["
        self._has_begun = True
        return opening + data

    def end(self) -> bytes:
        """What follows the last chunk."""
        return (b"]" if self._has_begun else b"[]") if self.is_array else b""
