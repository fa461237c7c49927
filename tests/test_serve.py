"""`donut serve` as a newcomer meets it: what it says, what it finds, how it refuses. Runs the command itself."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import openai
import pytest

from tests.processes import DonutProcess, clean_environ, run_donut
from tests.serving import config_for
from tests.streams import CHAT
from tests.upstreams import ScriptedUpstream, answer, saying

HELLO = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}
NOTHING = "discovery: {local: false, environment: false}\n"


async def on_a_terminal(folder: Path, *arguments: str, until: str, within_s: float = 15) -> str:
    """Run `donut ARGUMENTS` on a terminal of 200 columns; what it says until `until` was said, without colours."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", *arguments),
        cwd=folder,
        env={**clean_environ(folder), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""

    def plain() -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode("utf-8", "replace")).replace("\r\n", "\n")

    try:
        deadline = time.monotonic() + within_s
        while until not in plain():
            assert time.monotonic() < deadline, plain()
            said += await asyncio.to_thread(os.read, ours, 65536)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)
    return plain()


async def test_serve_tells_a_person_what_it_found_and_what_to_copy(tmp_path: Path) -> None:
    (tmp_path / "donut.yaml").write_text(config_for(9, more="state: {journal: 'sqlite:///here.db'}"))
    said = await on_a_terminal(tmp_path, "serve", "--port", "0", until="curl -N")
    (url,) = re.findall(r"donut listens on (http://127\.0\.0\.1:\d+)\n", said)
    assert f"journal  {tmp_path}/here.db" in said
    assert f"config   {tmp_path}/donut.yaml" in said
    assert "test-model" in said
    assert "SIMULATED" not in said
    assert f"export OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY=anything\n" in said
    (opencode,) = re.findall(r"^ +(\{.*\})$", said, re.MULTILINE)
    assert json.loads(opencode)["provider"]["donut"]["options"]["baseURL"] == f"{url}/v1"
    assert re.search(rf"^    curl -N {url}/v1/chat/completions -H 'content-type: application/json' -d '\{{.*\}}'$", said, re.MULTILINE)


async def test_serve_with_keys_tells_where_the_key_goes(tmp_path: Path) -> None:
    (tmp_path / "donut.yaml").write_text(config_for(9, more="server: {api_keys: [a-secret-of-clients]}"))
    said = await on_a_terminal(tmp_path, "serve", "--port", "0", until="curl -N")
    assert "OPENAI_API_KEY=your-donut-key" in said
    assert "Authorization: Bearer your-donut-key" in said
    assert "a-secret-of-clients" not in said
    assert "upstream-secret" not in said


async def test_serve_says_loudly_that_it_simulates(tmp_path: Path) -> None:
    said = await on_a_terminal(tmp_path, "serve", "--demo", "--port", "0", until="curl -N")
    assert "SIMULATED" in said
    assert "donut doctor" in said


async def test_serve_with_nothing_to_serve_says_so(tmp_path: Path) -> None:
    (tmp_path / "donut.yaml").write_text(NOTHING + "providers: [{id: far, kind: openai, base_url: 'http://127.0.0.1:9/v1'}]\n")
    said = await on_a_terminal(tmp_path, "serve", "--port", "0", until="curl -N")
    assert "Nothing is served yet" in said
    async with DonutProcess(tmp_path, (tmp_path / "donut.yaml").read_text()) as donut:
        assert (await donut.client.get("/readyz")).status_code == 503
        got = await donut.client.post(CHAT, json=HELLO)
        assert (got.status_code, got.json()["error"]["code"]) == (503, "no_upstream")
        assert "donut doctor" in got.json()["error"]["message"]


async def test_serve_tells_a_machine_the_same_in_one_line(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(b'{"choices":[]}'))) as upstream, DonutProcess(tmp_path, config_for(upstream.port)) as donut:
        serving = await donut.said("serving")
        assert serving["url"] == f"http://127.0.0.1:{donut.port}/v1"
        assert (serving["simulated"], serving["models"]) == (False, ["test-model"])
        assert (serving["config"], serving["journal"]) == (str(donut.config), str(tmp_path / "donut.db"))
        await donut.client.post(CHAT, json={**HELLO, "model": "test-model"})
        line = await donut.said("exchange")
        assert (line["status"], line["asked"], line["replica"], line["http"]) == ("ok", "test-model", "p0/up-model", 200)
        assert "p0/up-model because" in line["why"]
        assert all(isinstance(event, dict) for event in donut.events)
        assert donut.stdout == []


async def test_serve_without_a_config_simulates_when_there_is_nothing(tmp_path: Path) -> None:
    """Discovery is left on, so a model server that runs on this machine would be found instead: then there is nothing to show."""
    async with DonutProcess(tmp_path) as donut:
        serving = await donut.said("serving")
        if not serving["simulated"]:
            pytest.skip(f"this machine has models: {serving['models']}")
        got = await donut.client.post(CHAT, json=HELLO)
        assert got.status_code == 200
        assert "simulat" in got.text.lower()


async def test_serve_demo_answers_an_sdk_in_every_way(tmp_path: Path) -> None:
    began = time.monotonic()
    async with DonutProcess(tmp_path, NOTHING, arguments=["--demo"]) as donut:
        async with openai.AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="anything", max_retries=0) as client:
            whole = await client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hi"}])
            print(f"start to first answer: {time.monotonic() - began:.2f} s (budget 1 s)")
            assert whole.choices[0].message.content
            assert whole.usage is not None
            stream = await client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hi"}], stream=True)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
            assert "".join(pieces)
            models = [model.id async for model in client.models.list()]
            assert "auto" in models
            embedder = next(model for model in models if "embed" in model)
            vectors = await client.embeddings.create(model=embedder, input=["a", "b"])
            assert len(vectors.data) == 2
            with pytest.raises(openai.NotFoundError, match="not served here"):
                await client.chat.completions.create(model="gpt-nonsense", messages=[{"role": "user", "content": "Hi"}])
        rows = await donut.wait_for_rows(4)
        assert [row["status"] for row in rows] == ["ok", "ok", "ok", "refused"]


@pytest.mark.parametrize("arguments", [["-config", "my.yaml"], ["--config", "my.yaml"], ["-config=my.yaml"], ["serve", "--config=my.yaml"]])
async def test_serve_takes_a_config_in_every_spelling(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "my.yaml").write_text(config_for(9))
    said = await on_a_terminal(tmp_path, *arguments, "--port", "0", until="curl -N")
    assert re.search(r"config +(\S*/)?my\.yaml\n", said)
    assert "test-model" in said


async def test_serve_on_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = await run_donut(tmp_path, "serve", "--demo", "--port", str(port))
    assert (code, out) == (1, "")
    (line,) = err.strip().splitlines()
    assert f"can not listen on 127.0.0.1:{port}" in line
    assert f"--port {port + 1}" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--config", "none.yaml"], "none.yaml"),
        (["serve", "--port", "http"], "--port"),
        (["serve", "--workers", "2"], "state.shared"),
        (["serve", "--demoo"], "--demo"),
        (["sreve"], "sreve"),
    ],
)
async def test_wrong_usage_is_one_clear_message(tmp_path: Path, arguments: list[str], words: str) -> None:
    code, out, err = await run_donut(tmp_path, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


async def test_serve_when_the_journal_can_not_be_opened_says_why_and_ends(tmp_path: Path) -> None:
    (tmp_path / "donut.yaml").write_text(config_for(9, more="state: {journal: 'sqlite:////proc/nothing/donut.db'}"))
    code, _, err = await run_donut(tmp_path, "serve", "--port", "0")
    assert code == 1
    assert "start_failed" in err
    assert "/proc/nothing" in err
    assert "Traceback" not in err


async def test_serve_listens_on_ipv6_loopback_too(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    async with DonutProcess(tmp_path, NOTHING, arguments=["--demo", "--host", "::1"]) as donut:
        assert donut.url == f"http://[::1]:{donut.port}"
        assert (await donut.client.post(CHAT, json=HELLO)).status_code == 200


async def test_the_first_copied_line_works(tmp_path: Path) -> None:
    """The curl line of the banner, sent by hand: what a newcomer does first."""
    async with DonutProcess(tmp_path, NOTHING, arguments=["--demo"]) as donut:
        async with httpx.AsyncClient(trust_env=False) as client:
            body = '{"model": "auto", "stream": true, "messages": [{"role": "user", "content": "Say hello."}]}'
            got = await client.post(f"{donut.url}{CHAT}", content=body, headers={"content-type": "application/json"})
        assert got.status_code == 200
        assert got.text.endswith("data: [DONE]\n\n")
        assert {"x-donut-model", "x-donut-replica", "x-donut-tier", "x-donut-use-case", "x-donut-attempts"} <= set(got.headers)


async def test_help_can_be_acted_on(tmp_path: Path) -> None:
    code, out, _ = await run_donut(tmp_path, "--help")
    assert code == 0
    for command in ("serve", "check", "doctor", "models", "usage", "explain"):
        assert re.search(rf"^  {command} ", out, re.MULTILINE), command
    code, out, _ = await run_donut(tmp_path, "serve", "--help")
    assert code == 0
    assert "OPENAI_BASE_URL" in out


def test_what_nobody_needs_is_not_loaded() -> None:
    """Pygments would come with structlog and httpx: 3 MB and 50 ms of every start."""
    code = (
        "import sys; sys.argv = ['donut', '--version']\n"
        "import config.cli\n"
        "try: config.cli.main()\n"
        "except SystemExit: pass\n"
        "import config.runtime\n"
        "sys.exit(any(name.startswith('pygments') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
