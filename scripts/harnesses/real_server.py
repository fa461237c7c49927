"""A real llama.cpp server as the upstream: `async with RealServer(folder) as server:` answers on `server.url`.

Its model is tiny and random, so the task is never done; that every harness gets well-formed answers from it is what is shown. The server
is built by `scripts/real-server`; the model is made anew, since a harness's prompt is tens of thousands of tokens of so small a vocabulary.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from pathlib import Path
from types import TracebackType

import httpx

from scripts.harnesses.harness import MODEL
from scripts.harnesses.install import CACHE, ROOT, CannotInstallError

CONTEXT = 131_072
"""Tokens: Qwen Code's 89 kB are the longest prompt, and a byte is a token at worst."""
MOST_ANSWER_TOKENS = 200
START_S = 60


def server_binary() -> Path:
    """The built server. Raises CannotInstallError when there is none: building it takes minutes and is not done unasked."""
    binary = Path(os.environ.get("REAL_SERVER_BIN", ROOT / ".cache" / "real-server" / "llama-server"))
    if not binary.exists():
        raise CannotInstallError("no llama-server: `scripts/real-server --build-only` builds one, or name one in REAL_SERVER_BIN")
    return binary


def _model() -> Path:
    """The random model with a long context, made once."""
    model = CACHE / f"tiny-{CONTEXT}.gguf"
    if not model.exists():
        python = ROOT / ".cache" / "real-server" / "venv" / "bin" / "python"
        command = [str(python), str(ROOT / "scripts" / "make_tiny_gguf.py"), str(model.with_suffix(".new")), "--ctx", str(CONTEXT)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        model.with_suffix(".new").rename(model)
    return model


class RealServer:
    def __init__(self, folder: Path) -> None:
        """`folder` gets its log."""
        self._log = folder / "llama-server.txt"

    async def __aenter__(self) -> RealServer:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [str(server_binary()), "--model", str(_model()), "--alias", MODEL, "--host", "127.0.0.1", "--port", str(port)]
        command += ["--ctx-size", str(CONTEXT), "--parallel", "1", "--n-predict", str(MOST_ANSWER_TOKENS), "--jinja", "--no-ui"]
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            await self._is_up()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def _is_up(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(START_S):
            while True:
                assert self._process.returncode is None, f"llama-server ended; see {self._log}"
                try:
                    if (await client.get(f"{self.url}/health")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
