"""What `donut doctor` and `donut models` share: the kinds, the config that would be used, and asking a donut on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

import providers.kinds
from config.catalog import load_catalog, shipped_models
from config.discovery import discover
from config.settings import Settings
from config.source import Loaded, default_config_path, load
from config.survey import Survey, survey
from providers.ports import ProviderKind

ASK_TIMEOUT_S = 2.0


def load_kinds() -> dict[str, ProviderKind]:
    """Kind name → provider kind."""
    return {kind.name: kind for kind in discover(providers.kinds, "KIND", ProviderKind).values()}


def config_path(named: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file that `donut serve` would take; None when it would go without."""
    return named or default_config_path(environ, Path.cwd())


def load_config(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """The settings in `path`, the defaults for None. Raises ConfigError."""
    return Loaded(Settings()) if path is None else load(path, environ, load_kinds(), shipped_models())


def look_around(settings: Settings, environ: Mapping[str, str]) -> Survey:
    return asyncio.run(survey(settings, environ, load_kinds(), load_catalog()))


def base_url(settings: Settings) -> str:
    """Where a donut with these settings is reached from this machine."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - names to recognise, not to bind
    host = everywhere.get(settings.server.host, settings.server.host)
    return f"http://[{host}]:{settings.server.port}" if ":" in host else f"http://{host}:{settings.server.port}"


def get(url: str, key: str | None = None) -> tuple[int, Any]:
    """(status, JSON value or None) of a GET; (0, None) when nobody answers in HTTP. The environment's proxies are ignored."""
    headers = {"authorization": f"Bearer {key}"} if key and key.isascii() and key.isprintable() else {}
    try:
        answer = httpx.get(url, headers=headers, timeout=ASK_TIMEOUT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        return 0, None
    try:
        return answer.status_code, answer.json()
    except ValueError:
        return answer.status_code, None
