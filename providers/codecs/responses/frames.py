"""Frames of a Responses stream: each names its type twice and has a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


class Frames:
    """Gathers what is to be sent."""

    __slots__ = ("_number", "_out")

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._number = 0

    def add(self, kind: str, members: Mapping[str, Any]) -> None:
        data = orjson.dumps({"type": kind, "sequence_number": self._number, **members})
        self._number += 1
        self._out.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))

    def add_delta(self, head: bytes, text: str) -> None:
        """One more of the same: `head` comes from `head_of`."""
        self._out.append(b'%b%b,"sequence_number":%d}\n\n' % (head, orjson.dumps(text), self._number))
        self._number += 1

    def take(self) -> bytes:
        taken, self._out = b"".join(self._out), []
        return taken


def head_of(kind: str, members: Mapping[str, Any]) -> bytes:
    """Everything of a delta's frame before its text."""
    return b'event: %b\ndata: %b,"delta":' % (kind.encode(), orjson.dumps({"type": kind, **members})[:-1])
