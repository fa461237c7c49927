"""Under which keys a conversation is remembered: digests, made from what its client calls it or, failing that, from how it began.

Keys are scoped by the client's key, so that nobody meets another client's conversation. Their order is from the most specific to the
least; `routing.affinity` binds the first and looks under all.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import orjson

from providers.dialects import Opening
from proxy.harness import HARNESSES

HEADERS: tuple[bytes, ...] = (
    b"x-donut-session",
    *(name for harness in sorted(HARNESSES.values(), key=lambda harness: harness.is_gateway) for name in harness.session_headers),
    b"x-conversation-id",
    b"x-bf-session-id",  # Bifrost in front
)
"""Headers that name a conversation; the first one there counts. A gateway's id may stand for several: it comes behind a harness's own."""

_NAMES = frozenset(HEADERS)

AGENT_HEADERS: tuple[bytes, ...] = tuple(name for harness in HARNESSES.values() for name in harness.agent_headers)
"""What a sub-agent says of itself, where it shares its parent's session."""


KEYS_REMEMBERED = 1024
"""Half a kilobyte each. A conversation has the same key in every request, and to find it again takes a fifth of making it."""


class Sender(NamedTuple):
    """What a request's head says of the conversation."""

    client: str | None
    """The name of the client's key."""
    session: str | None
    agents: tuple[str, ...]


def sender_of(headers: Mapping[bytes, bytes], client: str | None) -> Sender:
    agents = tuple([value.decode("latin-1") for name in AGENT_HEADERS if (value := headers.get(name))])
    return Sender(client, _named(headers), agents)


@lru_cache(maxsize=KEYS_REMEMBERED)
def keys_of(opening: Opening, sender: Sender) -> tuple[str, ...]:
    """The conversation's keys."""
    session = sender.session or opening.session
    if session is not None:
        # Titles, topic checks and other chores share the session's id, and differ in what the system text says they are.
        return (_key(("session", sender.client, session, sender.agents, opening.system)),)
    if not opening.before and not opening.system:
        return ()
    weak = _key(("opening", sender.client, opening.shared, opening.system, opening.tool_names, opening.before))
    # With an answer in it the opening is unlike any other; without, it may be the same for several conversations.
    return (_key((weak, opening.answer)), weak) if opening.answer else (weak,)


def chore_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of a chore that shares its conversation's beginning (a compaction, say): one that a small model does must not pull the
    conversation after it."""
    return tuple("chore:" + key for key in keys)


def _named(headers: Mapping[bytes, bytes]) -> str | None:
    if _NAMES.isdisjoint(headers):
        return None
    for name in HEADERS:
        value = headers.get(name)
        if value:
            return value.decode("latin-1")
    return None


def _key(parts: tuple[object, ...]) -> str:
    """A digest of `parts`: as JSON, in which the same letters cut otherwise are something else."""
    try:
        told = orjson.dumps(parts)
    except orjson.JSONEncodeError:  # half a surrogate pair: orjson reads it and does not write it
        told = repr(parts).encode("utf-8", "backslashreplace")
    return sha256(told).hexdigest()[:32]
