"""Reload with real files: every way in which editors and Kubernetes replace a file, SIGHUP, and files that are wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.problems import ConfigError, Problem
from config.source import Loaded, load
from config.watch import LOOK_S, ConfigWatcher

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
        await asyncio.sleep(3 * LOOK_S)  # longer than a burst is waited for
        path.write_text("server: {port: 2}\n")
        await server.next_change()
        assert (server.applied, server.refusals) == (1, [])


async def test_a_file_that_is_empty_for_a_moment_is_not_applied(path: Path) -> None:
    async with serving(path) as server:
        path.write_text("")
        await asyncio.sleep(3 * LOOK_S)
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


async def test_a_directory_that_is_gone_may_come_back(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "donut.yaml"
    path.parent.mkdir()
    path.write_text("server: {port: 1}\n")
    async with serving(path) as server:
        path.unlink()
        path.parent.rmdir()
        await server.next_change()
        assert "can not be read" in server.refusals[0]
        path.parent.mkdir()
        path.write_text("server: {port: 2}\n")
        await server.next_change()
        assert server.port == 2


async def test_a_file_that_is_still_being_written_is_waited_for(path: Path) -> None:
    async with serving(path) as server:
        await asyncio.sleep(3 * LOOK_S)
        for length in range(5):
            path.write_text("server: {prot" + length * "t")
            await asyncio.sleep(LOOK_S / 2)
        path.write_text("server: {port: 2}\n")
        await server.next_change()
        assert (server.port, server.refusals) == (2, [])
