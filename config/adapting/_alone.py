"""One process at a time: of several donuts that share a folder one holds the lock, and the next takes over when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

AGAIN_S = 2.0
"""How soon after the holder's end another one notices."""


@contextlib.asynccontextmanager
async def alone(path: Path) -> AsyncIterator[None]:
    """Waits for the lock of that name, and holds it meanwhile. The kernel lets go of it however the process ends. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _is_taken(descriptor):  # noqa: ASYNC110 - the event is another process's end, and nothing tells of it
            await asyncio.sleep(AGAIN_S)
        yield
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int) -> bool:
    if sys.platform == "win32":  # there donut is a single process
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
