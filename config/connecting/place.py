"""Where a harness keeps its config files, and how donut overwrites one: with a copy beside it, in one step, and back again."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from proxy.harnesses._recipe import ConfigFile

KEPT, ABSENT, UNDONE = "before", "absent", "undone"
"""What a copy is of: the file before donut changed it, its absence, or the file before an undo."""
_COPY = re.compile(r"\.donut-(\d{8}T\d{6}\.\d{6}Z)\.(before|absent)")
PRIVATE = 0o600
"""Mode of a new file: there may be a key in it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file as it is and as it is to be; None: it is not there."""

    path: Path
    old: str | None
    new: str | None

    @property
    def is_needed(self) -> bool:
        return self.old != self.new

    def diff(self) -> str:
        """Unified, with one line around each change: further ones may hold what is nobody's business on a shared screen."""
        old, new = (text.splitlines(keepends=True) if text is not None else [] for text in (self.old, self.new))
        lines = difflib.unified_diff(old, new, self._name(self.old), self._name(self.new), n=1)
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)

    def _name(self, text: str | None) -> str:
        return "/dev/null" if text is None else str(self.path)


def locate(file: ConfigFile, environ: Mapping[str, str]) -> Path:
    """The file's path, whether or not it is there."""
    named = environ.get(file.folder_variable, "") if file.folder_variable else ""
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    folder = Path(named).expanduser() if named else home / file.folder
    if file.folder.startswith(".config/") and Path(environ.get("XDG_CONFIG_HOME", "")).is_absolute():
        folder = Path(environ["XDG_CONFIG_HOME"]) / file.folder.removeprefix(".config/")
    candidates = [folder / name for name in (file.name, *file.more_names)]
    return next((path for path in candidates if path.is_file()), candidates[0])


def read(path: Path) -> str | None:
    """The text, with its line ends; None when there is no such file. Raises OSError or UnicodeDecodeError where it can not be read."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None


def put(change: Change, now: datetime) -> Path:
    """Write the change; returns the copy of what was there. Raises OSError, and the file is then as it was."""
    path = _behind_links(change.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if change.old is not None else PRIVATE
    copy = _copy_path(path, now, ABSENT if change.old is None else KEPT)
    _write(copy, change.old or "", mode)
    _write(path, change.new or "", mode)
    return copy


def undo(path: Path) -> tuple[Change, Path] | None:
    """(what going back to the newest copy changes, that copy), or None where there is none. Nothing is done yet: see `put_back`."""
    path = _behind_links(path)
    copies = _copies(path)
    if not copies:
        return None
    newest = copies[-1]
    return Change(path, read(path), None if newest.name.endswith(ABSENT) else read(newest)), newest


def put_back(change: Change, copy: Path, now: datetime) -> Path:
    """Go back; the copy is used up. Returns where the file as it was before the undo is kept."""
    kept = _copy_path(change.path, now, UNDONE)
    mode = change.path.stat().st_mode & 0o777 if change.old is not None else PRIVATE
    _write(kept, change.old or "", mode)
    if change.new is None:
        change.path.unlink(missing_ok=True)
    else:
        _write(change.path, change.new, mode)
    copy.unlink()
    return kept


def _behind_links(path: Path) -> Path:
    """Dotfiles are often links into a repository: the file is written, not the link replaced."""
    return path.resolve()


def _copy_path(path: Path, now: datetime, what: str) -> Path:
    return path.with_name(f"{path.name}.donut-{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}.{what}")


def _copies(path: Path) -> list[Path]:
    """Oldest first: the date in their names sorts."""
    if not path.parent.is_dir():
        return []
    return sorted(
        other for other in path.parent.iterdir() if other.name.startswith(path.name) and _COPY.fullmatch(other.name.removeprefix(path.name))
    )


def _write(path: Path, text: str, mode: int) -> None:
    """All or nothing: a harness that reads at this moment sees the old text or the new one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
