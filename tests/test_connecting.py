"""Editing a person's config files: what donut came for is in, everything else is as it was."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.connecting.edit import EditError, edited
from config.connecting.jsonc import JsonTextError, set_member
from proxy.harness import HARNESSES
from proxy.harnesses._recipe import ConfigFile, Format, Link, Setting

LINK = Link("http://127.0.0.1:8317", "sk-donut-1", "auto", "auto")
FILES = [file for harness in HARNESSES.values() if harness.recipe is not None for file in harness.recipe.files(LINK)]
EVERY_FILE = pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.folder}/{file.name}")

CODEX = """\
#:schema https://example.com/codex.json
# mine since 2025
model = "gpt-5.5" # the good one
approval_policy = "never"

# what it may do
[tools]
web_search = true

[model_providers.other]
name = "x"

[projects."/home/x"]
trust_level = "trusted"
"""
OPENCODE = """\
{
    // where it is from
    "$schema": "https://opencode.ai/config.json",
    "theme": "dark", // at night
    "provider": {
        "other": { "npm": "x", "models": {} }, /* keep */
        "donut": { "options": { "timeout": 5, "apiKey": "old" } },
    },
    "keybinds": { "leader": "ctrl+x" },
}
"""


def test_a_lived_in_codex_config() -> None:
    file = next(file for file in FILES if file.format is Format.TOML)
    after = edited(CODEX, file.settings, file.format, with_reasons=True)
    data = tomllib.loads(after)
    assert data["model"] == "auto"
    assert data["model_providers"]["donut"] == {"name": "donut", "base_url": LINK.v1, "wire_api": "responses", "env_key": "DONUT_KEY"}
    assert {
        key: value for key, value in data.items() if key not in ("model", "model_provider", "model_context_window", "model_providers")
    } == {key: value for key, value in tomllib.loads(CODEX).items() if key not in ("model", "model_providers")}
    head, _, tail = CODEX.partition('model = "gpt-5.5"')
    assert head.splitlines()[0] == after.splitlines()[0], "editors look for the schema in the first line"
    assert tail in after, "from the changed value on, nothing but the new table at the end"


def test_a_lived_in_opencode_config() -> None:
    file = next(file for file in FILES if file.name == "opencode.json")
    after = edited(OPENCODE, file.settings, file.format)
    plain = re.sub(r"(?m)//.*$|/\*.*?\*/", "", after.replace("://", ":||"))
    data = json.loads(re.sub(r",(\s*[}\]])", r"\1", plain))
    assert data["provider"]["donut"]["options"] == {"timeout": 5, "apiKey": "sk-donut-1", "baseURL": "http:||127.0.0.1:8317/v1"}
    assert data["model"] == "donut/auto"
    for line in OPENCODE.splitlines():
        if "donut" not in line and line.strip() not in ("{", "}"):
            assert line in after.splitlines(), "comments, commas and layout of other lines stay"


@EVERY_FILE
def test_a_second_time_changes_nothing(file: ConfigFile) -> None:
    for text in ("", {Format.TOML: CODEX, Format.JSON: OPENCODE, Format.ENV: "export OTHER=1 # x\nOPENAI_API_KEY=old"}[file.format]):
        once = edited(text, file.settings, file.format, with_reasons=True)
        assert edited(once, file.settings, file.format, with_reasons=True) == once


def test_another_key_and_model_replace_the_first() -> None:
    for harness in HARNESSES.values():
        for number, file in enumerate(harness.recipe.files(LINK) if harness.recipe is not None else ()):
            assert harness.recipe is not None
            other = harness.recipe.files(Link("http://box:1", None, "mid", "mid"))[number]
            text = edited(edited("", file.settings, file.format), other.settings, other.format)
            assert "127.0.0.1" not in text
            assert "sk-donut-1" not in text
            assert "DONUT_KEY" not in text, "Codex stops when a variable that it is told to read is not set"


class TestEnv:
    def test_the_line_that_counts_is_replaced(self) -> None:
        text = "# mine\nexport A=1\nB='x y'\nA=2\n"
        assert edited(text, [Setting(("A",), "new")], Format.ENV) == "# mine\nexport A=1\nB='x y'\nA=new\n"

    def test_a_missing_last_line_end(self) -> None:
        assert edited("A=1", [Setting(("B",), "it's")], Format.ENV) == "A=1\nB='it'\\''s'\n"


class TestWrongFiles:
    @pytest.mark.parametrize(
        ("text", "format_", "path"),
        [
            ("model = ", Format.TOML, ("model",)),
            ("model_providers = {other = {name = 1}}", Format.TOML, ("model_providers", "donut", "name")),
            ("model_providers = 5", Format.TOML, ("model_providers", "donut", "name")),
            ('{"a": 1', Format.JSON, ("b",)),
            ('{"a": 1} trailing', Format.JSON, ("b",)),
            ('{"env": "text"}', Format.JSON, ("env", "A")),
            ('{"env": null}', Format.JSON, ("env", "A")),
            ("[1]", Format.JSON, ("a",)),
            ("{a: 1}", Format.JSON, ("b",)),
            ('{"a": 1 "b": 2}', Format.JSON, ("b",)),
        ],
    )
    def test_are_left_alone(self, text: str, format_: Format, path: tuple[str, ...]) -> None:
        with pytest.raises(EditError):
            edited(text, [Setting(path, "x")], format_)


LEAVES = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6)
VALUES = st.recursive(
    LEAVES, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3), max_leaves=8
)
KEYS = st.text(max_size=3)


def set_in(data: dict[str, Any], path: list[str], value: Any) -> dict[str, Any] | None:
    """What `set_member` should make of `data`; None where something on the way is no object."""
    copy: dict[str, Any] = json.loads(json.dumps(data))
    inner: Any = copy
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            return None
    inner[path[-1]] = value
    return copy


@given(
    data=st.dictionaries(KEYS, VALUES, max_size=4),
    path=st.lists(KEYS, min_size=1, max_size=3),
    value=VALUES,
    indent=st.sampled_from([None, 1, 2, 4, "\t"]),
)
def test_any_member_of_any_json(data: dict[str, Any], path: list[str], value: Any, indent: int | str | None) -> None:
    text = json.dumps(data, indent=indent)
    expected = set_in(data, path, value)
    if expected is None:
        with pytest.raises(JsonTextError):
            set_member(text, path, value)
        return
    after = set_member(text, path, value)
    assert json.loads(after) == expected
    assert list(json.loads(after)) == list(expected), "the order stays"


TOML_VALUES = st.booleans() | st.integers(-99, 99) | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=6)
NAMES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=4)


@given(
    top=st.dictionaries(NAMES, TOML_VALUES, max_size=3),
    tables=st.dictionaries(NAMES, st.dictionaries(NAMES, TOML_VALUES, max_size=3), max_size=3),
    way=st.lists(NAMES, max_size=2),
    name=NAMES,
    value=TOML_VALUES,
)
def test_any_member_of_any_toml(top: dict[str, Any], tables: dict[str, Any], way: list[str], name: str, value: str | int | bool) -> None:
    lines = [f"{json.dumps(key)} = {json.dumps(each, ensure_ascii=False)}" for key, each in top.items()]
    for table, members in tables.items():
        if table not in top:
            lines += [
                f"[{json.dumps(table)}]  # a table",
                *(f"{json.dumps(key)} = {json.dumps(each, ensure_ascii=False)}" for key, each in members.items()),
            ]
    text = "\n".join(lines)
    expected = set_in(tomllib.loads(text), [*way, name], value)
    if expected is None:
        with pytest.raises(EditError):
            edited(text, [Setting((*way, name), value)], Format.TOML)
    else:
        assert tomllib.loads(edited(text, [Setting((*way, name), value)], Format.TOML)) == expected
