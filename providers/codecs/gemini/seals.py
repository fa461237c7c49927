"""Whose a part's `thoughtSignature` is. Clients give it back unread with the function call it stands on, so others' reasoning goes there.

Gemini CLI keeps no thoughts in its history, only the signatures of calls: what Claude or GPT thought before a call would be lost, and some
of their models refuse to go on without it. So all of it goes into the call's signature: base64 of `donut.` and a JSON array. The base64
of `donut.` always begins with `MARK`, by which donut's signatures are told from Google's.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

import orjson

from providers.codecs.conversation import Reasoning

GEMINI = "gemini"
UNSEALED = "skip_thought_signature_validator"
"""Google's documented stand-in for a signature that is not there (https://ai.google.dev/gemini-api/docs/thought-signatures)."""

_PREFIX = b"donut."
MARK = base64.b64encode(_PREFIX).decode()
_MEMBERS = 6


def signature_of(thoughts: Iterable[Reasoning]) -> str:
    """The signature that carries the reasoning of others."""
    return base64.b64encode(_PREFIX + orjson.dumps([list(thought) for thought in thoughts])).decode()


def is_ours(signature: object) -> bool:
    return isinstance(signature, str) and signature.startswith(MARK)


def reasoning_in(signature: str) -> list[Reasoning]:
    """What `signature_of` put in; nothing where a client has mangled it."""
    try:
        raw = base64.urlsafe_b64decode(signature.replace("+", "-").replace("/", "_"))
        found = orjson.loads(raw.removeprefix(_PREFIX))
    except (binascii.Error, orjson.JSONDecodeError, ValueError):
        return []
    return [thought for item in found if (thought := _reasoning(item)) is not None] if isinstance(found, list) else []


def _reasoning(item: object) -> Reasoning | None:
    if not isinstance(item, list) or len(item) != _MEMBERS:
        return None
    text, vendor, seal, item_id, is_summary, is_redacted = item
    if (
        not isinstance(text, str)
        or not isinstance(vendor, str)
        or not all(value is None or isinstance(value, str) for value in (seal, item_id))
    ):
        return None
    return Reasoning(text, vendor, seal, item_id, is_summary is True, is_redacted is True)
