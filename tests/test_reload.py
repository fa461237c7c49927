"""Requirement F3 of reference/reliability-requirements.md: an edited config applies without a restart, and a wrong one changes nothing
and says why. With a process of its own: the file's watcher and SIGHUP belong to one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.processes import DonutProcess
from tests.serving import config_for
from tests.streams import CHAT
from tests.upstreams import ScriptedUpstream, answer, eventually, saying

REQUEST = {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]}
KEY = "a-key-for-clients-1"


def says(word: str) -> bytes:
    return answer(
        b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"%b"},"finish_reason":"stop"}]}' % word.encode()
    )


def replace_file(path: Path, text: str) -> None:
    """As an editor saves: a new file takes the old one's place."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


async def asked(donut: DonutProcess, key: str | None = None) -> tuple[int, str]:
    """(status, the word that the answering upstream says)."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    got = await donut.client.post(CHAT, json=REQUEST, headers=headers)
    return got.status_code, got.json()["choices"][0]["message"]["content"] if got.status_code == 200 else ""


async def test_f3_an_edited_file_applies_without_a_restart(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(says("old"))) as old,
        ScriptedUpstream(saying(says("new"))) as new,
        DonutProcess(tmp_path, config_for(old.port)) as donut,
    ):
        assert await asked(donut) == (200, "old")
        donut.config.write_text(config_for(new.port))
        await donut.said("config_reloaded")
        assert await asked(donut) == (200, "new")
        replace_file(donut.config, config_for(old.port, more=f"server: {{api_keys: [{KEY}]}}"))
        reloaded = await donut.said("config_reloaded", count=2)
        assert (await asked(donut), await asked(donut, KEY)) == ((401, ""), (200, "old"))
        assert "needs_restart" not in reloaded or reloaded["needs_restart"] is None


async def test_f3_sighup_reloads_too(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(says("old"))) as old, DonutProcess(tmp_path, config_for(old.port)) as donut:
        donut.process.send_signal(signal.SIGHUP)
        await donut.said("config_reloaded")
        assert await asked(donut) == (200, "old")
        assert donut.process.returncode is None


async def test_f3_a_wrong_file_keeps_the_old_configuration_and_says_why(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(says("old"))) as old,
        ScriptedUpstream(saying(says("new"))) as new,
        DonutProcess(tmp_path, config_for(old.port)) as donut,
    ):
        donut.config.write_text(config_for(new.port) + "rooting: {objective: quality}\n")
        refused = await donut.said("config_refused")
        assert (refused["level"], refused["still"]) == ("error", "the old configuration is in force")
        assert "rooting" in refused["why"]
        assert "routing" in refused["why"]  # the nearest valid name
        assert f"{donut.config}:5" in refused["why"]
        assert await asked(donut) == (200, "old")
        donut.config.write_text("providers: [")
        await donut.said("config_refused", count=2)
        donut.process.send_signal(signal.SIGHUP)  # as loud for the same file, since somebody asks
        await donut.said("config_refused", count=3)
        assert await asked(donut) == (200, "old")
        donut.config.write_text(config_for(new.port))
        await donut.said("config_reloaded")
        assert await asked(donut) == (200, "new")


async def test_f3_a_file_that_disappears_changes_nothing(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(says("old"))) as old, DonutProcess(tmp_path, config_for(old.port)) as donut:
        donut.config.unlink()
        donut.process.send_signal(signal.SIGHUP)
        await donut.said("config_refused")
        assert await asked(donut) == (200, "old")


async def test_f3_an_edit_that_loses_the_keys_of_an_open_address_is_refused(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(says("old"))) as old:
        keyed = config_for(old.port, more=f"server: {{api_keys: [{KEY}]}}")
        async with DonutProcess(tmp_path, keyed, arguments=["--host", "0.0.0.0"]) as donut:
            assert (await asked(donut), await asked(donut, KEY)) == ((401, ""), (200, "old"))
            for number, text in enumerate(("server: {}", "server: {host: 127.0.0.1}", "server: {api_keys: [sk-1234]}", ""), 1):
                donut.config.write_text(config_for(old.port, more=text))
                refused = await donut.said("config_refused", count=number)
                assert "0.0.0.0" in refused["why"]
                assert (await asked(donut), await asked(donut, KEY)) == ((401, ""), (200, "old")), text


async def test_f3_what_only_a_restart_can_change_is_named(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(says("old"))) as old, DonutProcess(tmp_path, config_for(old.port)) as donut:
        donut.config.write_text(config_for(old.port, more="server: {keep_alive_seconds: 5}\nlog: {level: warning}"))
        assert (await donut.said("config_reloaded"))["needs_restart"] == ["server.keep_alive_seconds", "log"]
        assert await asked(donut) == (200, "old")


async def test_f3_reloads_do_not_pile_anything_up(tmp_path: Path) -> None:
    """Twenty reloads with a request each: the same number of open files, and still one connection to the upstream."""
    async with ScriptedUpstream(saying(says("old"))) as old, DonutProcess(tmp_path, config_for(old.port)) as donut:

        async def reload(count: int) -> int:
            donut.process.send_signal(signal.SIGHUP)
            await donut.said("config_reloaded", count=count)
            assert await asked(donut) == (200, "old")
            return len(os.listdir(f"/proc/{donut.process.pid}/fd"))  # noqa: PTH208 - counting only

        first = [await reload(count) for count in range(1, 4)][-1]
        last = [await reload(count) for count in range(4, 21)][-1]
        assert last <= first
        await eventually(lambda: old.connections_made == 1)
