"""What an upstream says of its limits beside its answer decides who is asked next."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import Donut, config_for
from tests.streams import RawClient, ask
from tests.upstreams import ScriptedUpstream, answer, saying

USED_UP = b"x-ratelimit-limit-requests: 60\r\nx-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 40s\r\n"
WHOLE = b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}'


@pytest.mark.parametrize(
    "last", [answer(WHOLE, headers=USED_UP), answer(b'{"error":{"message":"busy"}}', status=b"503 Busy", headers=USED_UP)]
)
async def test_who_has_nothing_left_is_not_asked_until_it_has(last: bytes, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(last)) as one,
        ScriptedUpstream(saying(answer(WHOLE))) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        for _ in range(4):
            assert (await client.ask(ask())).status == 200
        assert len(one.requests) == 1
        assert len(two.requests) >= 3
        got = await client.ask(ask("p0/up-model"))
        assert got.status == 429
        assert 35 <= int(got.headers["retry-after"]) <= 40
        assert len(one.requests) == 1
