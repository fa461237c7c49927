"""Tool calls as chat streams tell them: in pieces, several in a chunk, some without index, id or a name of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from providers.codecs.chat.parts_in import json_of
from providers.codecs.chat.reasoning import GEMINI, signature_in
from providers.codecs.events import BlockEnded, BlockKind, BlockStarted, Delta, Event, Sealed


class _Call:
    __slots__ = ("block", "id", "is_ended", "name", "pieces", "seal")

    def __init__(self) -> None:
        self.block = -1
        """Its number once it has a name; until then nothing is told of it."""
        self.id: str | None = None
        self.name = ""
        self.pieces: list[str] = []
        self.seal: str | None = None
        self.is_ended = False


class Calls:
    """The calls of one answer. `next_block` gives a block its number."""

    def __init__(self, next_block: Callable[[], int]) -> None:
        self._next_block = next_block
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    @property
    def are_some(self) -> bool:
        return bool(self._calls)

    def read(self, call: object, out: list[Event]) -> None:
        """One entry of `tool_calls`."""
        if not isinstance(call, dict):
            return
        function = call.get("function")
        if not isinstance(function, dict):
            function = _custom(call)
        found = self._call(call, function, out)
        if "extra_content" in call:
            found.seal = signature_in(call) or found.seal
        if found.block < 0:
            self._name(found, call, function, out)
        text = json_of(function.get("arguments"))
        if text and not found.is_ended:
            found.pieces.append(text)
            if found.block >= 0:
                out.append(Delta(found.block, text))

    def end_all(self, out: list[Event]) -> None:
        for call in self._calls:
            self._end(call, out)

    def _call(self, call: Mapping[str, Any], function: Mapping[str, Any], out: list[Event]) -> _Call:
        """Whose piece it is. Gemini's endpoint gives every parallel call the index 0, others give none: a new id is a new call then."""
        index, id_ = call.get("index"), call.get("id")
        if isinstance(index, int):
            known = self._by_index.get(index)
        else:
            index, known = len(self._calls), (self._calls[-1] if self._calls else None)
            if known is not None and not id_ and function.get("name") and known.pieces:
                known = None  # neither index nor id: who names a function again calls it again
        if known is not None and not (id_ and known.id and id_ != known.id):
            return known
        for each in self._calls:
            if _is_complete(each):
                self._end(each, out)
        fresh = self._by_index[index] = _Call()
        self._calls.append(fresh)
        return fresh

    def _name(self, found: _Call, call: Mapping[str, Any], function: Mapping[str, Any], out: list[Event]) -> None:
        """Begin its block as soon as the name is known, with what was said of it before."""
        id_, name = call.get("id"), function.get("name")
        if isinstance(id_, str) and id_:
            found.id = id_
        if isinstance(name, str) and name:
            found.name = name
            self._begin(found, out)

    def _begin(self, call: _Call, out: list[Event]) -> None:
        call.block = self._next_block()
        out.append(BlockStarted(call.block, BlockKind.TOOL_CALL, call.id, call.name))
        if call.pieces:
            out.append(Delta(call.block, "".join(call.pieces)))

    def _end(self, call: _Call, out: list[Event]) -> None:
        if call.is_ended:
            return
        call.is_ended = True
        if call.block < 0:
            self._begin(call, out)
        if call.seal is not None:
            out.append(Sealed(call.block, GEMINI, call.seal))
        out.append(BlockEnded(call.block))


def _custom(call: Mapping[str, Any]) -> Mapping[str, Any]:
    custom = call.get("custom")
    return {"name": custom.get("name"), "arguments": custom.get("input")} if isinstance(custom, dict) else {}


def _is_complete(call: _Call) -> bool:
    """Can nothing more come of it? Then its block need not stay open, and a format without overlap can go on to the next."""
    if call.is_ended or not call.pieces:
        return False
    try:
        return isinstance(orjson.loads("".join(call.pieces)), dict)
    except orjson.JSONDecodeError:
        return False
