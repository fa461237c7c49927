"""`donut serve`: listen, and put every model this machine can reach behind one address."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

import click
import structlog
from rich.console import Console

import providers.kinds
import routing.factors
from config import logging as logs
from config.banner import announce
from config.catalog import load_catalog
from config.cli import version
from config.discovery import discover, module_names
from config.problems import ConfigError, Problem
from config.references import bind_problem, key_problem
from config.runtime import Runtime
from config.settings import Settings
from config.source import Loaded, default_config_path, load
from providers.ports import ProviderKind
from proxy.server import BACKLOG, raise_open_files_limit, server_for

log = structlog.get_logger("donut.serve")

COLLECT_AFTER = (20_000, 20, 50)
"""Exchanges leave no cycles behind, so the collector finds next to nothing: looking less often saves 3 % of a 2 KB request."""

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
SIGHUP or saving the config file reloads it without dropping a stream; SIGTERM lets open streams end first.
Exit codes: 0 stopped, 1 could not start, 2 wrong usage or configuration.
"""


@click.command("serve", help=HELP)
@click.option("--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Configuration file.")
@click.option("--host", help="Address to listen on, instead of the config's. Anything but loopback needs api_keys.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of the config's; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes. More than 1 needs shared state.")
@click.option("--demo", is_flag=True, help="Serve the simulated fleet and nothing else.")
def serve(config_file: Path | None, host: str | None, port: int | None, workers: int, demo: bool) -> None:
    if workers > 1:
        raise click.UsageError("--workers needs state.shared (Redis), which this version does not have yet. One serves 1,000 streams.")
    path = config_file or default_config_path(os.environ, Path.cwd())
    loaded = _with_overrides(_load(path), host, port)
    settings = loaded.settings
    write_lines = logs.configure(settings.log.format, settings.log.level)
    for warning in loaded.warnings:
        log.warning("config_warning", why=str(warning))
    raise_open_files_limit()
    listener = _listen(settings.server.host, settings.server.port)
    bound = listener.getsockname()[1]
    if port is not None or settings.server.port == 0:
        port = bound  # a reload must not take the 0 that asked for a free port for another wish
    settings = _on_port(settings, bound)

    def read() -> Loaded:
        return _with_overrides(_load(path), host, port)

    runtime = Runtime(settings, os.environ, write_lines=write_lines, config_path=path, read=read, demo=demo, version=version())
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    server = server_for(
        runtime.application(announce=lambda: announce(runtime, path, console)),
        keep_alive_s=round(settings.server.keep_alive_seconds),
        drain_s=round(settings.server.drain_seconds),
    )
    # What was imported and built lives as long as the process: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    # uvicorn shuts down in order and then raises the signal again. Handled here it ends in exit code 0 and not in a death by signal,
    # which a service manager would call a failure.
    signal.signal(signal.SIGTERM, _stop)
    with suppress(KeyboardInterrupt, SystemExit):
        server.run(sockets=[listener])
    if not server.started:
        sys.exit(1)


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
    problems = [bind_problem(server.host, [key.name for key in server.api_keys])]
    problems += [key_problem(server.host, key.key.get_secret_value()) for key in server.api_keys]
    problem = next((problem for problem in problems if problem is not None), None)
    if problem is not None:
        # Here, so that a reload is refused too: a half-written file that has lost its keys must not open the port to everyone.
        raise ConfigError([Problem("command line" if host else "configuration", 0, 0, "server.host", problem)])
    return replace(loaded, settings=loaded.settings.model_copy(update={"server": server}))


def _on_port(settings: Settings, port: int) -> Settings:
    return settings.model_copy(update={"server": settings.server.model_copy(update={"port": port})})


def _listen(host: str, port: int) -> socket.socket:
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    try:
        return socket.create_server((name, port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = error.strerror or str(error)
        raise click.ClickException(f"can not listen on {host}:{port}: {why}. Is another donut running? Try --port {port + 1}.") from None


COMMAND = serve
