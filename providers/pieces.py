"""A large body in pieces: what was changed in it, between stretches of the client's own bytes that nobody has copied.

A request waits for its upstream with its body in memory, so that another replica may be asked. A copy with another model's name in it would
be all of it once more, for each request that waits; and copying it costs more than the rest of what is done with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

COPIED_BYTES = 64 * 1024
"""Smaller bodies are copied: one piece is less to write than several."""
PARTS_MOST = 16
"""Nobody changes more members than this. A body that repeats one a million times is copied too, however large it is."""


@final
class Pieces:
    """They are never empty, and their bytes never change. `bytes()` puts them together."""

    __slots__ = ("parts", "size")

    def __init__(self, parts: Sequence[bytes | memoryview]) -> None:
        self.parts = parts
        self.size = sum(map(len, parts))

    def __len__(self) -> int:
        return self.size

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)

    def __radd__(self, head: bytes) -> bytes:
        """`head + body`, as with a body that is bytes: what was changed may have been the larger part of it."""
        return b"".join((head, *self.parts))


Body = bytes | Pieces
