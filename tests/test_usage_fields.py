"""A6: a usage object that donut itself writes has every field that the real API sends: Codex does not read an answer without them."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from providers.codecs.events import Event, UsageSeen
from tests.test_codec_event_stream import ANSWER
from tests.translating import CODECS, FRAME, encoded

FIELDS: dict[str, Any] = {
    "chat": {
        "prompt_tokens": int,
        "completion_tokens": int,
        "total_tokens": int,
        "prompt_tokens_details": {"cached_tokens": int},
        "completion_tokens_details": {"reasoning_tokens": int},
    },
    "responses": {
        "input_tokens": int,
        "input_tokens_details": {"cached_tokens": int},
        "output_tokens": int,
        "output_tokens_details": {"reasoning_tokens": int},
        "total_tokens": int,
    },
    "messages": {"input_tokens": int, "output_tokens": int, "cache_creation_input_tokens": int, "cache_read_input_tokens": int},
    "gemini": {"promptTokenCount": int, "candidatesTokenCount": int, "totalTokenCount": int},
}


def missing(expected: Any, found: Any, where: str = "usage") -> list[str]:
    """The fields of `expected` that `found` lacks or that are no numbers there."""
    if not isinstance(expected, dict):
        return [] if type(found) is int else [where]
    if not isinstance(found, dict):
        return [where]
    return [name for key, inner in expected.items() for name in missing(inner, found.get(key), f"{where}.{key}")]


def usages(value: Any) -> list[Any]:
    """Every usage object in it, wherever it stands."""
    if isinstance(value, list):
        return [found for each in value for found in usages(each)]
    if not isinstance(value, dict):
        return []
    here = [value[name] for name in ("usage", "usageMetadata") if value.get(name)]
    return here + [found for each in value.values() for found in usages(each)]


@pytest.mark.parametrize("dialect", sorted(FIELDS))
def test_a6_a_whole_answer(dialect: str) -> None:
    (usage,) = usages(CODECS[dialect].encode_answer(ANSWER, FRAME))
    assert missing(FIELDS[dialect], usage) == []


@pytest.mark.parametrize("dialect", sorted(FIELDS))
def test_a6_the_end_of_a_stream(dialect: str) -> None:
    said = encoded(CODECS[dialect], ANSWER)
    found = usages([orjson.loads(line) for line in re.findall(rb"^data: (\{.*\})\r?$", said, re.MULTILINE)])
    assert found
    assert missing(FIELDS[dialect], found[-1]) == []


@pytest.mark.parametrize("dialect", sorted(FIELDS))
def test_a6_also_where_the_upstream_reported_none(dialect: str) -> None:
    silent: list[Event] = [event for event in ANSWER if not isinstance(event, UsageSeen)]
    found = usages(CODECS[dialect].encode_answer(silent, FRAME))
    assert len(found) == (dialect != "gemini"), "Google's format may go without"
    assert all(missing(FIELDS[dialect], usage) == [] for usage in found)
