"""Members leave a JSON object without a trace, and the rest stays as it was written."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from providers.unsplice import drop_members
from tests.test_providers_splice import SPACE, VALUES, Pairs, pairs

NAMES = ("agent", "session")
KEYS = st.sampled_from([*NAMES, *NAMES, "agents", 'a"agent', "session\\", "x"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=6
)


def dropped(body: bytes) -> bytes:
    return drop_members(body, orjson.loads(body), NAMES)


@st.composite
def objects(draw: st.DrawFn) -> str:
    """An object as one of the ways to write it, repeated keys included."""
    members = draw(st.lists(st.tuples(KEYS, VALUES), max_size=5))
    space = [draw(SPACE) for _ in range(4)]
    texts = [f"{json.dumps(key)}{space[0]}:{space[1]}{json.dumps(value)}{space[2]}" for key, value in members]
    return "{" + space[3] + f",{space[3]}".join(texts) + "}"


@given(objects())
def test_what_is_named_is_gone_and_the_rest_is_there_in_order(text: str) -> None:
    body = text.encode()
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        assume(False)
        raise
    found = drop_members(body, parsed, NAMES)
    rest: Pairs = [(key, value) for key, value in pairs(body) if key not in NAMES]
    if b"\\u" in body:
        assert dict(pairs(found)).keys() == dict(rest).keys()
    else:
        assert pairs(found) == rest


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"agent":1}', b"{}"),
        (b'{"agent":1,"session":2}', b"{}"),
        (b'{ "agent" : "x" , "a" : 1.0 }', b'{ "a" : 1.0 }'),
        (b'{"a":1,"agent":"x","session":"y"}', b'{"a":1}'),
        (b'{"a":1 , "agent":"x" }', b'{"a":1 }'),
        (b'{"agent":"x","a":"agent","agent":{"agent":[]},"b":2}', b'{"a":"agent","b":2}'),
        (b'{"a":{"agent":1},"b":"\\"agent\\":","session":[1,{"x":"]"}]}', b'{"a":{"agent":1},"b":"\\"agent\\":"}'),
        (b'{"a":1}', b'{"a":1}'),
        (b"{}", b"{}"),
    ],
)
def test_as_it_was_written(body: bytes, expected: bytes) -> None:
    assert dropped(body) == expected


def test_a_name_written_with_escapes_does_not_hide() -> None:
    assert orjson.loads(dropped(rb'{"\u0061gent":"x","a":1}')) == {"a": 1}


def test_a_body_full_of_the_name_takes_no_time_worth_speaking_of() -> None:
    hostile: dict[str, Any] = {"messages": [{"agent": 1}] * 20_000, "agent": 1}
    body = orjson.dumps(hostile)
    assert re.findall(b'"agent"', dropped(body)).__len__() == 20_000
