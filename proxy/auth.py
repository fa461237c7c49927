"""Client keys. Compared in constant time, kept as digests, named so that the journal can say who without saying what."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

CARRIERS = (b"x-api-key", b"x-goog-api-key")
"""Headers that hold the bare key: Anthropic's and Google's clients use nothing else."""


def stored_digest(key: bytes) -> bytes:
    """What is kept of a key at rest.

    SHA-256 and no slow hash: the keys that `donut keys` makes are 256 random bits, which nobody can try out however quick a try is, and
    bcrypt would cost each new connection 50 ms of everybody's event loop. A password that a person thought up has no place here.
    """
    return hashlib.sha256(key).digest()


class KeyRing:
    """The keys that may use donut. Empty: everyone on this machine may, unless it `is_closed`."""

    def __init__(self, keys: Iterable[tuple[str, str]] = (), stored: Iterable[tuple[str, bytes]] = (), *, is_closed: bool = False) -> None:
        """`keys` are (name, key) pairs, `stored` (name, `stored_digest`) pairs; `is_closed` when there were keys once, and the last one
        was revoked: that must not open the door."""
        # Salted with a secret of this process: nobody outside can aim at a digest, and the comparison's time says nothing of a key,
        # not even its length.
        self._salt = secrets.token_bytes(32)
        self._digests = [(name, self._digest(stored_digest(key.encode()))) for name, key in keys]
        self._digests += [(name, self._digest(digest)) for name, digest in stored]
        self._is_closed = is_closed

    @property
    def is_open(self) -> bool:
        return not self._digests and not self._is_closed

    def __len__(self) -> int:
        return len(self._digests)

    def owner(self, presented: bytes) -> str | None:
        """The name of the key that was presented, or None. Takes the same time whichever key it is, and if it is none."""
        digest = self._digest(stored_digest(presented))
        found = None
        for name, known in self._digests:
            if hmac.compare_digest(digest, known):
                found = name
        return found

    def _digest(self, stored: bytes) -> bytes:
        return hashlib.sha256(self._salt + stored).digest()


def presented_keys(headers: Mapping[bytes, bytes], query_string: bytes) -> list[bytes]:
    """Every key a request carries, in any of the places clients put it: each is tried, since harnesses send several."""
    found = [value for name in CARRIERS if (value := headers.get(name)) is not None]
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, rest = authorization.partition(b" ")
        found.append(rest.strip() if scheme.lower() == b"bearer" and rest else authorization)
    if b"key=" in query_string:
        found += [value.encode() for name, value in parse_qsl(query_string.decode("latin-1")) if name == "key"]
    return found
