"""Whose a thinking block's `signature` is. Anthropic's format has one seal, clients give it back unread: so others' travel in it, marked.

`donut.<vendor>.<item id>.<seal>`; all three may be empty. Anthropic's own is base64 and holds no dot. A block without any seal gets the
bare mark: a signature that Anthropic would refuse has to be told from its own when the conversation moves on to it.
"""

from __future__ import annotations

from typing import NamedTuple

MARK = "donut."
ANTHROPIC = "anthropic"


class Seal(NamedTuple):
    vendor: str
    item_id: str | None
    seal: str | None


def signature_of(vendor: str, item_id: str | None, seal: str) -> str:
    """What stands in `signature` for a seal of `vendor`."""
    return seal if vendor == ANTHROPIC else f"{MARK}{vendor}.{(item_id or '').replace('.', '')}.{seal}"


def read_signature(signature: str) -> Seal:
    """The inverse. An empty signature is nobody's: the text beside it is for all to read."""
    if not signature:
        return Seal("", None, None)
    if not signature.startswith(MARK):
        return Seal(ANTHROPIC, None, signature)
    vendor, _, rest = signature.removeprefix(MARK).partition(".")
    item_id, _, seal = rest.partition(".")
    return Seal(vendor, item_id or None, seal or None)
