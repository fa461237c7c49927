"""Reads a request's body: bounded before it is buffered, bounded again after decompression."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_WINDOW_BITS = {b"gzip": 16 + zlib.MAX_WBITS, b"x-gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}


class BodyError(Exception):
    """The body can not be read. `status` is 400, 413 or 415."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ClientDisconnectedError(Exception):
    """The client left before its body was complete."""


async def read_body(receive: Receive, length: bytes | None, encoding: bytes | None, limit: int) -> bytes:
    """The whole body; `length` and `encoding` are what its headers declare.

    Raises BodyError (over `limit` bytes: before a byte is buffered if the client declared its length).
    """
    if length is not None and length.isdigit() and int(length) > limit:
        raise BodyError(413, _too_large(limit))
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnectedError
    if message.get("more_body"):
        body = await _read_rest(receive, body, limit)
    return plain_body(body, encoding, limit)


def plain_body(body: bytes, encoding: bytes | None, limit: int) -> bytes:
    """A body that has arrived, checked and decompressed. Raises BodyError."""
    if len(body) > limit:
        raise BodyError(413, _too_large(limit))
    return body if encoding is None else decompress(body, encoding, limit)


async def _read_rest(receive: Receive, first: bytes, limit: int) -> bytes:
    pieces = [first]
    size = len(first)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise BodyError(413, _too_large(limit))
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)


def decompress(body: bytes, encoding: bytes, limit: int) -> bytes:
    """Undo one Content-Encoding. Stops at `limit`: a gzip bomb costs at most that much memory."""
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return body
    window = _WINDOW_BITS.get(name)
    if window is None:
        raise BodyError(415, f"content-encoding {name.decode('latin-1')!r} is not supported: send gzip, deflate or no encoding")
    machine = zlib.decompressobj(window)
    try:
        plain = machine.decompress(body, limit + 1)
    except zlib.error as error:
        raise BodyError(400, f"the body is not valid {name.decode('latin-1')}: {error}") from None
    if len(plain) > limit:
        raise BodyError(413, _too_large(limit) + " after decompression")
    if not machine.eof:
        raise BodyError(400, f"the {name.decode('latin-1')} body ends too early")
    return plain


def _too_large(limit: int) -> str:
    return f"the request body is larger than {limit / 1024 / 1024:g} MB (server.body_limit_mb)"
