"""Reload with real files: every way in which editors and Kubernetes replace a file, SIGHUP, and files that are wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.problems import ConfigError, Problem
from config.source import Loaded, load
from config.watch import ConfigWatcher

PATIENCE_S = 10
"""How long a test waits for what must happen; nothing is measured."""


class Server:
    """Stands where the running server stands: has the configuration in use, and notes what it was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.watcher = ConfigWatcher(path, self.read, self.apply, self.refuse)
        self.port = self.read().settings.server.port
        self.refusals: list[str] = []
        self.applied = 0
        self.changed = asyncio.Event()

    def read(self) -> Loaded:
        return load(self.path, {}, {}, ())

    async def apply(self, loaded: Loaded) -> None:
        if loaded.settings.server.port == 666:
            raise ConfigError([Problem("donut.yaml", 1, 1, "server.port", "can not be used")])
        self.port = loaded.settings.server.port
        self.applied += 1
        self.changed.set()

    def refuse(self, error: ConfigError) -> None:
        self.refusals.append(str(error))
        self.changed.set()

    async def next_change(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.changed.wait()
        self.changed.clear()


@contextlib.asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Server]:
    server = Server(path)
    task = asyncio.create_task(server.watcher.run())
    try:
        yield server
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "donut.yaml"
    file.write_text("server: {port: 1}\n")
    return file


WITHOUT_INOTIFY = ("unshare", "--user", "--map-root-user", "sh", "-c", 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"', "sh")
"""Runs a command in a user namespace of its own whose quota of inotify instances is zero; nobody else notices."""

WATCH_ONE_CHANGE = """
import asyncio, pathlib, sys
from config.source import load
from config.watch import ConfigWatcher

async def main():
    applied = asyncio.Queue()
    path = pathlib.Path(sys.argv[1])
    watching = asyncio.create_task(ConfigWatcher(path, lambda: load(path, {}, {}, ()), applied.put, print).run())
    while applied.empty():
        path.write_text("server: {port: 22}")
        await asyncio.sleep(0.5)
    loaded = await applied.get()
    watching.cancel()
    return loaded.settings.server.port

sys.exit(asyncio.run(main()))
"""


async def test_a_file_written_in_place(path: Path) -> None:
    async with serving(path) as server:
        path.write_text("server: {port: 2}\n")
        await server.next_change()
        assert server.port == 2


async def test_a_file_replaced_by_rename_again_and_again(path: Path) -> None:
    async with serving(path) as server:
        for port in (2, 3, 4):
            new = path.with_suffix(".new")
            new.write_text(f"server: {{port: {port}}}\n")
            new.rename(path)
            await server.next_change()
            assert server.port == port


async def test_a_symbolic_link_swapped_as_kubernetes_does(tmp_path: Path) -> None:
    for port in (1, 2, 3):
        directory = tmp_path / f"..{port}"
        directory.mkdir()
        (directory / "donut.yaml").write_text(f"server: {{port: {port}}}\n")
    (tmp_path / "..data").symlink_to("..1")
    path = tmp_path / "donut.yaml"
    path.symlink_to("..data/donut.yaml")
    async with serving(path) as server:
        for port in (2, 3):
            (tmp_path / "..data_tmp").symlink_to(f"..{port}")
            (tmp_path / "..data_tmp").rename(tmp_path / "..data")
            await server.next_change()
            assert server.port == port


async def test_the_file_behind_a_link_in_another_directory(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real.yaml"
    real.parent.mkdir()
    real.write_text("server: {port: 1}\n")
    path = tmp_path / "etc" / "donut.yaml"
    path.parent.mkdir()
    path.symlink_to(real)
    async with serving(path) as server:
        real.write_text("server: {port: 2}\n")
        await server.next_change()
        assert server.port == 2


async def test_f3_an_invalid_file_keeps_the_old_one_and_says_why(path: Path) -> None:
    async with serving(path) as server:
        path.write_text("server: {prot: 2}\n")
        await server.next_change()
        assert server.port == 1
        assert "donut.yaml:1:10: server.prot: unknown key `prot`; did you mean `port`?" in server.refusals[0]
        path.write_text("server: {port: 3}\n")
        await server.next_change()
        assert server.port == 3


async def test_what_can_not_be_applied_is_refused_too(path: Path) -> None:
    async with serving(path) as server:
        path.write_text("server: {port: 666}\n")
        await server.next_change()
        assert (server.port, len(server.refusals)) == (1, 1)


async def test_a_deleted_file_keeps_the_old_one(path: Path) -> None:
    async with serving(path) as server:
        path.unlink()
        await server.next_change()
        assert server.port == 1
        assert "can not be read" in server.refusals[0]
        path.write_text("server: {port: 2}\n")
        await server.next_change()
        assert server.port == 2


async def test_sighup_reloads_also_when_nothing_changed(path: Path) -> None:
    async with serving(path) as server:
        await asyncio.sleep(0)  # the handler is there once `run` has begun
        os.kill(os.getpid(), signal.SIGHUP)
        await server.next_change()
        assert server.applied == 1


async def test_a_change_before_the_watch_stands_is_not_missed(path: Path) -> None:
    server = Server(path)
    path.write_text("server: {port: 2}\n")
    task = asyncio.create_task(server.watcher.run())
    await server.next_change()
    assert server.port == 2
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_neighbours_and_equal_bytes_reload_nothing(path: Path) -> None:
    async with serving(path) as server:
        (path.parent / "neighbour.yaml").write_text("x")
        path.write_text("server: {port: 1}\n")
        path.touch()
        path.with_name("donut.yaml.swp").write_text("y")
        await asyncio.sleep(0.4)  # longer than a burst is waited for
        path.write_text("server: {port: 2}\n")
        await server.next_change()
        assert (server.applied, server.refusals) == (1, [])


async def test_a_file_that_is_empty_for_a_moment_is_not_applied(path: Path) -> None:
    async with serving(path) as server:
        path.write_text("")
        await asyncio.sleep(0.4)
        path.write_text("server: {port: 2}\n")
        await server.next_change()
        assert (server.port, server.applied, server.refusals) == (2, 1, [])


async def test_a_bug_in_apply_is_not_hidden(path: Path) -> None:
    async def broken(loaded: Loaded) -> None:
        raise ZeroDivisionError

    watcher = ConfigWatcher(path, lambda: load(path, {}, {}, ()), broken, lambda error: None)
    watcher.reload()
    with pytest.raises(ExceptionGroup) as caught:
        await watcher.run()
    assert caught.group_contains(ZeroDivisionError)


async def test_a_person_may_ask_for_polling(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "true")
    os.utime(path, (1, 1))  # polling sees seconds only
    async with serving(path) as server:
        while not server.changed.is_set():
            path.write_text("server: {port: 22}\n")
            await asyncio.sleep(0.5)
        assert server.port == 22


def test_without_inotify_the_library_polls(path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run([*WITHOUT_INOTIFY, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs unprivileged user namespaces")
    os.utime(path, (1, 1))
    command = [*WITHOUT_INOTIFY, sys.executable, "-c", WATCH_ONE_CHANGE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 22, done.stderr


async def test_when_the_directory_is_gone_sighup_is_left(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "donut.yaml"
    path.parent.mkdir()
    path.write_text("server: {port: 1}\n")
    server = Server(path)
    path.unlink()
    path.parent.rmdir()
    task = asyncio.create_task(server.watcher.run())
    await asyncio.sleep(0.05)
    path.parent.mkdir()
    path.write_text("server: {port: 2}\n")
    server.watcher.reload()
    await server.next_change()
    assert server.port == 2
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
