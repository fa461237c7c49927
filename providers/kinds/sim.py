"""The simulated fleet: deterministic placeholder answers, no network. `is_local` is said per replica, not here."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind
from providers.sim.fleet import BASE_URL
from providers.transport.port import Headers


def no_key(key: str) -> Headers:
    """Nobody to show a key to."""
    del key
    return []


KIND = ProviderKind(name="sim", title="the simulated fleet", classify=classify_openai, base_url=BASE_URL, auth=no_key)
