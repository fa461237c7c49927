"""Types of values that several sections have: URLs, and keys that are sent in a header."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from config.section import refuse


def check_url(value: str) -> str:
    """An http(s) URL without credentials, query or fragment; a trailing slash is dropped. Raises through `refuse`."""
    if not value.isascii() or any(char <= " " or char == "\x7f" for char in value):
        refuse("must be a URL without spaces or special characters")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        refuse("is not a valid URL")
    if parts.scheme not in ("http", "https") or not host or port == 0:
        refuse("must be a URL such as http://127.0.0.1:9001/v1")
    if parts.username is not None or parts.password is not None:
        refuse("must not carry credentials; put the key into api_key")
    if parts.query or parts.fragment or value.endswith(("?", "#")):
        refuse("must not have a query or a fragment")
    return value.rstrip("/")


def _check_key(value: SecretStr) -> SecretStr:
    secret = value.get_secret_value()
    if not secret:
        refuse("the key is empty")
    if not all("!" <= char <= "~" for char in secret):
        refuse("the key has spaces or characters that no HTTP header can carry")
    return value


Url = Annotated[str, AfterValidator(check_url)]
OptionalUrl = Annotated[str | None, AfterValidator(lambda value: check_url(value) if value else None)]
Key = Annotated[SecretStr, AfterValidator(_check_key)]
OptionalKey = Annotated[SecretStr | None, AfterValidator(lambda value: _check_key(value) if value and value.get_secret_value() else None)]
"""`${KEY:-}` gives an empty text, which means that there is no key."""
