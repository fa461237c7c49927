"""A PostgreSQL server of a test's own, on a free port, its data in a folder that goes with it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType

from tests.real_servers import account, answers, family, free_port, own_folder, program, send, start, wait_for

_FOLDERS = tuple(str(folder) for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
"""Debian keeps the server's programs off the path."""

PASSWORD = "only-for-tests:/@ä"
"""With what a URL has to quote."""


class PostgresServer:
    """`with PostgresServer() as server`: `server.url(database)` for a client that knows the password."""

    def __init__(self) -> None:
        self._postgres = program("postgres", *_FOLDERS)
        self._initdb = program("initdb", *_FOLDERS)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PostgresServer:
        self._folder = own_folder("postgres")
        self._log = self._folder / "log"
        secret = self._folder / "secret"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o644)
        data = str(self._folder / "data")
        subprocess.run(
            [
                self._initdb,
                "-D",
                data,
                "-U",
                "donut",
                "-A",
                "scram-sha-256",
                f"--pwfile={secret}",
                "-E",
                "UTF8",
                "--no-locale",
                "--no-sync",
            ],
            check=True,
            user=account(),
            extra_groups=[] if account() else None,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        self.port = free_port()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "40",
        }
        flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._process = start(self._postgres, "-D", str(self._folder / "data"), *flags, log=self._log)
        wait_for(self._is_ready, self._process, self._log)

    def _is_ready(self) -> bool:
        return answers(self.port) and "ready to accept connections" in self._log.read_text()

    def stop(self) -> None:
        """At once: open connections break, and what was committed is there after the next start."""
        process, self._process = self._process, None
        if process is not None:
            send(family(process.pid), signal.SIGCONT)
            process.send_signal(signal.SIGQUIT)
            process.wait(30)
            self._log.write_text("")

    def freeze(self) -> None:
        """It keeps its sockets and says nothing."""
        assert self._process is not None
        self._frozen = family(self._process.pid)
        send(self._frozen, signal.SIGSTOP)

    def thaw(self) -> None:
        send(self._frozen, signal.SIGCONT)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://donut:only-for-tests%3A%2F%40%C3%A4@127.0.0.1:{self.port}/{database}"
