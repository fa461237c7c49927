"""Takes single top-level members out of a JSON object without re-serialising the rest. Counterpart of `splice.set_members`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from providers.splice import WHITE_SPACE, has_escaped_names, member_values

COMMA = ord(",")


def drop_members(body: bytes, parsed: dict[str, Any], names: Collection[str]) -> bytes:
    """`body`, which parses as `parsed`, without the members of `names`, every occurrence of them. ASCII names only.

    A removed member takes the comma behind it along; the last one of an object has none, so the one before it goes.
    """
    cuts: list[tuple[int, int]] = []
    has_escapes = has_escaped_names(body)
    for name in names:
        if name not in parsed:
            continue
        values = member_values(body, name, may_be_escaped=has_escapes)
        if not values:
            return orjson.dumps({key: value for key, value in parsed.items() if key not in names})
        quoted = b'"' + name.encode() + b'"'
        cuts += [(body.rfind(quoted, 0, start), end) for start, end in values]
    kept: list[bytes] = []
    position = 0
    for start, end in sorted(cuts):
        kept.append(body[position:start])
        position = _after_space(body, end)
        if body[position] == COMMA:
            position = _after_space(body, position + 1)
        else:
            kept = [b"".join(kept).rstrip(WHITE_SPACE).removesuffix(b",")]
    return b"".join([*kept, body[position:]])


def _after_space(body: bytes, at: int) -> int:
    while body[at] in WHITE_SPACE:
        at += 1
    return at
