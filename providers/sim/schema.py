"""An example value for a JSON Schema: what a tool call's arguments or a structured answer look like when nobody thought about them. Pure.

Covers what tools and `response_format` use in practice: type (also a list of types), properties and required, items, enum, const, default,
anyOf / oneOf / allOf, local $ref, and the bounds of numbers, strings and arrays. Only required properties are filled in. `pattern` and
`format` are not honoured. Same schema in, same value out.

The schema comes from a client, so nothing in it is trusted: any JSON is taken without raising, and depth and size are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

DEPTH_LIMIT = 12
"""A recursive schema (`$ref: "#"`) ends here with null; real schemas nest five deep."""
VALUES_LIMIT = 1_000
"""Values in one example: `$ref: "#"` in two properties would otherwise double at each level."""
CHARACTERS_LIMIT = 256


def example(schema: Any) -> Any:
    """A value that `schema` accepts, or null where it says nothing that is understood. Never raises."""
    return _Example(schema).value(schema, 0)


class _Example:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._values_left = VALUES_LIMIT

    def value(self, schema: Any, depth: int) -> Any:
        self._values_left -= 1
        if not isinstance(schema, Mapping) or depth > DEPTH_LIMIT or self._values_left < 0:
            return None
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        for key in ("enum", "anyOf", "oneOf"):
            options = _list(schema.get(key))
            if options:
                return options[0] if key == "enum" else self.value(options[0], depth + 1)
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), depth + 1)
        if "allOf" in schema:
            return self.value(self._merged(schema), depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: Schema, depth: int) -> Any:
        type_ = schema.get("type")
        name = _list(type_)[0] if _list(type_) else type_
        if name == "object" or (name is None and "properties" in schema):
            properties = _mapping(schema.get("properties"))
            names = [name for name in _list(schema.get("required")) if isinstance(name, str)]
            return {name: self.value(properties.get(name, {"type": "string"}), depth + 1) for name in names if self._values_left > 0}
        if name == "array" or (name is None and "items" in schema):
            count = min(_count(schema.get("minItems"), 1), VALUES_LIMIT)
            return [self.value(schema.get("items", {"type": "string"}), depth + 1) for _ in range(count) if self._values_left > 0]
        return _scalar(name, schema)

    def _resolve(self, reference: Any) -> Any:
        """The target of a local reference (`#/$defs/Point`); None for anything else: nothing is ever fetched."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        target: Any = self._root
        for part in reference[1:].split("/")[1:]:
            target = _mapping(target).get(part.replace("~1", "/").replace("~0", "~"))
        return target

    def _merged(self, schema: Schema) -> Schema:
        """`allOf` folded into one schema: properties and required add up, for the rest the last one wins."""
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        for part in _list(schema["allOf"]):
            resolved = _mapping(part)
            if "$ref" in resolved:
                resolved = _mapping(self._resolve(resolved["$ref"]))
            properties = {**_mapping(merged.get("properties")), **_mapping(resolved.get("properties"))}
            required = _list(merged.get("required")) + _list(resolved.get("required"))
            merged |= {**resolved, "properties": properties, "required": required}
        return merged


def _scalar(name: Any, schema: Schema) -> Any:
    match name:
        case "string":
            shortest = min(_count(schema.get("minLength"), 0), CHARACTERS_LIMIT)
            longest = max(_count(schema.get("maxLength"), CHARACTERS_LIMIT), shortest)
            return "simulated".ljust(shortest, ".")[:longest]
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case _:
            return None


def _number(schema: Schema) -> int | float:
    """1 if allowed, else the nearest bound: zero makes a poor argument (`"limit": 0`)."""
    value: int | float = 1
    least = _bound(schema, "minimum", "exclusiveMinimum", 1)
    most = _bound(schema, "maximum", "exclusiveMaximum", -1)
    if least is not None:
        value = max(value, least)
    if most is not None:
        value = min(value, most)
    return value


def _bound(schema: Schema, inclusive: str, exclusive: str, step: int) -> int | float | None:
    for key, distance in ((inclusive, 0), (exclusive, step)):
        limit = schema.get(key)
        if isinstance(limit, int | float) and not isinstance(limit, bool):
            # Beyond 2^53 a step of one means nothing to a float and may leave the 64 bits that JSON writers take.
            return limit + distance if abs(limit) < 2**53 else limit
    return None


def _count(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and value >= 0 else otherwise


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Schema:
    return value if isinstance(value, Mapping) else {}
