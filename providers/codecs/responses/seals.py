"""Whose a reasoning item's `encrypted_content` is. Clients give it back unread, so other vendors' seals travel in it, marked as in
Anthropic's `signature` (`codecs.messages.seals`): `donut.<vendor>.<how>.<seal>`.

`how` is `redacted` for a block of Anthropic's that is nothing but a seal. An item without any seal gets the mark alone: OpenAI refuses
encrypted content that it did not make, so donut's own must be told from its.
"""

from __future__ import annotations

from providers.codecs.conversation import Reasoning
from providers.codecs.messages.seals import MARK

OPENAI = "openai"
_REDACTED = "redacted"


def is_ours(item: dict[str, object]) -> bool:
    """Did donut make this reasoning item, from another vendor's answer?"""
    content = item.get("encrypted_content")
    return isinstance(content, str) and content.startswith(MARK)


def encrypted_content(vendor: str, seal: str, *, is_redacted: bool = False) -> str:
    """What stands in `encrypted_content` for a seal of `vendor`."""
    return seal if vendor == OPENAI else f"{MARK}{vendor}.{_REDACTED if is_redacted else ''}.{seal}"


def unsealed(text: str, content: str, *, item_id: str | None, is_summary: bool) -> Reasoning:
    """The reasoning that a client gives back: `content` is its `encrypted_content`, empty where there is none."""
    if not content.startswith(MARK):
        # A bare id means something to the server that keeps it; text without a seal anybody may read.
        vendor = OPENAI if content or not text else ""
        return Reasoning(text, vendor, content or None, item_id if vendor else None, is_summary)
    vendor, _, rest = content.removeprefix(MARK).partition(".")
    how, _, seal = rest.partition(".")
    return Reasoning(text, vendor, seal or None, is_redacted=how == _REDACTED)
