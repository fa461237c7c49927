"""A Redis server of a test's own, on a free port, with a password and nothing on disk."""

from __future__ import annotations

import shutil
import signal
import subprocess
from types import TracebackType

from tests.real_servers import answers, free_port, own_folder, program, send, start, wait_for

PASSWORD = "only-for-tests"


class RedisServer:
    """`with RedisServer() as server`: `server.url` for a client that knows the password."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        """`address`: where it listens."""
        self._address = address
        self._redis = program("redis-server")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        self._folder = own_folder("redis")
        self._log = self._folder / "log"
        self.port = free_port()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Empty: what an earlier one held is gone."""
        options = ("--bind", self._address, "--port", str(self.port), "--save", "", "--appendonly", "no", "--requirepass", PASSWORD)
        self._process = start(self._redis, *options, "--dir", str(self._folder), log=self._log)
        wait_for(lambda: answers(self.port), self._process, self._log)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            send([process.pid], signal.SIGCONT)
            process.kill()
            process.wait(20)

    def freeze(self) -> None:
        """It keeps its sockets and says nothing."""
        assert self._process is not None
        send([self._process.pid], signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        send([self._process.pid], signal.SIGCONT)

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
