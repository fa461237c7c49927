"""Google's older schemas (`parameters`, `responseSchema`: a subset of OpenAPI 3.0) → JSON Schema, and what `$ref` may stand beside.

The types are written in capitals there, and `nullable` stands for a type `null`. Gemini CLI writes capitals into `responseJsonSchema`, too
(recorded): every schema is read this way. https://ai.google.dev/api/caching#Schema
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.gemini.spelling import camel

_TYPES = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
"""int64 in Google's format, which its JSON writes as strings."""
_VALUES = frozenset({"const", "enum", "default", "example", "examples", "required"})
"""Members that hold values, not schemas."""
_MAPS = frozenset({"properties", "$defs", "definitions", "patternProperties"})
"""Members that hold schemas by name."""
_OPENAPI_ONLY = frozenset({"nullable", "propertyOrdering"})
_TWO_SPELLINGS = _COUNTS | _OPENAPI_ONLY | {"anyOf", "additionalProperties"}


def json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` as JSON Schema; one that is so already comes back as it was."""
    found: dict[str, Any] = {}
    for key, value in schema.items():
        name = camelled if "_" in key and (camelled := camel(key)) in _TWO_SPELLINGS else key
        if name in _OPENAPI_ONLY:
            continue
        if name == "type" and isinstance(value, str):
            found[name] = value.lower() if value in _TYPES else value
        elif name in _VALUES:
            found[name] = value
        elif name in _COUNTS and isinstance(value, str) and value.isdecimal():
            found[name] = int(value)
        elif name in _MAPS and isinstance(value, Mapping):
            found[name] = {each: _inner(inner) for each, inner in value.items()}
        else:
            found[name] = _inner(value)
    if schema.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
        if isinstance(found.get("enum"), list) and None not in found["enum"]:
            found["enum"] = [*found["enum"], None]
    return found


def _inner(value: Any) -> Any:
    if isinstance(value, Mapping):
        return json_schema(value)
    return [_inner(item) for item in value] if isinstance(value, list) else value


def refs_alone(schema: Any) -> Any:
    """`schema` for `parametersJsonSchema` and `responseJsonSchema`: beside a `$ref` nothing but members that begin with `$` may stand
    (https://ai.google.dev/api/generate-content#FIELDS.response_json_schema). Pydantic puts descriptions there."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            return {key: value if key != "$defs" else refs_alone(value) for key, value in schema.items() if key.startswith("$")}
        return {
            key: refs_alone(value) if isinstance(value, Mapping | list) and key not in _VALUES else value for key, value in schema.items()
        }
    return [refs_alone(item) for item in schema] if isinstance(schema, list) else schema
