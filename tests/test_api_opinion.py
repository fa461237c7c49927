"""`POST /api/opinion`: donut's choice and an external router's, side by side, within the router's limit."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.api_fleet import FLEET, posted, refused
from tests.serving import Donut
from tests.test_adapter_routellm import V2
from tests.upstreams import Handler, ScriptedUpstream, answer, saying

ASKED = {"prompt": "write a haiku", "requested_model": "auto", "provider": "codex"}


async def told(tmp_path: Path, handler: Handler, timeout_s: float = 2.0) -> tuple[dict[str, object], list[bytes]]:
    """(what the page says, what the router was asked)."""
    async with ScriptedUpstream(handler) as router:
        more = f"adapters: {{routellm: {{url: 'http://127.0.0.1:{router.port}/route', timeout_seconds: {timeout_s}}}}}"
        async with Donut(FLEET + more, tmp_path) as donut:
            return await posted(donut, "/api/opinion", ASKED), [request.body for request in router.requests]


async def test_both_say_what_they_would_take(tmp_path: Path) -> None:
    said, bodies = await told(tmp_path, saying(answer(orjson.dumps({**V2, "selected_model": "tiny"}))))
    own, external = said["donut"], said["external"]
    assert isinstance(own, dict)
    assert isinstance(external, dict)
    assert (external["model"], external["router"]) == ("tiny", "local-intelligent-v2")
    assert said["agrees"] is (own["model"] == "tiny")
    (body,) = map(orjson.loads, bodies)
    assert (body["prompt"], body["provider"], body["prompt_difficulty_score"]) == ("write a haiku", "codex", own["difficulty"])


@pytest.mark.parametrize(
    ("handler", "words"),
    [(saying(answer(b"", status=b"500 Oops")), "answers 500"), (saying(answer(b"{}")), "names no model"), (saying(1.0), "Timeout")],
)
async def test_without_an_opinion_donuts_own_is_told_all_the_same(tmp_path: Path, handler: Handler, words: str) -> None:
    said, _ = await told(tmp_path, handler, timeout_s=0.3)
    assert (said["external"], said["agrees"]) == (None, None)
    assert words in str(said["problem"])
    assert isinstance(said["donut"], dict)


async def test_without_a_router_it_says_so(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        said = await posted(donut, "/api/opinion", ASKED)
        assert "adapters.routellm" in said["problem"]
        assert "prompt_difficulty_score" in await refused(donut, "/api/opinion", {"prompt_difficulty_score": 900})
