"""`state:` – where donut keeps what it remembers, as configuration, and where that is when nothing is said.

A URL may hold a password: no message repeats one.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from config.section import Section, refuse

POSTGRES_SCHEMES = ("postgresql://", "postgres://")
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_SQLITE = "sqlite:///"
_NO_FILES = (_SQLITE, "sqlite:////")


class StateSettings(Section):
    """Where donut keeps what it remembers."""

    journal: str | None = Field(default=None, repr=False)
    """sqlite:///relative/path.db, sqlite:////absolute/path.db, or postgresql://user:password@host/database for several machines; empty =
    donut.db in the user's data directory."""
    shared: str | None = Field(default=None, repr=False)
    """redis://:password@host:6379/0, for several workers or machines: they count the same limits and see the same replicas fail. Empty =
    each process knows only what it has seen itself."""
    retention_days: float = Field(default=90, ge=0)
    """Journal rows older than this are deleted; 0 keeps them for ever."""
    flush_ms: int = Field(default=200, ge=10, le=500)
    """Milliseconds until a finished exchange is written: what a killed process can lose. A power cut can lose a little more."""
    queue_mb: float = Field(default=64, gt=0, le=4096)
    """Memory in MiB for rows that wait for the disk; beyond it rows are dropped and counted, requests never wait."""

    @field_validator("journal")
    @classmethod
    def _is_a_journal(cls, value: str | None) -> str | None:
        why = None if value is None else journal_problem(value)
        if why is not None:
            refuse(why)
        return value

    @field_validator("shared")
    @classmethod
    def _is_shared_state(cls, value: str | None) -> str | None:
        why = shared_problem(value) if value else None
        if why is not None:
            refuse(why)
        return value or None


def journal_problem(url: str) -> str | None:
    """Why `url` names no journal; None when it does."""
    if url.startswith(POSTGRES_SCHEMES):
        return _postgres_problem(url)
    if url.startswith(_SQLITE) and url not in _NO_FILES and not url.startswith("sqlite:///:memory:"):
        return None
    return "must be sqlite:///relative/path.db, sqlite:////absolute/path.db or postgresql://user:password@host/database"


def _postgres_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is not a URL: write postgresql://user:password@host:5432/database, special characters in the password as %40 (for @)"
    if not parts.path.strip("/"):
        return "names no database: postgresql://user:password@host/database"
    if importlib.util.find_spec("asyncpg") is None:
        return "PostgreSQL needs a package that is not installed: pip install 'donut-proxy[postgres]'"
    return None


def shared_problem(url: str) -> str | None:
    """Why `url` names no shared state; None when it does."""
    if not url.startswith(REDIS_SCHEMES):
        return "must be redis://:password@host:6379/0, rediss://… (TLS) or unix:///path/to/redis.sock"
    try:
        _ = urlsplit(url).port
    except ValueError:
        return "is not a URL: write redis://:password@host:6379/0, special characters in the password as %40 (for @)"
    if importlib.util.find_spec("redis") is None:
        return "Redis needs a package that is not installed: pip install 'donut-proxy[redis]'"
    return None


def data_folder(environ: Mapping[str, str]) -> Path:
    """$DONUT_DATA (the image sets it), else donut in $XDG_DATA_HOME, else ~/.local/share/donut."""
    if environ.get("DONUT_DATA"):
        return Path(environ["DONUT_DATA"]).absolute()
    # The XDG base directory specification: a relative path is invalid and must be ignored.
    xdg = Path(environ.get("XDG_DATA_HOME", ""))
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return ((xdg if xdg.is_absolute() else home / ".local" / "share") / "donut").absolute()


def default_journal_url(environ: Mapping[str, str]) -> str:
    """The journal when config names none: donut.db in the data folder."""
    return f"{_SQLITE}{data_folder(environ) / 'donut.db'}"


def sqlite_path(url: str) -> Path:
    """The file behind a validated journal URL. As in SQLAlchemy, three slashes are relative to the working directory, four absolute."""
    return Path(url.removeprefix(_SQLITE)).expanduser().absolute()
