"""A client must not smuggle a model's name past donut, whatever way it writes its JSON; and what it wrote besides stays as it wrote it."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from providers import splice
from providers.pieces import COPIED_BYTES, Pieces
from providers.splice import set_members

KEY = "model"
NEW = 'up "stream" \\ ü'
Pairs = list[tuple[str, Any]]


def pairs(body: bytes) -> Pairs:
    """Every member of the outermost object, repeated ones included, in order: what first-wins and last-wins parsers choose from."""
    found: Pairs = json.loads(body, object_pairs_hook=lambda members: members)
    return found


def set_model(body: bytes) -> bytes:
    return bytes(set_members(body, orjson.loads(body), {KEY: NEW}))


TRICKY = st.sampled_from(
    ["model", '"model"', '"model":', '","model":"x', '{"model":"x"}', '\\"model":', "\\", "\\\\", '\\\\"model":"', "mod\\u0065l", "\u0000",
     '}{"model":"y"', "]", "}", "/", "\u2028", "é", "𝄞"]
)  # fmt: skip
TEXTS = TRICKY | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = st.sampled_from([KEY, "models", "mode", "a", "stream_options", "Xmodel", 'a"model']) | TEXTS
SCALARS = st.none() | st.booleans() | st.integers() | st.integers(2**64, 2**80) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)  # fmt: skip
SPACE = st.text(" \t\n\r", max_size=3)


@st.composite
def written(draw: st.DrawFn, values: st.SearchStrategy[Any] = VALUES) -> str:
    """A value as one of the ways to serialise it."""
    value = draw(values)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]))
    indent = draw(st.sampled_from([None, None, 1]))
    return json.dumps(value, ensure_ascii=draw(st.booleans()), separators=separators, indent=indent, sort_keys=draw(st.booleans()))


@dataclass(frozen=True)
class Written:
    """A body, and where in it the values of the top-level key stand."""

    body: bytes
    spans: tuple[tuple[int, int], ...]

    def outside(self) -> list[bytes]:
        edges = [0, *(at for span in self.spans for at in span), len(self.body)]
        return [self.body[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]


@st.composite
def objects(draw: st.DrawFn, min_models: int = 0) -> Written:
    """An object written by hand, member by member, with the key first, last, in the middle, often, or not at all."""
    others = draw(st.lists(KEYS.filter(lambda key: key != KEY), max_size=4))
    keys = draw(st.permutations(others + [KEY] * draw(st.integers(min_models, 3))))
    text, spans = draw(SPACE) + "{" + draw(SPACE), []
    for index, key in enumerate(keys):
        text += ("," + draw(SPACE) if index else "") + json.dumps(key, ensure_ascii=draw(st.booleans()))
        text += draw(SPACE) + ":" + draw(SPACE)
        start = len(text.encode())
        text += draw(written())
        if key == KEY:
            spans.append((start, len(text.encode())))
        text += draw(SPACE)
    return Written((text + "}" + draw(SPACE)).encode(), tuple(spans))


def changed(members: Pairs) -> Pairs:
    return [(key, NEW if key == KEY else value) for key, value in members]


@settings(max_examples=400, deadline=None)
@given(objects(min_models=1))
def test_every_occurrence_is_changed_and_no_other_byte(given_: Written) -> None:
    result = set_model(given_.body)
    assert pairs(result) == changed(pairs(given_.body))
    if b"\\u006" not in given_.body:  # nothing spelled with escapes: no ground to write the body anew
        assert result == orjson.dumps(NEW).join(given_.outside())


@settings(max_examples=150, deadline=None)
@given(objects().filter(lambda given_: bool(orjson.loads(given_.body))))
def test_the_models_name_in_front_is_changed_as_any_other(given_: Written) -> None:
    body = b'{"model":"mine",' + given_.body.strip()[1:]
    parsed = orjson.loads(body)
    if isinstance(parsed[KEY], str):  # no other one behind it that counts
        assert splice.set_model(body, parsed, NEW) == set_members(body, parsed, {KEY: NEW})


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"mine","messages":[]}',
        b'{"model":"mine"}',
        b'{"model":"mine","model":"other"}',
        b'{"model":"mine","mod\\u0065l":"other"}',
        b'{"model":"mine","a":"\\n"}',
        b'{"model":"mine" , "tools":[{"model":"mine"}]}',
        b' {"model":"mine"}',
        b'{"model": "mine"}',
        '{"model":"m\u00efne"}'.encode(),
        b'{"model":"m\\u00efne"}',
        b'{"model":"a\\"b"}',
        b'{"model":"mine","a":"' + b"x" * COPIED_BYTES + b'"}',
    ],
)
def test_a_body_that_begins_with_the_model(body: bytes) -> None:
    parsed = orjson.loads(body)
    changed = bytes(splice.set_model(body, parsed, NEW))
    assert changed == bytes(set_members(body, parsed, {KEY: NEW}))
    assert all(value == NEW for key, value in pairs(changed) if key == KEY)


@settings(max_examples=150, deadline=None)
@given(objects().filter(lambda given_: not given_.spans))
def test_a_missing_member_is_added_and_no_byte_is_lost(given_: Written) -> None:
    result = set_model(given_.body)
    assert pairs(result) == [(KEY, NEW), *pairs(given_.body)]
    at = given_.body.index(b"{") + 1
    assert result.startswith(given_.body[:at])
    assert result.endswith(given_.body[at:])


def escaped(key: str, letters: set[int], *, upper: bool) -> str:
    form = "\\u{:04X}" if upper else "\\u{:04x}"
    return "".join(form.format(ord(letter)) if index in letters else letter for index, letter in enumerate(key))


@settings(max_examples=200, deadline=None)
@given(
    objects(),
    st.lists(st.tuples(st.sets(st.integers(0, 4), min_size=1), st.booleans(), written()), min_size=1, max_size=3),
    st.booleans(),
)
@example(Written(b'{"model":"a"}', ()), [({3}, False, '"b"')], True)
@example(Written(b'{"model":"a"}', ()), [({0, 1, 2, 3, 4}, True, '"b"')], False)
def test_a_key_with_escapes_is_the_same_key(given_: Written, spellings: list[tuple[set[int], bool, str]], in_front: bool) -> None:
    body = given_.body.strip()
    for letters, upper, value in spellings:
        member = f'"{escaped(KEY, letters, upper=upper)}":{value}'.encode()
        rest = body[1:-1].strip()
        body = b"{" + (b",".join([member, rest] if in_front else [rest, member]) if rest else member) + b"}"
    result = set_model(body)
    assert [value for key, value in pairs(result) if key == KEY] == [NEW]
    # Written anew: what repeated keys meant to donut's own parser is what the upstream gets.
    assert orjson.loads(result) == {**orjson.loads(body), KEY: NEW}


@given(objects())
def test_two_members_at_once(given_: Written) -> None:
    parsed = orjson.loads(given_.body)
    options = {"include_usage": True}
    result = bytes(set_members(given_.body, parsed, {KEY: NEW, "stream_options": options}))
    assert orjson.loads(result) == {**parsed, KEY: NEW, "stream_options": options}
    firsts: dict[str, Any] = {}
    for key, value in pairs(result):
        firsts.setdefault(key, value)
    assert firsts[KEY] == NEW
    assert dict(firsts["stream_options"]) == options


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"a","messages":[]}', b'{"model":"N","messages":[]}'),
        (b'{"messages":[{"model":"in"}],"model":"a"}', b'{"messages":[{"model":"in"}],"model":"N"}'),
        (b'{"x":"\\"model\\":\\"in\\"","model":"a"}', b'{"x":"\\"model\\":\\"in\\"","model":"N"}'),
        (b'{"x":"\\\\","model":"a"}', b'{"x":"\\\\","model":"N"}'),
        (b'{"x\\\\":"\\\\","model":"a"}', b'{"x\\\\":"\\\\","model":"N"}'),
        (b'{"\\"model":"no","model":"a"}', b'{"\\"model":"no","model":"N"}'),
        (b'{"x":["model"],"y":"model","model" : "a"}', b'{"x":["model"],"y":"model","model" : "N"}'),
        (b'{"model":{"a":"}]\\"","b":[1,{}]},"z":1}', b'{"model":"N","z":1}'),
        (b'{"model":[["]"]],"model":null,"model":-1.5e3}', b'{"model":"N","model":"N","model":"N"}'),
        (b'{"model":{"model":"in"}}', b'{"model":"N"}'),
        (b'{"model":""}', b'{"model":"N"}'),
        (b'{"seed":123456789012345678901234567890,"model":"a"}', b'{"seed":123456789012345678901234567890,"model":"N"}'),
        (b" {} ", b' {"model":"N"} '),
        (b'{"Model":"a"}', b'{"model":"N","Model":"a"}'),
    ],
)
def test_by_example(body: bytes, expected: bytes) -> None:
    assert bytes(set_members(body, orjson.loads(body), {"model": "N"})) == expected


def test_what_is_remembered_of_a_tool_hides_no_name() -> None:
    """The same tool is in every request of a harness; what stands behind it is not."""
    tool = orjson.dumps({"properties": {"path": {}, "model": {"type": "string", "description": "which " * 150}}})
    new = orjson.dumps(NEW)
    for _ in range(2):
        assert set_model(b'{"model":"mine","tools":[%b],"end":1}' % tool) == b'{"model":%b,"tools":[%b],"end":1}' % (new, tool)
        assert set_model(b'{"model":"mine","tools":[%b],"model":1}' % tool) == b'{"model":%b,"tools":[%b],"model":%b}' % (new, tool, new)


def test_the_memory_of_tools_is_bounded() -> None:
    for number in range(splice.PIECES_REMEMBERED + 10):
        tool = b'{"a":%d,"model":"%b"}' % (number, b"x" * 600)
        assert pairs(set_model(b'{"tools":[%b],"model":"mine"}' % tool))[1] == (KEY, NEW)
    assert len(splice._closing) <= splice.PIECES_REMEMBERED


def test_bytes_that_only_look_like_escapes_do_not_cost_the_fidelity() -> None:
    body = b'{ "text" : "caf\\u00e9 mod\\\\u0065l", "model":"a" , "n":1.0}'
    assert bytes(set_members(body, orjson.loads(body), {"model": "N"})) == body.replace(b'"a"', b'"N"')


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(0, 3))
def test_depth_is_told_from_the_outermost_level(depth: int, models: int) -> None:
    nested = '{"model":"in","x":[' * depth + '{"model":"in"}' + "]}" * depth
    members = [f'"d":{nested}', *(f'"model":{index}' for index in range(models)), f'"e":{nested}']
    body = ("{" + ",".join(members) + "}").encode()
    assume(models)
    assert pairs(set_model(body)) == changed(pairs(body))


class TestAnAttackersBody:
    """Bodies whose only purpose is to cost: donut has one event loop, and whoever holds it holds everybody's streams."""

    COUNT = 8_000

    def test_very_many_nested_keys(self) -> None:
        body = b'{"a":[' + b",".join([b'{"model":1}'] * self.COUNT) + b'],"model":"x"}'
        assert bytes(set_members(body, orjson.loads(body), {"model": "N"})) == body[:-5] + b':"N"}'

    def test_very_many_repetitions(self) -> None:
        body = b"{" + b",".join([b'"model":1'] * self.COUNT) + b"}"
        result = bytes(set_members(body, orjson.loads(body), {"model": "N"}))
        assert {value for key, value in pairs(result) if key == "model"} == {"N"}

    @pytest.mark.parametrize("value", [b'"' + b"x" * 1_000_000 + b'"', b'"' + b"\\n" * 500_000 + b'"', b'["' + b"x" * 1_000_000 + b'"]'])
    def test_a_huge_value_costs_no_more_memory_than_a_few_copies(self, value: bytes) -> None:
        body = b'{"model":' + value + b',"model":"auto"}'
        parsed = orjson.loads(body)
        tracemalloc.start()
        try:
            assert bytes(set_members(body, parsed, {"model": "N"})) == b'{"model":"N","model":"N"}'
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 8 * len(body)


class TestALargeBody:
    """Comes back in pieces, which together are what a small one is."""

    FILLER = "x" * COPIED_BYTES

    @given(objects())
    def test_says_the_same_as_a_small_one(self, given_: Written) -> None:
        assume(orjson.loads(given_.body))
        at = given_.body.index(b"{") + 1
        body = b'%b"filler":"%b",%b' % (given_.body[:at], self.FILLER.encode(), given_.body[at:])
        assert orjson.loads(set_model(body)) == {**orjson.loads(body), KEY: NEW}

    def test_nothing_of_it_is_copied(self) -> None:
        body = orjson.dumps({"model": "auto", "text": self.FILLER})
        changed_ = set_members(body, orjson.loads(body), {"model": "N"})
        assert isinstance(changed_, Pieces)
        assert [bytes(part) for part in changed_.parts] == [b'{"model":', b'"N"', body[15:]]
        assert all(part.obj is body for part in changed_.parts if isinstance(part, memoryview))
        assert len(changed_) == len(bytes(changed_)) == len(body) - 3

    def test_too_many_pieces_become_one(self) -> None:
        body = b"{" + b",".join([b'"model":1'] * COPIED_BYTES) + b"}"
        assert isinstance(set_members(body, orjson.loads(body), {"model": "N"}), bytes)
