"""JSONL files that several programs write: append whole lines beside others, and read what is new.

Rules of appending:
- All lines go out in one write on a descriptor opened for appending. Others who append the same way (Python's `open("a")` with one
  `write`, which is what thegent does) can then only come before or after, never in between.
- An advisory lock is taken meanwhile, for those who take one, too.
- A last line that somebody left torn is closed first, so that it spoils itself and not ours.
- On a full disk a part of a line may have been written: it is taken back if nobody has written behind it.
Rules of reading: only lines that have their line end count, because the last one may still be under way.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

if sys.platform != "win32":
    import fcntl

LOCK_S = 2.0
"""How long to wait for another writer. They hold it for microseconds; one that is stuck must not keep our lines for ever."""
LOCK_STEP_S = 0.01
READ_BYTES = 16 * 1024 * 1024
"""Read per call at most: a file that was never looked at before is taken in pieces."""
LINE_BYTES = 1024 * 1024
"""A longer line is skipped. None of these formats has one of a kilobyte, prompts apart."""


def append(path: Path, values: Sequence[object], lock_s: float = LOCK_S) -> None:
    """Append one JSON line per value, creating file (0600) and folder where missing. Blocks for up to `lock_s`: call it in a thread.

    Raises OSError when nothing was appended, TimeoutError (an OSError) when another writer does not let go.
    """
    data = b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values)
    if not data:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path, lock_s) as descriptor:
        size = os.fstat(descriptor).st_size
        if size and _last_byte(descriptor) != b"\n":
            data = b"\n" + data
        written = os.write(descriptor, data)
        if written < len(data):
            if os.fstat(descriptor).st_size == size + written:
                os.ftruncate(descriptor, size)
            raise OSError(f"{path}: no room for {len(data)} bytes")


@contextlib.contextmanager
def _locked(path: Path, lock_s: float) -> Iterator[int]:
    """A descriptor that appends to the file which `path` names once the lock is held: meanwhile somebody may have renamed it."""
    deadline = time.monotonic() + lock_s
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _lock(descriptor, deadline, path)
            if _is_same(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)  # the lock goes with it


def _lock(descriptor: int, deadline: float, path: Path) -> None:
    while sys.platform != "win32":  # there without a lock, as thegent itself does it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} is locked by another program") from None
            time.sleep(LOCK_STEP_S)
        else:
            return


def _last_byte(descriptor: int) -> bytes:
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1)


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


class Lines(NamedTuple):
    values: list[Any]
    skipped: int
    """Lines that are no JSON, or longer than anybody's."""


class Tail:
    """Reads what is new in a file that others append to, replace or empty."""

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        """`from_end`: what is in the file now is old news."""
        self.path = path
        self._inode = 0
        self._offset = 0
        self._is_in_long_line = False
        if from_end:
            with contextlib.suppress(OSError):
                status = path.stat()
                self._inode, self._offset = status.st_ino, status.st_size

    def read(self) -> Lines:
        """The whole lines since the last call, `READ_BYTES` at most; none where there is no file. Raises OSError."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return Lines([], 0)
        with file:
            status = os.fstat(file.fileno())
            if status.st_ino != self._inode or status.st_size < self._offset:
                self._inode, self._offset, self._is_in_long_line = status.st_ino, 0, False
            file.seek(self._offset)
            return self._take(file.read(READ_BYTES))

    def _take(self, data: bytes) -> Lines:
        end = data.rfind(b"\n") + 1
        rest = len(data) - end
        self._offset += len(data) if rest > LINE_BYTES else end
        lines = data[:end].splitlines()
        skipped = 0
        if self._is_in_long_line and lines:
            lines = lines[1:]
            self._is_in_long_line = False
        if rest > LINE_BYTES:
            skipped += not self._is_in_long_line
            self._is_in_long_line = True
        values, bad = parse_lines(lines)
        return Lines(values, skipped + bad)


def parse_lines(lines: Sequence[bytes]) -> Lines:
    """The values of the lines that are JSON. Empty lines are nothing."""
    values: list[Any] = []
    skipped = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            if len(line) > LINE_BYTES:
                raise ValueError
            values.append(orjson.loads(line))
        except ValueError:
            skipped += 1
    return Lines(values, skipped)
