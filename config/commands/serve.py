"""`donut serve`: listen, and put every model this machine can reach behind one address."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

import click
import structlog

import providers.kinds
import routing.factors
from config import logging as logs
from config.banner import announce
from config.catalog import load_catalog
from config.cli import version
from config.discovery import discover, module_names
from config.made_keys import made_keys
from config.problems import ConfigError, Problem
from config.references import bind_problem, key_problem
from config.runtime import Runtime
from config.settings import Settings
from config.source import Loaded, default_config_path, load
from providers.ports import ProviderKind
from proxy.huge_pages import gather_memory
from proxy.server import BACKLOG, raise_open_files_limit, server_for
from proxy.supervisor import NOT_STARTED, Supervisor

log = structlog.get_logger("donut.serve")

COLLECT_AFTER = (20_000, 20, 50)
"""Exchanges leave no cycles behind, so the collector finds next to nothing: looking less often saves 3 % of a 2 KB request."""

STOP_MARGIN_S = 4.0
"""What a worker may need beyond its drain to write and close, before the supervisor kills it."""

HELP = """Listen on http://127.0.0.1:8317 and serve every model this machine can reach.

\b
Without a config file donut looks for model servers on this machine's usual ports and for provider keys in the usual
environment variables. With nothing to find it serves the simulated fleet, and says so.

\b
Examples:
  donut serve                                  what is here, on 127.0.0.1:8317
  donut serve --demo                           simulated models only: no key, no cost
  donut serve --config donut.yaml --port 9000
  OPENAI_API_KEY=sk-… donut serve              that account's models, local ones first

\b
Then, in the shell of your harness:
  export OPENAI_BASE_URL=http://127.0.0.1:8317/v1
  export OPENAI_API_KEY=anything               (one of server.api_keys if the config has any)

\b
With --workers the processes share the address and the journal; each has its own /metrics and /api/events, and SIGTERM and SIGHUP go to
all of them.

\b
SIGHUP or saving the config file reloads it without dropping a stream; SIGTERM lets open streams end first.
Exit codes: 0 stopped, 1 could not start, 2 wrong usage or configuration.
"""


@click.command("serve", help=HELP)
@click.option("--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Configuration file.")
@click.option("--host", help="Address to listen on, instead of the config's. Anything but loopback needs api_keys.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of the config's; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes, instead of the config's. More than 1 needs state.shared.")
@click.option("--demo", is_flag=True, help="Serve the simulated fleet and nothing else.")
def serve(config_file: Path | None, host: str | None, port: int | None, workers: int | None, demo: bool) -> None:
    path = config_file or default_config_path(os.environ, Path.cwd())
    loaded = _with_overrides(_load(path), host, port)
    settings = loaded.settings
    count = _workers(workers, settings)
    write_lines = logs.configure(settings.log.format, settings.log.level)
    for warning in loaded.warnings:
        log.warning("config_warning", why=str(warning))
    raise_open_files_limit()
    listeners = _listen(settings.server.host, settings.server.port, count)
    bound = listeners[0].getsockname()[1]
    if port is not None or settings.server.port == 0:
        port = bound  # a reload must not take the 0 that asked for a free port for another wish

    def read() -> Loaded:
        return _with_overrides(_load(path), host, port)

    def work(settings: Settings, listener: socket.socket, *, says_so: bool) -> bool:
        """Serve until stopped; whether it got as far as serving."""
        runtime = Runtime(settings, os.environ, write_lines=write_lines, config_path=path, read=read, demo=demo, version=version())
        return _serve(runtime, listener, announce=lambda: announce(runtime, path) if says_so else None)

    if count == 1:
        sys.exit(0 if work(_on_port(settings, bound), listeners[0], says_so=True) else 1)

    def in_place(place: int, is_first: bool) -> int:
        # Whoever fills a place again takes the file as it is by now.
        current = settings if is_first else _read_or(read, settings)
        has_served = work(_on_port(current, bound), listeners[place - 1], says_so=is_first and place == 1)
        return 0 if has_served else NOT_STARTED

    gc.enable()
    sys.exit(Supervisor(in_place, count, patience_s=settings.server.drain_seconds + STOP_MARGIN_S).run())


def _serve(runtime: Runtime, listener: socket.socket, announce: Callable[[], None]) -> bool:
    """Run the server in this process until it is stopped; whether it had started."""
    server = server_for(
        runtime.application(announce=announce),
        keep_alive_s=round(runtime.settings.server.keep_alive_seconds),
        drain_s=round(runtime.settings.server.drain_seconds),
    )
    # What was imported and built lives as long as the process: the collector need not look at it again and again, nor a last time now,
    # which takes 40 ms and finds 200 objects.
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    gc.enable()
    gather_memory()
    # uvicorn shuts down in order and then raises the signal again. Handled here it ends in exit code 0 and not in a death by signal,
    # which a service manager would call a failure.
    signal.signal(signal.SIGTERM, _stop)
    with suppress(KeyboardInterrupt, SystemExit):
        server.run(sockets=[listener])
    return server.started


def _workers(asked: int | None, settings: Settings) -> int:
    """How many processes. Raises click.UsageError for several that would not know of each other."""
    count = settings.server.workers if asked is None else asked
    if count > 1 and settings.state.shared is None:
        raise click.UsageError(
            f"{count} workers need state.shared (redis://…), or each would count limits and budgets for itself. One serves 1,000 streams."
        )
    return count


def _read_or(read: Callable[[], Loaded], settings: Settings) -> Settings:
    try:
        return read().settings
    except ConfigError as error:
        log.error("config_refused", why=str(error), still="the configuration of the start")
        return settings


def _stop(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _load(path: Path | None) -> Loaded:
    if path is None:
        return Loaded(Settings())
    kinds = {kind.name: kind for kind in discover(providers.kinds, "KIND", ProviderKind).values()}
    catalog = load_catalog()
    return load(path, os.environ, kinds, {*catalog.models, *catalog.aliases}, factors=module_names(routing.factors))


def _with_overrides(loaded: Loaded, host: str | None, port: int | None) -> Loaded:
    """The command line wins over the file, also after a reload. Raises ConfigError for an address that would stand open."""
    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    server = loaded.settings.server.model_copy(update=changes)
    names = [key.name for key in server.api_keys] or made_keys(loaded.settings.state, os.environ)
    problems = [bind_problem(server.host, names)]
    problems += [key_problem(server.host, key.key.get_secret_value()) for key in server.api_keys]
    problem = next((problem for problem in problems if problem is not None), None)
    if problem is not None:
        # Here, so that a reload is refused too: a half-written file that has lost its keys must not open the port to everyone.
        raise ConfigError([Problem("command line" if host else "configuration", 0, 0, "server.host", problem)])
    return replace(loaded, settings=loaded.settings.model_copy(update={"server": server}))


def _on_port(settings: Settings, port: int) -> Settings:
    return settings.model_copy(update={"server": settings.server.model_copy(update={"port": port})})


def _listen(host: str, port: int, count: int) -> list[socket.socket]:
    """One listening socket per worker; the kernel spreads connections over them.

    From a single socket whoever wakes first takes all that waits: of 1,000 connections at once, four workers got 489, 219, 199 and 93.
    These stay open in the supervisor, so that what comes in while a worker is replaced waits and is not refused.
    """
    try:
        first = _socket(host, port)
        if count == 1:
            return [first]
        # Taken without sharing first: another donut that shares its port would not be noticed.
        bound = first.getsockname()[1]
        first.close()
        return [_socket(host, bound, is_shared=True) for _ in range(count)]
    except OSError as error:
        why = error.strerror or str(error)
        raise click.ClickException(f"can not listen on {host}:{port}: {why}. Is another donut running? Try --port {port + 1}.") from None


def _socket(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    return socket.create_server((name, port), family=family, backlog=BACKLOG, reuse_port=is_shared)


COMMAND = serve
