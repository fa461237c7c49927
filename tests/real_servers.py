"""What real PostgreSQL and Redis servers of tests have in common: finding the programs, a free port, an account that may run them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

START_S = 30.0
"""Long enough for a machine that is busy with something else."""


def program(name: str, *folders: str) -> str:
    """Where `name` is. Skips the test where it is not installed, except in continuous integration, which installs it."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *folders])
    found = shutil.which(name, path=path)
    if found is None:
        missing = f"{name} is not installed: scripts/system installs it"
        if os.environ.get("DONUT_CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def account() -> str | None:
    """Who runs the servers: PostgreSQL refuses to run as root. None: whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def own_folder(name: str) -> Path:
    """A new folder directly below the system's, whose owner is `account()`: pytest's folders are closed to everyone else."""
    folder = Path(tempfile.mkdtemp(prefix=f"donut-{name}-"))
    user = account()
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    return folder


def start(*command: str, log: Path) -> subprocess.Popen[bytes]:
    user = account()
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user is not None else None,
            extra_groups=[] if user is not None else None,
            cwd="/",
        )


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        assert process.poll() is None, f"it ended with {process.returncode}:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"it did not start:\n{log.read_text()}"
        time.sleep(0.02)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(pid: int) -> list[int]:
    """`pid` and its children: PostgreSQL's lead process groups of their own."""
    children = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            children.append(int(entry.parent.name))
    return [pid, *children]


def send(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            continue
