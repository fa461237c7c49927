"""Every file format of every adapter: each file is known for what it is, and nothing that JSON can hold breaks a reader."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import providers.adapters
from config.discovery import discover
from providers.adapters import Adapter, FileFormat, read_file
from providers.adapters._fields import FILE_BYTES, FormatError, count, epoch, number, text
from routing.ledger.metrics import METRICS
from tests.adapter_samples import BENCH, FILES, HARNESS, SNAPSHOT

ADAPTERS = discover(providers.adapters, "ADAPTER", Adapter)
FORMATS = {each.name: each for adapter in ADAPTERS.values() for each in adapter.formats}
NAMES = {"codex": "gpt-5.6"}

ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["model", "1e400", "\0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def test_there_is_a_sample_of_every_format() -> None:
    assert set(FILES) == set(FORMATS)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_known_for_what_it_is(name: str) -> None:
    assert [other for other, known in FORMATS.items() if known.recognise(FILES[name])] == [name]


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_figures_of_known_metrics(name: str) -> None:
    found = read_file(orjson.dumps(FILES[name]), list(FORMATS.values()), NAMES)
    assert found.readings
    assert all(METRICS[reading.metric].accepts(reading.value) and reading.subject for reading in found.readings)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    if isinstance(value, dict):
        keys: list[Any] = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    else:
        return []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@given(name=st.sampled_from(sorted(FILES)), choice=st.randoms(use_true_random=False), odd=st.lists(ODD, min_size=1, max_size=3))
def test_a_file_with_anything_anywhere_is_read_without_an_error(name: str, choice: Any, odd: list[Any]) -> None:
    document = copy.deepcopy(FILES[name])
    for value in odd:
        found = places(document)
        if found:
            container, key = choice.choice(found)
            container[key] = value
    check(FORMATS[name], document)


@given(name=st.sampled_from(sorted(FILES)), document=ODD)
def test_a_file_that_is_anything_at_all_is_read_without_an_error(name: str, document: Any) -> None:
    check(FORMATS[name], document)


def check(file_format: FileFormat, document: Any, names: Mapping[str, str] = NAMES) -> None:
    file_format.recognise(document)
    for reading in file_format.read(document, names).readings:
        assert reading.metric in METRICS
        assert math.isfinite(reading.value)
        assert reading.value >= 0
        assert reading.subject.isprintable()


def test_lines_of_several_kinds_are_read_line_by_line() -> None:
    lines = b"\n".join([orjson.dumps(BENCH), orjson.dumps(HARNESS), b'{"other": 1}', b'{"torn'])
    found = read_file(lines, list(FORMATS.values()), NAMES)
    assert {reading.subject for reading in found.readings} == {"codex|gpt-5.6", "cliproxy|MiniMax-M2.5"}
    assert found.problems == ("1 of its lines are something else, and were left out",)


@pytest.mark.parametrize("data", [b"", b"{", b"no json at all\nnor here", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_file(data, list(FORMATS.values()))


def test_a_file_of_another_kind_is_refused_with_the_names_of_those_that_would_do() -> None:
    with pytest.raises(FormatError, match="heliosBench result"):
        read_file(b'{"hello": "world"}', ADAPTERS["helios"].formats)


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(FormatError, match="64 MiB"):
        read_file(b" " * (FILE_BYTES + 1), list(FORMATS.values()))


def test_a_deep_file_is_no_trouble() -> None:
    deep = b'{"a":' * 900 + orjson.dumps(SNAPSHOT) + b"}" * 900
    assert read_file(deep, list(FORMATS.values())).readings[0].subject == "claude/big-1"


@pytest.mark.parametrize("value", [True, "1", None, math.nan, math.inf, -1, -0.001, 10**400, [1]])
def test_what_is_no_number(value: Any) -> None:
    assert number(value if value != 10**400 else 1e999) is None
    assert count(value if value != 10**400 else 1e999) == 0


@pytest.mark.parametrize("value", ["a\nb", "x" * 257, "\ud800", 3, None, "\x00"])
def test_what_is_no_text(value: Any) -> None:
    assert text(value) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-21T18:00:00Z", 1795284000.0),
        ("2026-11-21T18:00:00.123456789+00:00", 1795284000.123456),
        ("2026-11-21T19:00:00+01:00", 1795284000.0),
        ("2026-11-21T18:00:00", 1795284000.0),
        (1795284000, 1795284000.0),
        (1795284000000, 1795284000.0),
        ("yesterday", None),
        (-5, None),
        (1e300, None),
        (True, None),
        ({}, None),
        ("9999-12-31T23:59:59-14:00", None),
    ],
)
def test_points_of_time(value: Any, expected: float | None) -> None:
    found = epoch(value)
    assert found == pytest.approx(expected, abs=1e-3) if expected is not None else found is None or found > 2e11
