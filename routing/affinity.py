"""Which replica a conversation is with, so that its next request finds the prompt cache warm and its reasoning readable.

A binding is made by success only, lasts `TTL_S` from the last one (less `REBOUND_S` at the most), and is one of a bounded number: over all,
and per client, so that one client with many conversations never costs another its own. Keys are opaque digests; proxy/session.py makes
them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

TTL_S = 3600.0
"""The longest that a prompt cache lives: Anthropic keeps one for 5 minutes or for an hour, OpenAI for 5 to 60 minutes. Beyond it a
conversation loses nothing by going elsewhere, except reasoning that only one account can read: such a request is refused with words."""

REBOUND_S = 30.0
"""A binding that is younger stays as it is: an agent's steps follow each other in seconds, and an hour is an hour less half a minute."""

BINDINGS_MOST = 20_000
"""About 8 MB. A thousand people with twenty conversations in an hour fit."""

CLIENT_BINDINGS_MOST = 5_000
"""A quarter of all. Where no keys are configured everybody is one client."""


@dataclass(frozen=True, slots=True)
class Binding:
    key: str
    replica_id: str
    client: str | None
    """The name of the client's key."""
    bound_at_s: float
    """On the clock of `now_s`; may be negative for what was bound before this process began."""


class Affinity:
    def __init__(self, ttl_s: float = TTL_S, most: int = BINDINGS_MOST, most_per_client: int = CLIENT_BINDINGS_MOST) -> None:
        self.ttl_s = ttl_s
        """May be changed at any time."""
        self._most = most
        self._most_per_client = most_per_client
        # Both oldest first. The second holds nothing but the order in which each client's keys were bound.
        self._bindings: OrderedDict[str, Binding] = OrderedDict()
        self._keys_of: dict[str | None, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._bindings)

    def replica_of(self, keys: tuple[str, ...], now_s: float) -> str | None:
        """The replica under the first of `keys` that is bound, most specific first; None when none is, or not any more."""
        for key in keys:
            found = self._bindings.get(key)
            if found is not None and now_s - found.bound_at_s < self.ttl_s:
                return found.replica_id
        return None

    def bind(self, keys: tuple[str, ...], replica_id: str, client: str | None, now_s: float) -> None:
        """Bind the first of `keys` (there is one), the most specific. The others are for looking up alone: two conversations that began
        alike and went different ways share them, and neither may pull the other along."""
        known = self._bindings.get(keys[0])
        if known is None or known.replica_id != replica_id or now_s - known.bound_at_s >= REBOUND_S or known.client != client:
            self._put(Binding(keys[0], replica_id, client, now_s))

    def forget(self, replica_id: str) -> None:
        """Drop every binding to `replica_id`."""
        for key in [key for key, binding in self._bindings.items() if binding.replica_id == replica_id]:
            self._drop(key)

    def snapshot(self) -> list[Binding]:
        """Every binding, the one that was made longest ago first."""
        return list(self._bindings.values())

    def load(self, bindings: Iterable[Binding], now_s: float) -> None:
        """Take over `bindings`, oldest first, as far as they are alive at `now_s` and nothing newer is known."""
        for binding in bindings:
            known = self._bindings.get(binding.key)
            is_news = known is None or known.bound_at_s < binding.bound_at_s
            if is_news and now_s - binding.bound_at_s < self.ttl_s:
                self._put(binding)

    def _put(self, binding: Binding) -> None:
        key, client = binding.key, binding.client
        if key in self._bindings:
            self._drop(key)
        self._bindings[key] = binding
        keys = self._keys_of.get(client)
        if keys is None:
            keys = self._keys_of[client] = OrderedDict()
        keys[key] = None
        if len(keys) > self._most_per_client:
            self._drop(next(iter(keys)))
        if len(self._bindings) > self._most:
            self._drop(next(iter(self._bindings)))

    def _drop(self, key: str) -> None:
        binding = self._bindings.pop(key)
        keys = self._keys_of[binding.client]
        del keys[key]
        if not keys:
            del self._keys_of[binding.client]
