"""Who may talk to a loopback server: not a web page. Decides on the parsed Host and Origin, never on a URL built from them."""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def host_name(value: bytes) -> str:
    """The name in a Host header, without port and brackets, lower case."""
    text = value.decode("latin-1").strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def is_allowed_host(value: bytes | None, allowed: frozenset[str] | None) -> bool:
    """A page on evil.example that resolves to 127.0.0.1 (DNS rebinding) still says Host: evil.example."""
    if allowed is None:
        return True
    return value is not None and host_name(value) in allowed


def is_allowed_origin(value: bytes | None, allowed: frozenset[str] | None) -> bool:
    """A page elsewhere may post to 127.0.0.1 without asking first; its Origin tells. Editors' webviews have schemes of their own and may
    pass; `null` may not, since a sandboxed frame of any page sends it.
    """
    if value is None or allowed is None:
        return True
    try:
        parts = urlsplit(value.decode("latin-1"))
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        return (parts.hostname or "") in allowed
    return parts.scheme != ""
