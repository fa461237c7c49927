"""Asking a provider which models it serves."""

from __future__ import annotations

from config.listing import list_models
from config.provider_settings import ProviderSettings
from providers.kinds.anthropic import KIND as ANTHROPIC
from tests.upstreams import ScriptedUpstream, answer, saying

MODELS = answer(b'{"data":[{"type":"model","id":"claude-x"}],"has_more":false}', headers=b"content-type: application/json\r\n")


async def test_a_kind_says_its_version() -> None:
    """Anthropic refuses a request without one."""
    async with ScriptedUpstream(saying(MODELS)) as far:
        base_url = f"http://127.0.0.1:{far.port}/v1"
        provider = ProviderSettings.model_validate({"id": "a", "kind": "anthropic", "base_url": base_url, "api_key": "k"})
        assert await list_models(provider, ANTHROPIC) == ["claude-x"]
        assert far.requests[0].header(b"anthropic-version") == dict(ANTHROPIC.default_headers)[b"anthropic-version"]
        own = provider.model_copy(update={"headers": {"anthropic-version": "2026-10-21"}})
        await list_models(own, ANTHROPIC)
        assert far.requests[1].head.count(b"anthropic-version") == 1
        assert far.requests[1].header(b"anthropic-version") == b"2026-10-21"
