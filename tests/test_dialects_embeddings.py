"""What donut reads from embeddings: vectors are no tokens, and nothing of the input is counted twice."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.dialects import BadRequestError
from providers.dialects.embeddings import DIALECT
from routing.types import Capability, Usage


@pytest.mark.parametrize("given", ["text", ["a", "b"], [1, 2], [[1], [2]]])
def test_inputs(given: Any) -> None:
    ask = DIALECT.read({"model": "m", "input": given}, 400)
    assert (ask.stream, ask.capability_bits, ask.input_tokens_estimated) == (False, Capability.EMBEDDINGS, 100)
    assert ask.output_tokens_max == 0, "nothing is reserved for an answer of vectors"


@pytest.mark.parametrize(
    ("more", "code"),
    [({}, "missing_required_parameter"), ({"input": None}, "invalid_type"), ({"input": 5}, "invalid_type"), ({"input": {}}, "invalid_type"),
     ({"input": ""}, "invalid_value"), ({"input": []}, "invalid_value")],
)  # fmt: skip
def test_what_is_wrong_is_named(more: dict[str, Any], code: str) -> None:
    with pytest.raises(BadRequestError, match="`input`") as caught:
        DIALECT.read({"model": "m", **more}, 10)
    assert (caught.value.param, caught.value.code) == ("input", code)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"input": "x", "model" : "up"}', b'{"input": "x", "model" : "up"}'),
        (b'{"input": "x", "model" : "m"}', b'{"input": "x", "model" : "up"}'),
        (b'{"model":"secret","input":"x","model":"up"}', b'{"model":"up","input":"x","model":"up"}'),
    ],
)
def test_only_the_name_changes(body: bytes, expected: bytes) -> None:
    data = orjson.loads(body)
    assert DIALECT.prepare(body, data, DIALECT.read(data, len(body)), "up") == expected


def test_answers() -> None:
    facts = DIALECT.read_answer(b'{"data":[],"usage":{"prompt_tokens":7,"total_tokens":7}}')
    assert (facts.usage, facts.output_tokens_estimated) == (Usage(7), 0)
    large = DIALECT.read_large_answer(b'0.1]}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}', 9_000_000)
    assert (large.usage, large.output_tokens_estimated) == (Usage(7), 0)
