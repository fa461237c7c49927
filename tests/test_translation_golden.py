"""What real clients send, translated into every other dialect, against files that a person can read.

`recordings/translations/DIALECT.CLIENT-SCENARIO.request.json` have the shape of the recorded requests (members, order, ids), in our own
words; each stands for all of its client's whose members it has. Beside each: what upstreams of the other dialects get, and what is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from providers.codecs import UntranslatableError
from tests import golden
from tests.streams import RECORDINGS
from tests.translating import CODECS, MODEL

FOLDER = RECORDINGS / "translations"
REQUESTS = sorted(FOLDER.glob("*.request.json"))
TRACES = Path(__file__).parents[2] / "shared" / "traces"
PATHS = {"/v1/chat/completions": "chat", "/v1/responses": "responses", "/v1/messages": "messages"}


def told(dialect: str, body: dict[str, Any], upstream: str) -> str:
    """The translation and its losses, or why there is none."""
    head = f"# for {MODEL[upstream]}, in the dialect {upstream}\n"
    try:
        conversation = CODECS[dialect].parse(body)
        written = CODECS[upstream].encode(conversation, MODEL[upstream])
    except UntranslatableError as error:
        return f"{head}refused: {error}\n"
    lost = "".join(f"lost: {loss.what}: {loss.why}\n" for loss in conversation.losses)
    return f"{head}{golden.as_short_json(written)}\n{lost}"


def test_every_dialect_has_some() -> None:
    assert {path.name.partition(".")[0] for path in REQUESTS} == set(CODECS)


@pytest.mark.parametrize("path", REQUESTS, ids=[path.name.removesuffix(".request.json") for path in REQUESTS])
def test_the_translations(path: Path) -> None:
    name = path.name.removesuffix(".request.json")
    dialect, body = name.partition(".")[0], orjson.loads(path.read_bytes())
    text = "\n".join(told(dialect, body, upstream) for upstream in CODECS if upstream != dialect)
    golden.check(f"translations/{name}.txt", text)


def traces() -> Iterator[Any]:
    for path in sorted(TRACES.glob("*/*.json")):
        trace = orjson.loads(path.read_bytes())
        if trace["method"] == "POST" and trace["path"] in PATHS:
            yield pytest.param(PATHS[trace["path"]], trace["body"], id=f"{path.parent.name}/{path.stem}", marks=pytest.mark.traces)


@pytest.mark.parametrize(("dialect", "body"), list(traces()))
def test_the_recorded_requests_themselves(dialect: str, body: dict[str, Any]) -> None:
    """Where the traces stand beside the checkout: nothing of them is refused but what only OpenAI keeps."""
    for upstream in CODECS:
        text = told(dialect, body, upstream)
        assert "\nrefused: " not in text or "compaction_trigger" in text
