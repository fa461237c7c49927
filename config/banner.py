"""What `donut serve` says once it listens: what it found, what it serves, where the journal is, and a line to copy per client."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import structlog

from config.runtime import Runtime

log = structlog.get_logger("donut.serve")


def announce(runtime: Runtime, config_path: Path | None) -> None:
    """A page for people at a terminal, one log line for machines."""
    server = runtime.settings.server
    host = "127.0.0.1" if server.host in ("0.0.0.0", "::") else server.host  # noqa: S104 - a wildcard is no address to call
    url = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
    if sys.stderr.isatty():
        importlib.import_module("config.banner_page").print_page(runtime, config_path, url)
        return
    log.info(
        "serving",
        url=f"{url}/v1",
        simulated=runtime.is_simulated,
        config=str(config_path) if config_path else None,
        journal=str(runtime.journal_place),
        models=sorted(runtime.gateway.serving.router.catalog.replicas_by_model),
    )
