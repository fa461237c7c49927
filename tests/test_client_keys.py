"""Client keys that `donut keys` makes: what they may do, what is kept of them, and that a running donut follows every change."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from config.cli import cli
from config.clients import clients_of
from config.key_file import StoredKey, key_file, locked, new_key, read_keys, write_keys
from config.problems import ConfigError
from config.settings import Settings
from proxy.auth import KeyRing, stored_digest
from tests.serving import Donut, config_for, load_text
from tests.test_budgets_serving import near_and_dear, used
from tests.upstreams import ScriptedUpstream, answer, saying

ANSWER = answer(
    b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}',
    headers=b"content-type: application/json\r\n",
)
CHAT: dict[str, Any] = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}


def keys(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(cli, ["keys", *args, "--journal", str(folder / "donut.db")])


def make(folder: Path, name: str, *args: str) -> dict[str, str]:
    """Headers of a new key."""
    made = keys(folder, "add", name, "--json", *args)
    assert made.exit_code == 0, made.output
    return {"authorization": f"Bearer {json.loads(made.stdout)['key']}"}


async def until(status: int, donut: Donut, headers: dict[str, str]) -> httpx.Response:
    """The first answer of `status`; the file is looked at once a second."""
    async with asyncio.timeout(5):
        while (got := await donut.client.get("/v1/models", headers=headers)).status_code != status:
            await asyncio.sleep(0.05)
    return got


async def test_a_running_donut_follows_every_change(tmp_path: Path) -> None:
    async with Donut(config_for(1), tmp_path) as donut:
        assert (await donut.client.get("/v1/models")).status_code == 200, "without any key it is open on loopback"
        alice, bob = make(tmp_path, "alice"), make(tmp_path, "bob")
        assert (await until(401, donut, {})).json()["error"]["code"] == "invalid_api_key"
        assert (await until(200, donut, alice)).status_code == 200
        assert keys(tmp_path, "revoke", "alice").exit_code == 0
        await until(401, donut, alice)
        assert (await donut.client.get("/v1/models", headers=bob)).status_code == 200
        assert keys(tmp_path, "revoke", "bob").exit_code == 0
        await until(401, donut, bob)
        assert (await donut.client.get("/v1/models")).status_code == 401, "the last revoked key does not open the door"
        (tmp_path / "donut.db.keys").unlink()
        await asyncio.sleep(1.5)
        assert (await donut.client.get("/v1/models")).status_code == 401, "nor does a lost file, until a restart"


async def test_a_restarted_donut_knows_them_and_the_config_s_stay(tmp_path: Path) -> None:
    alice = make(tmp_path, "alice")
    more = "server: {api_keys: [{name: ci, key: a-long-config-key}]}"
    async with ScriptedUpstream(saying(used(20, 10))) as upstream, Donut(config_for(upstream.port, more=more), tmp_path) as donut:
        for headers in (alice, {"x-api-key": "a-long-config-key"}):
            assert (await donut.client.post("/v1/chat/completions", json=CHAT, headers=headers)).status_code == 200
        assert (await donut.client.post("/v1/chat/completions", json=CHAT)).status_code == 401
        assert [row["client_key"] for row in await donut.wait_for_rows(2)] == ["alice", "ci"]


async def test_a_revoked_key_is_refused_on_a_connection_that_it_opened(tmp_path: Path) -> None:
    """The head of a connection's last request is remembered: not beyond a revocation."""
    alice = make(tmp_path, "alice")
    async with ScriptedUpstream(saying(used(20, 10))) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        assert (await donut.client.post("/v1/chat/completions", json=CHAT, headers=alice)).status_code == 200
        keys(tmp_path, "revoke", "alice")
        async with asyncio.timeout(5):
            while (await donut.client.post("/v1/chat/completions", json=CHAT, headers=alice)).status_code != 401:
                await asyncio.sleep(0.05)


async def test_a_key_is_for_some_models(tmp_path: Path) -> None:
    near_only = make(tmp_path, "near-only", "--models", "ne*")
    box_only = make(tmp_path, "box-only", "--models", "box/*")
    everything = make(tmp_path, "everything")
    async with (
        ScriptedUpstream(saying(used(20, 10))) as near,
        ScriptedUpstream(saying(used(20, 10))) as dear,
        Donut(near_and_dear(near.port, dear.port), tmp_path) as donut,
    ):
        for headers in (near_only, box_only):
            got = await donut.client.post("/v1/chat/completions", json={**CHAT, "model": "dear"}, headers=headers)
            assert (got.status_code, got.json()["error"]["code"]) == (403, "model_not_allowed")
            assert "the key is for " in got.json()["error"]["message"]
            for _ in range(3):
                got = await donut.client.post("/v1/chat/completions", json={**CHAT, "model": "small"}, headers=headers)
                assert (got.status_code, got.headers["x-donut-replica"]) == (200, "box/n")
            listed = {each["id"] for each in (await donut.client.get("/v1/models", headers=headers)).json()["data"]}
            assert {"near", "box/n", "small"} <= listed
            assert not listed & {"dear", "cloud/d"}
            assert (await donut.client.get("/v1/models/dear", headers=headers)).status_code == 404
            assert (await donut.client.get("/v1/models/near", headers=headers)).status_code == 200
            anthropic = await donut.client.get("/v1/models", headers={**headers, "anthropic-version": "2023-06-01"})
            assert "dear" not in anthropic.text
            assert "models/dear" not in (await donut.client.get("/v1beta/models", headers=headers)).text
        got = await donut.client.post("/v1/messages", json={**CHAT, "model": "dear"}, headers=near_only)
        assert (got.status_code, got.json()["type"]) == (403, "error")
        assert (await donut.client.post("/v1/chat/completions", json={**CHAT, "model": "dear"}, headers=everything)).status_code == 200
        assert len(dear.requests) == 1


async def test_a_key_that_must_stay_local_does_whatever_the_request_says(tmp_path: Path) -> None:
    local = make(tmp_path, "local", "--local-only")
    async with (
        ScriptedUpstream(saying(used(20, 10))) as near,
        ScriptedUpstream(saying(used(20, 10))) as dear,
        Donut(near_and_dear(near.port, dear.port), tmp_path) as donut,
    ):
        for model in ("mid", "auto", "small", "frontier"):
            steered = {**local, "x-donut-local": "disabled"}
            got = await donut.client.post("/v1/chat/completions", json={**CHAT, "model": model}, headers=steered)
            assert (got.status_code, got.headers["x-donut-replica"]) == (200, "box/n"), model
        for model in ("dear", "cloud/d"):
            got = await donut.client.post("/v1/chat/completions", json={**CHAT, "model": model}, headers=local)
            assert (got.status_code, got.json()["error"]["code"]) == (503, "no_local_replica")
        assert dear.requests == []


async def test_a_key_has_limits_of_its_own_and_headers_that_tell(tmp_path: Path) -> None:
    limited = make(tmp_path, "limited", "--limit", "minute:requests=2", "--limit", "day:requests=1000", "--limit", "hour:tokens=100000")
    free = make(tmp_path, "free")
    upstream_says = used(20, 10).replace(b"content-type", b"x-ratelimit-limit-requests: 7\r\nx-ratelimit-limit-images: 3\r\ncontent-type")
    async with ScriptedUpstream(saying(upstream_says)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        got = await donut.client.post("/v1/chat/completions", json=CHAT, headers=limited)
        told = {name: value for name, value in got.headers.items() if name.startswith("x-ratelimit-")}
        assert got.headers.get_list("x-ratelimit-limit-requests") == ["2"], "the client's own limit, not the account's"
        assert (told["x-ratelimit-remaining-requests"], told["x-ratelimit-limit-tokens"]) == ("1", "100000")
        assert 90_000 < int(told["x-ratelimit-remaining-tokens"]) < 100_000
        assert {"x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-ratelimit-limit-images"} <= told.keys()
        assert (await donut.client.post("/v1/chat/completions", json=CHAT, headers=limited)).status_code == 200
        got = await donut.client.post("/v1/chat/completions", json=CHAT, headers=limited)
        assert (got.status_code, got.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert "key limited.limits.minute.requests: 2 requests per minute for key:limited" in got.json()["error"]["message"]
        assert (got.headers["x-ratelimit-remaining-requests"], 0 < int(got.headers["retry-after"]) <= 60) == ("0", True)
        got = await donut.client.post("/v1/chat/completions", json=CHAT, headers=free)
        assert (got.status_code, got.headers["x-ratelimit-limit-requests"]) == (200, "7")
        assert len(upstream.requests) == 3


async def test_a_policy_of_a_key(tmp_path: Path) -> None:
    ops, lost = make(tmp_path, "ops", "--policy", "ops"), make(tmp_path, "lost", "--policy", "gone")
    async with Donut(config_for(1), tmp_path) as donut:
        for headers, policy in ((ops, "ops"), (lost, "normal")):
            got = await donut.client.post("/api/routing/select", json={**CHAT, "model": "auto"}, headers=headers)
            assert got.json()["demand"]["policy"] == policy


def test_no_key_is_kept_anywhere(tmp_path: Path) -> None:
    made = keys(tmp_path, "add", "alice")
    key = made.stdout.strip()
    assert (key.startswith("donut-"), len(key)) == (True, 49)
    file = tmp_path / "donut.db.keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stored_digest(key.encode()).hex() in file.read_text()
    for path in tmp_path.iterdir():
        assert key.encode() not in path.read_bytes()
    for args in (["list"], ["list", "--json"], ["revoke", "alice"]):
        assert key not in keys(tmp_path, *args).output
    assert KeyRing(stored=[("alice", stored_digest(key.encode()))]).owner(key.encode()) == "alice"


def test_what_the_command_says(tmp_path: Path) -> None:
    assert "No keys were made" in keys(tmp_path, "list").stdout
    make(tmp_path, "alice", "--limit", "day:cost=5", "--models", "qwen*")
    shown = keys(tmp_path, "list").stdout
    assert all(words in shown for words in ("alice", "good", "$5 per day", "qwen*"))
    for args, words in (
        (["add", "alice"], "alice has a key already"),
        (["revoke", "alise"], "did you mean alice?"),
        (["add", "x", "--limit", "day=5"], "is not WINDOW:UNIT=FIGURE"),
        (["add", "x", "--limit", "day:token=5"], "did you mean tokens?"),
        (["add", "x", "--limit", "dai:tokens=5"], "limits.dai"),
        (["add", "x", "--limit", "day:tokens=-5"], "greater than 0"),
        (["add", ""], "name"),
    ):
        result = keys(tmp_path, *args)
        assert result.exit_code != 0
        assert words in result.stderr, result.stderr
        assert "Traceback" not in result.output
    assert [each.name for each in read_keys(tmp_path / "donut.db.keys")] == ["alice"]
    assert keys(tmp_path, "revoke", "alice").exit_code == 0
    make(tmp_path, "alice")
    assert [each.is_good for each in read_keys(tmp_path / "donut.db.keys")] == [True], "a name may have a new key"


BAD_DIGEST = b'{"version": 1, "keys": [{"name": "x", "sha256": "zz", "created_at": 1}]}'


@pytest.mark.parametrize("broken", [b"{", b"[]", b'{"version": 2}', BAD_DIGEST])
def test_a_broken_file_lets_nobody_in(tmp_path: Path, broken: bytes) -> None:
    file = tmp_path / "donut.db.keys"
    file.write_bytes(broken)
    with pytest.raises(ConfigError, match="can not be used"):
        read_keys(file)
    result = keys(tmp_path, "add", "alice")
    assert result.exit_code == 2
    assert file.read_bytes() == broken


async def test_a_file_that_breaks_while_donut_runs_changes_nothing(tmp_path: Path) -> None:
    alice = make(tmp_path, "alice")
    async with Donut(config_for(1), tmp_path) as donut:
        (tmp_path / "donut.db.keys").write_bytes(b"{")
        await asyncio.sleep(1.5)
        assert (await donut.client.get("/v1/models", headers=alice)).status_code == 200
        assert (await donut.client.get("/v1/models")).status_code == 401


def test_a_made_key_opens_no_door_that_a_configured_one_would_not(tmp_path: Path) -> None:
    """An address that others can reach needs a key of either kind; a revoked one is none."""
    text = f"server: {{host: 0.0.0.0}}\nstate: {{journal: 'sqlite:///{tmp_path / 'donut.db'}'}}"
    with pytest.raises(ConfigError, match="can be reached from other machines"):
        load_text(text)
    make(tmp_path, "alice")
    assert load_text(text).settings.server.host == "0.0.0.0"
    keys(tmp_path, "revoke", "alice")
    with pytest.raises(ConfigError, match="can be reached from other machines"):
        load_text(text)


def test_commands_at_once_lose_nothing(tmp_path: Path) -> None:
    file = key_file(tmp_path / "donut.db")

    def add(number: int) -> None:
        _, digest = new_key()
        with locked(file):
            write_keys(file, (*read_keys(file), StoredKey(name=f"k{number}", sha256=digest, created_at=1.0)))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.name for each in read_keys(file)} == {f"k{number}" for number in range(16)}
    assert [path.name for path in tmp_path.iterdir() if path.name not in (file.name, f"{file.name}.lock")] == []


def test_the_config_s_terms_hold_where_a_name_is_in_both() -> None:
    settings = Settings.model_validate({"server": {"api_keys": [{"name": "ci", "key": "secret-of-config", "models": ["a"]}]}})
    stored = StoredKey(name="ci", sha256="0" * 64, created_at=1.0, models=("b",), policy="ops")
    clients = clients_of(settings, [stored])
    assert len(clients.ring) == 2
    assert clients.terms["ci"].models == ("a",)
    assert clients.policies == {}


async def test_e2_a_journal_that_does_not_answer_turns_no_key_away(tmp_path: Path) -> None:
    """Keys live in memory: whoever was let in before the database hung is let in while it hangs, and nobody else is."""
    alice = make(tmp_path, "alice")
    async with ScriptedUpstream(saying(ANSWER)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        await until(200, donut, alice)
        with closing(sqlite3.connect(tmp_path / "donut.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for _ in range(3):
                assert (await donut.client.post("/v1/chat/completions", json=CHAT, headers=alice)).status_code == 200
            assert (
                await donut.client.post("/v1/chat/completions", json=CHAT, headers={"authorization": "Bearer sk-no"})
            ).status_code == 401
            other.execute("ROLLBACK")
        await donut.wait_for_rows(3)
