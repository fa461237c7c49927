"""Examples satisfy the schemas that tools use, and no schema from a client can make the maker raise, hang or grow."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.sim.schema import CHARACTERS_LIMIT, VALUES_LIMIT, example

POINT = {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x", "y"]}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "simulated"),
        ({"type": "string", "maxLength": 3}, "sim"),
        ({"type": "string", "minLength": 12}, "simulated..."),
        ({"type": "string", "enum": ["celsius", "kelvin"]}, "celsius"),
        ({"const": 7}, 7),
        ({"type": "integer", "default": 3}, 3),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, "simulated"),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
        ({"$defs": {"P": POINT}, "$ref": "#/$defs/P"}, {"x": 1, "y": 1}),
        ({"allOf": [POINT, {"properties": {"z": {"const": 0}}, "required": ["z"]}]}, {"x": 1, "y": 1, "z": 0}),
        ({"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"a": "simulated"}),
        ({"type": "object", "properties": {"optional": {"type": "string"}}}, {}),
        (True, None),
        ({}, None),
    ],
)
def test_example(schema: Any, value: Any) -> None:
    assert example(schema) == value


def test_a_recursive_schema_ends() -> None:
    both = {"type": "object", "properties": {"l": {"$ref": "#"}, "r": {"$ref": "#"}}, "required": ["l", "r"]}
    assert len(orjson.dumps(example(both))) < 20 * VALUES_LIMIT


def test_nested_arrays_with_huge_minimums_stay_small() -> None:
    schema: dict[str, Any] = {"type": "string", "minLength": 10**9}
    for _ in range(6):
        schema = {"type": "array", "items": schema, "minItems": 10**6}
    assert len(orjson.dumps(example(schema))) < VALUES_LIMIT * (CHARACTERS_LIMIT + 10)


KEYS = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "anyOf",
        "allOf",
        "$ref",
        "minItems",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "a",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.sampled_from(["object", "array", "string", "integer", "number", "#", "#/properties/a", "a", ""])
ANYTHING = st.recursive(LEAVES | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)


@given(ANYTHING)
def test_any_json_is_taken_without_raising_and_gives_json(schema: Any) -> None:
    orjson.dumps(example(schema))
