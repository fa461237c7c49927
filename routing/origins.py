"""Which provider made what only it can continue from: a stored response that a later request names by its id.

Ids are the provider's; they are scoped by the client's key, so that nobody continues from another's.
"""

from __future__ import annotations

from routing.recent import Recent

TTL_S = 24 * 3600.0
"""OpenAI keeps responses for 30 days. A conversation that rests for longer than a day is rare, and its provider refuses a stranger's id."""

ORIGINS_MOST = 20_000


class Origins:
    def __init__(self, most: int = ORIGINS_MOST, ttl_s: float = TTL_S) -> None:
        self._providers: Recent[tuple[str | None, str], str] = Recent(most, ttl_s)

    def provider_of(self, response_id: str, client: str | None, now_s: float) -> str | None:
        """The id of the provider that made the response; None when unknown, or when another client asked for it."""
        return self._providers.get((client, response_id), now_s)

    def remember(self, response_id: str, provider_id: str, client: str | None, now_s: float) -> None:
        self._providers.put((client, response_id), provider_id, now_s)
