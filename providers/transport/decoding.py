"""Undoes the compression of an upstream that compresses although it was asked not to. donut has to read what it accounts for."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from providers.transport.port import Answer, Headers, Timings, TransportError, header, pump_by_reading
from routing.facts import FailureKind

PIECE_BYTES = 1024 * 1024
"""The most that one piece of compressed answer may become at once: memory stays bounded whatever the upstream sends."""

_WINDOW_BITS = {b"gzip": 16 + zlib.MAX_WBITS, b"x-gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}


def decoded(answer: Answer) -> Answer:
    """`answer`, decompressed if it came compressed in a way donut knows; otherwise itself."""
    encoding = header(answer.headers, b"content-encoding")
    if encoding is None:
        return answer
    window = _WINDOW_BITS.get(encoding.strip().lower())
    return answer if window is None else DecodedAnswer(answer, window)


class DecodedAnswer:
    """An Answer whose `content-encoding` is gone, and whose bytes are plain."""

    def __init__(self, answer: Answer, window: int) -> None:
        self._answer = answer
        self._machine = zlib.decompressobj(window)
        self.status: int = answer.status
        self.headers: Headers = [(name, value) for name, value in answer.headers if name not in (b"content-encoding", b"content-length")]
        self.timings: Timings = answer.timings

    async def read(self) -> bytes:
        while True:
            data = self._machine.unconsumed_tail or await self._answer.read()
            if not data:
                if not self._machine.eof:
                    raise TransportError(FailureKind.CUT, "the compressed answer ended too early", self.timings)
                return b""
            try:
                plain = self._machine.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise TransportError(FailureKind.PROTOCOL, f"the compressed answer is broken: {error}", self.timings) from None
            if plain:
                return plain

    async def pump(self, sink: Callable[[bytes], bool]) -> bool:
        return await pump_by_reading(self, sink)

    def has_ended(self) -> bool:
        return False

    def close(self) -> None:
        self._answer.close()
