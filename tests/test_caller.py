"""What a connection remembers of its client's last request is never used for another head, path, key or configuration."""

from __future__ import annotations

from pathlib import Path

from tests.serving import Donut, config_for
from tests.streams import RawAnswer, RawClient, ask
from tests.upstreams import ScriptedUpstream, answer, saying

KEYS = ("a-key-for-clients-1", "a-key-for-clients-2")
WHOLE = b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}'


def keyed(port: int, *keys: str) -> str:
    return config_for(port, port, more=f"server: {{api_keys: [{', '.join(keys)}]}}")


async def asked(client: RawClient, key: str | None, body: object = None, path: str = "/v1/chat/completions", **more: str) -> RawAnswer:
    headers = {"authorization": f"Bearer {key}"} if key is not None else {}
    return await client.ask(body or ask(), path, {**headers, **{name.replace("_", "-"): value for name, value in more.items()}})


async def test_every_request_shows_its_own_key(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(answer(WHOLE))) as upstream,
        Donut(keyed(upstream.port, *KEYS), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        said = [(await asked(client, key)).status for key in (KEYS[0], KEYS[0], "sk-none-of-them", None, KEYS[1], KEYS[0])]
        assert said == [200, 200, 401, 401, 200, 200]
        rows = await donut.wait_for_rows(4)
        assert [row["client_key"] for row in rows] == ["key-1", "key-1", "key-2", "key-1"]


async def test_a_key_that_config_takes_away_ends_on_the_open_connection(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(answer(WHOLE))) as upstream,
        Donut(keyed(upstream.port, *KEYS), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await asked(client, KEYS[0])).status == 200
        await donut.reload(keyed(upstream.port, KEYS[1]))
        assert [(await asked(client, key)).status for key in (KEYS[0], KEYS[1])] == [401, 200]


async def test_headers_path_and_length_are_read_anew(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(answer(WHOLE))) as upstream,
        Donut(config_for(upstream.port, upstream.port, more="server: {body_limit_mb: 1}"), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await asked(client, None, x_donut_exclude="p0")).headers["x-donut-replica"] == "p1/up-model"
        assert (await asked(client, None, x_donut_exclude="p1")).headers["x-donut-replica"] == "p0/up-model"
        assert (await asked(client, None, x_donut_tier="huge")).status == 400
        assert (await asked(client, None, x_donut_tier="huge")).status == 400, "the same mistake again"
        assert (await asked(client, None, x_request_id="mine")).headers["x-request-id"] == "mine"
        assert (await asked(client, None)).headers["x-request-id"] != "mine"
        long = ask(messages=[{"role": "user", "content": "long " * 1000}])
        assert [(await asked(client, None, body)).status for body in (ask(), long, ask())] == [200, 200, 200]
        assert (await asked(client, None, {"model": "test-model", "prompt": "Hi"}, "/v1/completions")).status == 200
        assert upstream.requests[-1].head.startswith(b"POST /v1/completions ")
        assert (await asked(client, None, {"model": "test-model", "prompt": "Hi"})).status == 400, "not the path's dialect any more"
        too_long = b"{" + b" " * (1 << 20) + b"}"
        assert (await asked(client, None, too_long)).status == 413
