"""The configuration as JSON Schema (draft 2020-12), for editors: `donut check --schema > donut.schema.json`.

Taken from the settings' models, with what only the reader of the file knows added: a client key may be a bare string, and
`${NAME}` may stand wherever a number, a boolean or one of several words is expected.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from config.explanation import sections
from config.section import Section
from config.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}
_RESTRICTING = ("enum", "const", "pattern", "minLength", "maxLength")


def json_schema(kinds: Collection[str] = ()) -> dict[str, Any]:
    """The schema as plain data. `kinds` are the provider kinds to allow; none given: any text."""
    raw = Settings.model_json_schema(mode="validation")
    definitions: dict[str, Any] = raw["$defs"]
    for section in set(sections(Settings)):
        properties = (raw if section is Settings else definitions[section.__name__])["properties"]
        for name, words in _docstrings(section).items():
            properties[name].setdefault("description", words)
    if kinds:
        definitions["ProviderSettings"]["properties"]["kind"]["enum"] = sorted(kinds)
    schema = _with_variables(raw)
    bare_key = {"type": "string", "minLength": 1, "description": "The key; it is named key-1, key-2 … by its place in the list."}
    schema["$defs"]["ClientKey"] = {"anyOf": [bare_key, schema["$defs"]["ClientKey"]]}
    return {"$schema": DIALECT, **schema, "title": "donut configuration"}


def _docstrings(section: type[BaseModel]) -> dict[str, str]:
    """What stands below each key of a section. pydantic does this too (`use_attribute_docstrings`), but at every import: 40 ms of a start,
    of which nobody sees anything."""
    found: dict[str, str] = {}
    for base in reversed(section.__mro__[: section.__mro__.index(Section)]):
        (body,) = (node.body for node in ast.parse(textwrap.dedent(inspect.getsource(base))).body if isinstance(node, ast.ClassDef))
        for key, below in itertools.pairwise(body):
            if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name) and isinstance(below, ast.Expr):
                words = ast.literal_eval(below.value)
                found[key.target.id] = inspect.cleandoc(words)
    return found


def _with_variables(node: Any) -> Any:
    """`node` without pydantic's generated titles, and with every restricted scalar open to `${NAME}`."""
    if isinstance(node, list):
        return [_with_variables(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):  # here the keys are names, not the schema's own words
            result[key] = {name: _with_variables(item) for name, item in value.items()}
        elif key in ("default", "propertyNames"):
            result[key] = value
        elif key != "title":
            result[key] = _with_variables(value)
    return _open_to_variables(result)


def _open_to_variables(node: dict[str, Any]) -> dict[str, Any]:
    kind = node.get("type")
    if kind in ("integer", "number", "boolean") or (kind == "string" and any(key in node for key in _RESTRICTING)):
        outer: dict[str, Any] = {key: node.pop(key) for key in ("description", "default") if key in node}
        return {**outer, "anyOf": [node, _VARIABLE]}
    return node
