"""The client keys that `donut keys` makes: a JSON file beside the journal, with a digest of each key and never the key.

Rules: written whole to a new file and renamed over the old one, readable by its owner only, under a lock, so that two commands at once lose
nothing and a server never reads half a file. Revoked keys stay in it: they say who had one, and they keep the door shut.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
from pydantic import Field, ValidationError

from config.limit_settings import KeyTerms
from config.problems import ConfigError, Problem
from config.section import Section
from proxy.auth import stored_digest

SUFFIX = ".keys"
"""`donut.db.keys`, beside `donut.db`."""
KEY_PREFIX = "donut-"
KEY_BYTES = 32
"""256 random bits: see `proxy.auth.stored_digest`."""
SIZE_LIMIT = 4 * 1024 * 1024


class StoredKey(KeyTerms):
    """A key of which only the digest is known."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """In hex."""
    created_at: float
    """Seconds since 1970."""
    revoked_at: float | None = None
    """The same; None while it is good."""

    @property
    def is_good(self) -> bool:
        return self.revoked_at is None


class _File(Section):
    version: int = Field(ge=1, le=1)
    keys: tuple[StoredKey, ...] = ()


def new_key() -> tuple[str, str]:
    """(the key, its digest in hex)."""
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    return key, stored_digest(key.encode()).hex()


def key_file(beside: Path) -> Path:
    """`beside`: the file that a journal's own files go beside (`Place.beside`)."""
    return beside.with_name(beside.name + SUFFIX)


def read_keys(path: Path) -> tuple[StoredKey, ...]:
    """All keys of the file, revoked ones too; none where there is no file. Raises ConfigError for one that can not be used: nobody may
    come in because of a file that is broken."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unusable(path, error.strerror or "it can not be read") from error
    if len(raw) > SIZE_LIMIT:
        raise _unusable(path, "it is larger than any file of keys")
    try:
        return _File.model_validate(orjson.loads(raw)).keys
    except orjson.JSONDecodeError as error:
        raise _unusable(path, f"it is not JSON: {error.msg} at line {error.lineno}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _unusable(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def write_keys(path: Path, keys: tuple[StoredKey, ...]) -> None:
    """Replace the file. Raises OSError; then the old one is there still."""
    data = orjson.dumps({"version": 1, "keys": [key.model_dump(exclude_defaults=True) for key in keys]}, option=orjson.OPT_INDENT_2)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else changes the file meanwhile. The lock is on a file of its own, since `write_keys` replaces the other."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path.with_name(path.name + ".lock"), "w", opener=_private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError([Problem(str(path), 0, 0, "", f"the file of client keys can not be used: {why}", "`donut keys list` reads it, too")])
