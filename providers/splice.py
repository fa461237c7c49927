"""Changes single top-level members of a JSON object without re-serialising the rest: what the client wrote stays as it wrote it.

The body was parsed already, so it is known to be valid JSON; that is what makes the shortcuts below exact and not heuristics:
in valid JSON an unescaped quote always opens or closes a string, so `"name"` followed by a colon is a key, unless the quote before
`name` is itself escaped. Whether such a key is a member of the outermost object is asked of the JSON parser: the rest of the body
behind `{` is valid exactly if the key stood one level deep. For a nested key that parse fails at the first surplus bracket, so asking
is cheap. A key may also be written with escapes (`"mod\\u0065l"`): then, and only then, the object is re-serialised.

A large body comes back in pieces: what stays as it was is not copied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson

from providers.pieces import COPIED_BYTES, PARTS_MOST, Body, Pieces

COLON, QUOTE, BACKSLASH, BRACES = ord(":"), ord('"'), ord("\\"), b"{["
WHITE_SPACE = b" \t\n\r"

# One step per run of plain characters, not per character: the latter keeps a hundred bytes of stack for each.
_STRING_END = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^,}\]\s]+")
_OPENING = re.compile(rb"\s*\{\s*")
_SHORT_VALUE = re.compile(rb'\s*:\s*("[^"\\]*"|[^\s"\[{,}\]]+)')
"""Behind a key: a string without escapes, a number or a literal."""
_ESCAPED_NAME = re.compile(rb"\\u00(?:3[0-9]|[4-7][0-9a-fA-F])")
"""A letter, a digit or an underscore. Python's `json` writes Latin-1's other letters as `\\u00e9`, Go's `<` as `\\u003c`: neither stands in
a name."""

ASKING_FLOOR, ASKING_FACTOR = 1024 * 1024, 4
"""Bytes that the parser may be asked about per key, at least and per byte of the body. Every question costs up to the rest of the body,
so a body made of nothing but the key would take minutes; such a one is re-serialised."""

NEAR_BYTES = (512, 4096)
"""How far is looked first: a parser that fails copies what it was given, 64 KB as soon as a hundred bytes."""
PIECES_REMEMBERED = 1024
"""Each by its digest: what clients write is not kept."""
_SURPLUS = "unexpected content after document"
"""What orjson says of something behind a closed object. Should it ever say it otherwise, the whole rest is asked about."""


def set_members(body: bytes, parsed: dict[str, Any], changes: Mapping[str, Any]) -> Body:
    """`body`, which parses as `parsed`, with each member of `changes` set to its new value (added if it was not there). Names of ASCII
    letters, digits and underscores only.

    Every occurrence of a repeated key is changed: parsers differ on which one counts, and the upstream must not see a name that
    donut did not choose.
    """
    if len(changes) == 1:
        ((name, new),) = changes.items()
        return set_member(body, parsed, name, new)
    return _with_all(body, parsed, changes)


def set_model(body: bytes, parsed: dict[str, Any], name: str) -> Body:
    """`body`, which parses as `parsed` and has a `model`, with that set to `name`: what nearly every request needs.

    Most bodies begin with it, written without spaces (`JSON.stringify`, Rust, httpx). That is looked for first, by what the client's model
    and the upstream's come to as bytes. A large body is not copied here, but left to `set_member`.
    """
    if len(body) < COPIED_BYTES:
        was, becomes = _leading(parsed["model"], name)
        if body.startswith(was) and body.rfind(b'"model"') == 1 and not has_escaped_names(body):
            return body.replace(was, becomes, 1)
    return set_member(body, parsed, "model", name)


@lru_cache(maxsize=64)
def _leading(model: str, name: str) -> tuple[bytes, bytes]:
    # `json` writes what orjson refuses to, half a surrogate pair. It escapes letters outside ASCII: such a name is found by `set_member`.
    return b'{"model":' + json.dumps(model).encode(), b'{"model":' + orjson.dumps(name)


def set_member(body: bytes, parsed: dict[str, Any], key: str, new: Any) -> Body:
    """The same for one, nearly always the model's name."""
    if key not in parsed or has_escaped_names(body):
        return _with_all(body, parsed, {key: new})
    quoted = b'"%b"' % key.encode()
    last = body.rfind(quoted)  # backwards, which is three times as fast as forwards in CPython
    value = orjson.dumps(new)
    # The key is there and spelled without escapes: if its name stands in one place only, nobody need be asked whether that is it.
    short = _SHORT_VALUE.match(body, last + len(quoted)) if body.rfind(quoted, 0, last) < 0 else None
    if short is not None:
        start, end = short.span(1)
        view = memoryview(body)  # a view's slices are no copies
        parts = (view[:start], value, view[end:])
        return b"".join(parts) if len(body) < COPIED_BYTES else Pieces(parts)
    spans = _values_at(body, quoted, body.find(quoted), last)
    return _edited(body, [(start, end, value) for start, end in spans]) if spans else orjson.dumps({**parsed, key: new})


def _with_all(body: bytes, parsed: dict[str, Any], changes: Mapping[str, Any]) -> Body:
    has_escapes = has_escaped_names(body)
    edits: list[tuple[int, int, bytes]] = []
    added: list[bytes] = []
    for key, value in changes.items():
        spans = member_values(body, key, may_be_escaped=has_escapes) if key in parsed else []
        encoded = orjson.dumps(value)
        if spans is None or (key in parsed and not spans):
            return orjson.dumps({**parsed, **changes})
        if spans:
            edits += [(start, end, encoded) for start, end in spans]
        else:
            added.append(b'"' + key.encode() + b'":' + encoded)
    if added:
        edits.append(_insertion(body, added, is_empty=not parsed))
    return _edited(body, sorted(edits))


def has_escaped_names(body: bytes) -> bool:
    """May a name stand in `body` with one of its letters escaped?"""
    return b"\\" in body and body.rfind(b"\\u00") >= 0 and _ESCAPED_NAME.search(body) is not None


def _edited(body: bytes, edits: list[tuple[int, int, bytes]]) -> Body:
    view = memoryview(body)
    parts: list[bytes | memoryview] = []
    position = 0
    for start, end, text in edits:
        parts += (view[position:start], text)
        position = end
    parts.append(view[position:])
    return b"".join(parts) if len(body) < COPIED_BYTES or len(parts) > PARTS_MOST else Pieces(parts)


def _insertion(body: bytes, members: list[bytes], *, is_empty: bool) -> tuple[int, int, bytes]:
    at = body.index(b"{") + 1
    return at, at, b",".join(members) + (b"" if is_empty else b",")


def member_values(body: bytes, key: str, *, may_be_escaped: bool) -> list[tuple[int, int]] | None:
    """Where the values of the top-level member `key` are. None when the body writes keys in a way that only a parser can read."""
    if may_be_escaped and _has_escaped_key(body, key):
        return None
    quoted = b'"%b"' % key.encode()
    return _values_at(body, quoted, body.find(quoted), body.rfind(quoted))


def _values_at(body: bytes, quoted: bytes, first: int, last: int) -> list[tuple[int, int]] | None:
    """The values of the top-level member that `quoted` names, which stands at `first` first and at `last` for the last time."""
    if first == last:
        return _sole_value(body, first + len(quoted)) if first >= 0 else []
    spans: list[tuple[int, int]] = []
    may_ask = ASKING_FLOOR + ASKING_FACTOR * len(body)
    at = last
    while at >= 0:
        colon = _after_space(body, at + len(quoted))
        is_key = body[colon] == COLON and body[at - 1] != BACKSLASH
        may_ask -= (len(body) - at) * is_key
        if may_ask < 0:
            return None
        if is_key and _is_top_level(body, at, first=at == first):
            start = _after_space(body, colon + 1)
            end = _value_end(body, start)
            if end is None:
                return None
            spans.append((start, end))
        at = body.rfind(quoted, first, at)
    spans.reverse()
    return spans


def _sole_value(body: bytes, after_key: int) -> list[tuple[int, int]] | None:
    """The member is there and its name stands in one place only."""
    start = _after_space(body, _after_space(body, after_key) + 1)
    end = _value_end(body, start)
    return None if end is None else [(start, end)]


def _has_escaped_key(body: bytes, key: str) -> bool:
    """Does `key` occur with one of its letters escaped? Builds the alternatives `(?:m|\\u006d)(?:o|\\u006f)…` as a pattern."""
    letters = "".join(rf"(?:{re.escape(letter)}|\\u{ord(letter):04x})" for letter in key)
    pattern = re.compile(f'"{letters}"'.encode(), re.IGNORECASE)
    literal = b'"' + key.encode() + b'"'
    return any(match.group() != literal for match in pattern.finditer(body))


def _is_top_level(body: bytes, at: int, *, first: bool) -> bool:
    opening = _OPENING.match(body) if first else None
    if opening is not None and opening.end() == at:
        return True  # the usual case: the first member of the object
    # Most nested ones stand in a tool's schema, which ends soon. Only that surplus bracket is an answer here: an end proves nothing.
    for size in NEAR_BYTES:
        near = body.find(b"}", at + size, at + 2 * size) + 1
        if near and _closes(body[at:near]):
            return False
    try:
        orjson.loads(b"{" + body[at:])
    except orjson.JSONDecodeError:
        return False
    return True


def _closes(piece: bytes) -> bool:
    """Does the object that `piece` begins in the middle of end within it?

    A harness sends the same tools with each request, and to be told by the parser costs 5 to 15 µs: it makes words and counts lines.
    """
    digest = sha256(piece).digest()  # no cheaper one: who found another piece with the same could hide a model's name from donut
    known = _closing.get(digest)
    if known is None:
        if len(_closing) >= PIECES_REMEMBERED:
            _closing.clear()
        known = _closing[digest] = _is_surplus_behind(piece)
    return known


_closing: dict[bytes, bool] = {}


def _is_surplus_behind(piece: bytes) -> bool:
    try:
        orjson.loads(b"{" + piece)
    except orjson.JSONDecodeError as error:
        return error.msg == _SURPLUS
    return False


def _after_space(body: bytes, at: int) -> int:
    while body[at] in WHITE_SPACE:
        at += 1
    return at


def _value_end(body: bytes, start: int) -> int | None:
    """Where the value that begins at `start` ends: strings, numbers, literals and small objects; None for anything else."""
    lead = body[start]
    if lead == QUOTE:
        match = _STRING_END.match(body, start + 1)
    elif lead in BRACES:
        return _bracket_end(body, start)
    else:
        match = _SCALAR.match(body, start)
    return match.end() if match else None


def _bracket_end(body: bytes, start: int) -> int | None:
    """The end of an object or array: brackets counted outside strings."""
    depth = 0
    at = start
    while at < len(body):
        byte = body[at]
        if byte == QUOTE:
            match = _STRING_END.match(body, at + 1)
            if match is None:
                return None
            at = match.end()
            continue
        if byte in b"{[":
            depth += 1
        elif byte in b"}]":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return None
