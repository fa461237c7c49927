"""How problems look to people and to programs."""

from __future__ import annotations

import pytest

from config.problems import ConfigError, Problem, did_you_mean, dotted, excerpt, nearest, render


def test_a_problem_reads_as_one_line() -> None:
    problem = Problem("donut.yaml", 3, 5, "a.b", "is wrong", "try c")
    assert str(problem) == "donut.yaml:3:5: a.b: is wrong; try c"
    assert str(Problem("donut.yaml", 0, 0, "", "is missing")) == "donut.yaml: is missing"


def test_a_report_counts_and_keeps_the_order_of_the_file() -> None:
    error = ConfigError([Problem("f", 2, 1, "b", "y"), Problem("f", 1, 1, "a", "x")])
    assert str(error) == "f: 2 problems\n  f:1:1: a: x\n  f:2:1: b: y"
    assert render(error.problems[:1]) == "f: 1 problem\n  f:1:1: a: x"
    assert error.problems[0].as_dict()["key"] == "a"


def test_paths() -> None:
    assert dotted(("providers", 0, "models", 12, "upstream")) == "providers[0].models[12].upstream"
    assert dotted(()) == ""


@pytest.mark.parametrize(("name", "hit"), [("prot", "port"), ("api-keys", "api_keys"), ("API_KEYS", "api_keys"), ("zzz", ""), ("", "")])
def test_nearest(name: str, hit: str) -> None:
    assert nearest(name, ["port", "api_keys"]) == hit
    assert did_you_mean(name, ["port", "api_keys"]) == (f"did you mean `{hit}`?" if hit else "")


def test_an_excerpt_points_and_masks() -> None:
    text = excerpt("  - api_key: [sk-live-1, ${KEY:-hunter22}] # note", 12, {"api_key"})
    line, caret = text.splitlines()
    assert line == "  |   - api_key: [*********, ${KEY:*********}] # ****"
    assert "live" not in text
    assert "hunter" not in text
    assert caret.index("^") == len("  | ") + 11


def test_a_long_line_is_cut_around_the_caret() -> None:
    line, caret = excerpt("x " * 1000 + "port" + " y" * 1000, 2001, {"port"}).splitlines()
    assert len(line) < 200
    assert caret.endswith("^")
    assert len(caret) < 200
