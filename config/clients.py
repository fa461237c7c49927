"""Everybody who has a key: those of the config file and those that `donut keys` made, as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from config.headroom import NamedKey
from config.key_file import StoredKey
from config.settings import Settings
from proxy.auth import KeyRing
from proxy.terms import ClientTerms


class Clients(NamedTuple):
    ring: KeyRing
    terms: Mapping[str, ClientTerms]
    """Of those who may not do everything."""
    policies: Mapping[str, str]
    """Of those who have one of their own."""
    keys: Sequence[NamedKey] = ()


def clients_of(settings: Settings, stored: Sequence[StoredKey] = ()) -> Clients:
    """Where a name is in both, both keys are good, and the config's terms hold."""
    configured = settings.server.api_keys
    good = [key for key in stored if key.is_good]
    named = {key.name: NamedKey(key, f"key {key.name}") for key in good}
    named |= {key.name: NamedKey(key, f"server.api_keys[{index}]") for index, key in enumerate(configured)}
    everybody = [each.terms for each in named.values()]
    return Clients(
        KeyRing(
            ((key.name, key.key.get_secret_value()) for key in configured),
            ((key.name, bytes.fromhex(key.sha256)) for key in good),
            is_closed=bool(stored),
        ),
        {each.name: ClientTerms(each.models, each.local_only) for each in everybody if each.models or each.local_only},
        {each.name: each.policy for each in everybody if each.policy is not None},
        tuple(named.values()),
    )
