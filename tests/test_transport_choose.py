"""Which of the two transports serves an origin, told by real upstreams and a real proxy behind them."""

from __future__ import annotations

import asyncio

import pytest

from providers.transport.choose import ChooseTransport
from providers.transport.port import Answer, Origin, UpstreamRequest
from providers.transport.via_httpx import HttpxAnswer, HttpxTransport
from providers.transport.wire import WireAnswer, WireTransport
from tests.upstreams import ScriptedUpstream
from tests.upstreams_h2 import ForwardProxy, H2Upstream


def transport(trust_env: bool = False) -> ChooseTransport:
    return ChooseTransport(WireTransport(), HttpxTransport(), trust_env=trust_env)


async def asked(choose: ChooseTransport, origin: Origin) -> Answer:
    answer = await choose.send(UpstreamRequest(origin, b"GET", b"/", [], b""))
    while await answer.read():
        pass
    answer.close()
    return answer


async def test_wire_unless_the_origin_needs_the_other() -> None:
    choose = transport()
    async with ScriptedUpstream() as plain, H2Upstream() as h2, ForwardProxy() as proxy:
        assert isinstance(await asked(choose, Origin("http", "127.0.0.1", plain.port)), WireAnswer)
        assert isinstance(await asked(choose, Origin("http", "127.0.0.1", h2.port, http2=True)), HttpxAnswer)
        proxied = Origin("http", "127.0.0.1", plain.port, proxy=f"http://127.0.0.1:{proxy.port}")
        assert isinstance(await asked(choose, proxied), HttpxAnswer)
        assert len(proxy.lines) == 1
    await choose.aclose()


async def test_the_environment_counts_only_when_trusted_and_never_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedUpstream() as upstream, ForwardProxy() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        choose = transport(trust_env=True)
        assert isinstance(await asked(choose, Origin("http", "model.test", upstream.port)), HttpxAnswer)
        assert len(proxy.lines) == 1
        for host in ("127.0.0.1", "localhost"):
            assert isinstance(await asked(choose, Origin("http", host, upstream.port)), WireAnswer)
        untrusting = transport()
        with pytest.raises(Exception, match=r"model\.test:\d+: name not found"):
            await asked(untrusting, Origin("http", "model.test", upstream.port))
        assert len(proxy.lines) == 1
        await asyncio.gather(choose.aclose(), untrusting.aclose())
