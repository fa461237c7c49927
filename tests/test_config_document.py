"""YAML as donut reads it: text stays text, every value has a place, and no input does harm."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.document import DEPTH_LIMIT, NODE_LIMIT, SIZE_LIMIT, Document, read_document
from config.problems import ConfigError, Problem


def read(text: str, **environ: str) -> Document:
    return read_document(text, "donut.yaml", environ)


def refused(text: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        read(text)
    (problem,) = caught.value.problems
    return problem


def test_scalars_stay_as_written() -> None:
    document = read("a: 1.10\nb: 0123\nc: no\nd: 2026-11-20\ne: '~'\nf: ~\ng:\nh: [1e3, .inf]\n")
    assert document.data == {
        "a": "1.10",
        "b": "0123",
        "c": "no",
        "d": "2026-11-20",
        "e": "~",
        "f": None,
        "g": None,
        "h": ["1e3", ".inf"],
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~\n"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert read(text).data == {}


def test_places_are_of_keys_and_items() -> None:
    document = read("a:\n  - b: 1\n    c:\n      d: 2\n")
    assert document.places == {("a",): (1, 1), ("a", 0): (2, 5), ("a", 0, "b"): (2, 5), ("a", 0, "c"): (3, 5), ("a", 0, "c", "d"): (4, 7)}
    assert document.place(("a", 0, "c", "missing", 3)) == (3, 5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "1"),
        ("x${A}y${B}", "x1ytwo"),
        ("${NONE:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY}", ""),
        ("${NONE:-}", ""),
        ("${NONE:-http://h:1/v1}", "http://h:1/v1"),
        ("$${A}", "${A}"),
        ("$A $ {A}", "$A $ {A}"),
        ("${LIST}", "[a, b]: {c}\nd: e"),
    ],
)
def test_variables(text: str, value: str) -> None:
    document = read(f"key: '{text}'", A="1", B="two", EMPTY="", LIST="[a, b]: {c}\nd: e")
    assert document.data == {"key": value}
    assert not document.problems


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("${OPENAI_KEY}", "environment variable OPENAI_KEY is not set", "did you mean `OPENAI_API_KEY`?"),
        ("${Q}", "environment variable Q is not set", "set it, or write `${Q:-default}`"),
        ("${1A}", "a variable is written `${NAME}`", ""),
        ("${A", "a variable is written `${NAME}`", ""),
        ("${}", "a variable is written `${NAME}`", ""),
        ("${A:-${B}}", "a variable is written `${NAME}`", ""),
    ],
)
def test_wrong_variables_name_line_and_variable(text: str, words: str, hint: str) -> None:
    document = read(f"first: 1\nkey:\n  - '{text}'", OPENAI_API_KEY="sk-live-secret")
    (problem,) = document.problems
    assert (problem.line, problem.column, problem.key) == (3, 5, "key[0]")
    assert words in problem.message
    assert problem.suggestion == hint
    assert "sk-live-secret" not in str(problem)
    assert document.unresolved == {("key", 0)}


def test_a_key_takes_no_variable() -> None:
    (problem,) = read("${A}: 1", A="secret").problems
    assert "for values, not for keys" in problem.message
    assert "secret" not in str(problem)


def test_a_duplicate_names_both_lines() -> None:
    (problem,) = read("a:\n  b: 1\n  c: 2\n  b: 3\n").problems
    assert (problem.line, problem.key) == (4, "a.b")
    assert "line 2" in problem.message


def test_aliases_and_merge_keys() -> None:
    document = read("a: &a {x: 1, y: 2}\nb: *a\nc:\n  y: 3\n  <<: *a\nd: {<<: [*a, {x: 9, z: 5}]}\n")
    assert document.data["b"] == {"x": "1", "y": "2"}
    assert document.data["c"] == {"y": "3", "x": "1"}
    assert document.data["d"] == {"x": "1", "y": "2", "z": "5"}
    assert document.places[("c", "y")] == (4, 3)
    assert not document.problems


def test_the_trouble_of_an_anchor_is_reported_once() -> None:
    assert len(read("a: &a ['${NONE}']\nb: *a\nc: *a\n").problems) == 1


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: [1,\nb: 2\n", 2, 5, "not valid YAML"),
        ("a:\n\tb: 1\n", 2, 1, "use spaces"),
        ("a: b: c\n", 1, 5, "not valid YAML"),
        ("a: \x01\n", 1, 4, "U+0001"),
        ("a: *nowhere\n", 1, 4, "undefined alias"),
        ("- a\n", 1, 1, "must be a mapping"),
        ("text", 1, 1, "must be a mapping"),
        ("a: 1\n---\nb: 2\n", 2, 1, "not valid YAML"),
        ("a: {b: ${C}}\n", 1, 9, "needs quotes"),
        ("[" * 100_000, 1, DEPTH_LIMIT + 1, "nested deeper"),
        ("a: [" + "x," * (NODE_LIMIT + 1) + "]", 1, 2 * NODE_LIMIT - 1, "more than"),
        ("a: &a [*a]", 1, 4, "aliases expand"),
        ("a: &a\n  <<: *a\n", 1, 4, "aliases expand"),
        ("\ud800", 0, 0, "not valid Unicode"),
        ("a" * (SIZE_LIMIT + 1), 0, 0, "larger than"),
    ],
)
def test_what_is_refused_as_a_whole(text: str, line: int, column: int, words: str) -> None:
    problem = refused(text)
    assert (problem.line, problem.column) == (line, column)
    assert words in str(problem)


def test_a_billion_laughs_end_early() -> None:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "aliases expand" in refused("\n".join(lines)).message


def test_the_offending_line_is_shown_without_secrets() -> None:
    with pytest.raises(ConfigError) as caught:
        read_document('providers:\n  - api_key: "sk-live-canary-1\n', "donut.yaml", {}, {"api_key", "providers"})
    report = str(caught.value)
    assert "api_key" in report
    assert report.splitlines()[-1].strip() == "|" + " " * report.splitlines()[-1].strip().count(" ") + "^"
    assert "canary" not in report


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!custom", "!!binary", "!!set"])
def test_tags_are_not_executed(tag: str) -> None:
    problems = read(f"a: {tag} {{x: y}}").problems
    assert any("is not supported here" in problem.message for problem in problems)


@given(st.text())
@example("? [a]\n: b")
@example("<<: 1")
@example("<<: {<<: [1, {a: b}]}")
@example("%YAML 9.9\n---\na: 1")
@example("\ufeffa: 1")
@example("a: !!null x")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = read(text)
    except ConfigError:
        return
    assert isinstance(document.data, dict)
