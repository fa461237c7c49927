"""What was recorded of each dialect's traffic, by its codec's name: whole streams and requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from providers import sse
from providers.codecs.conversation import Conversation
from tests import golden
from tests.streams import RECORDINGS

_SHARED_WITH_THE_RELAY: Mapping[str, tuple[str, ...]] = {"chat": ("streams",)}
"""Codec → further folders of streams in its format."""


def streams_of(codec: str) -> dict[str, bytes]:
    """Every recorded stream of a codec's format, by name."""
    folders = (codec, *_SHARED_WITH_THE_RELAY.get(codec, ()))
    return {path.stem: path.read_bytes() for folder in folders for path in sorted((RECORDINGS / folder).glob("*.sse"))}


def requests_of(codec: str) -> dict[str, Any]:
    """Every recorded request of a codec's format, by name."""
    found = sorted((RECORDINGS / codec).glob("*.request.json"))
    return {path.name.removesuffix(".request.json"): orjson.loads(path.read_bytes()) for path in found}


def named_payloads(stream: bytes) -> list[dict[str, Any]]:
    """The data of a stream whose events have names; each under the name that its `event:` line says."""
    found = []
    for event in sse.events(stream):
        name, data = event.decode().removesuffix("\n\n").split("\n")
        parsed = orjson.loads(data.removeprefix("data: "))
        assert name == f"event: {parsed['type']}"
        found.append(parsed)
    return found


def told(conversation: Conversation, *without: str) -> str:
    """A conversation for a person to read: turn by turn, then what else was said, but for the members `without`."""
    lines = [f"{turn.role}\n" + "".join(f"    {golden.told(part)}\n" for part in turn.parts) for turn in conversation.turns]
    lines += [f"tool {golden.told(tool._replace(raw=None))}\n" for tool in conversation.tools]
    default = Conversation([])
    skipped = ("turns", "tools", "losses", *without)
    members = {name: getattr(conversation, name) for name in default.__slots__ if name not in skipped}
    lines += [f"{name} = {golden.told(value)}\n" for name, value in members.items() if value != getattr(default, name)]
    lines += [f"lost {loss.what}: {loss.why}\n" for loss in conversation.losses]
    return "".join(lines)
