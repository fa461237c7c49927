"""The configuration as frozen values: every key that a file may have, with default, bounds and description.

Rules: unknown keys are refused; an empty value (`providers:` with nothing behind it) means the default. The text below a field
is its description in the JSON schema (`donut check --schema`). What concerns several keys at once is in `references.py`;
`provider_settings.py` and `routing_settings.py` have the long sections.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator

from config.provider_settings import CapabilityName, ProviderSettings, Window
from config.routing_settings import PolicySettings, RoutingSettings, Share
from config.section import Amount, Seconds, Section, refuse
from routing.types import ModelTier, UseCase

_SCOPE = re.compile(r"^(all|(key|harness|policy|model|provider|session)(:.+)?)$")


class ClientKey(Section):
    """A key that clients of donut must send."""

    name: str = Field(min_length=1, max_length=64)
    """Shown in the journal and in `donut usage` instead of the key."""
    key: SecretStr
    """The secret itself; best written as ${NAME}."""
    policy: str | None = Field(default=None, min_length=1)
    """The policy of its requests, unless a request names one itself."""

    @field_validator("key")
    @classmethod
    def _fits_into_a_header(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value()
        if not secret:
            refuse("the key is empty")
        if not all("!" <= char <= "~" for char in secret):
            refuse("the key has spaces or characters that no HTTP header can carry")
        return value


class ServerSettings(Section):
    """Where donut listens, and for whom."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on. Anything but loopback needs api_keys."""
    port: int = Field(default=8317, ge=0, le=65535)
    """TCP port; 0 takes a free one."""
    api_keys: tuple[ClientKey, ...] = ()
    """Keys that clients may use: plain strings, or {name, key, policy}. Empty = no key needed, on loopback only."""
    body_limit_mb: float = Field(default=32, gt=0, le=1024)
    """Largest request body in MiB; a larger one gets 413."""
    allowed_hosts: tuple[Annotated[str, Field(pattern=r"^[^\s/]+$")], ...] = ()
    """Host names beyond localhost that requests to a loopback address may carry in their Host header."""
    drain_seconds: float = Field(default=8, ge=0, le=3600)
    """At shutdown, how long open streams may go on. Docker kills after 10 seconds."""
    keep_alive_seconds: Seconds = 75
    """How long an idle client connection stays open."""

    @field_validator("api_keys", mode="before")
    @classmethod
    def _name_bare_keys(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"name": f"key-{number}", "key": item} if isinstance(item, str) else item for number, item in enumerate(value, 1)]


class StateSettings(Section):
    """Where donut keeps what it remembers."""

    journal: str | None = None
    """sqlite:///relative/path.db or sqlite:////absolute/path.db; empty = donut.db in the user's data directory."""
    shared: str | None = None
    """State shared by several machines. Not available in this version: leave it empty."""
    retention_days: float = Field(default=90, ge=0)
    """Journal rows older than this are deleted; 0 keeps them for ever."""
    flush_ms: int = Field(default=200, ge=10, le=500)
    """Milliseconds until a finished exchange is written: what a killed process can lose. A power cut can lose a little more."""
    queue_mb: float = Field(default=64, gt=0, le=4096)
    """Memory in MiB for rows that wait for the disk; beyond it rows are dropped and counted, requests never wait."""

    @field_validator("journal")
    @classmethod
    def _journal_is_sqlite(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if value.startswith(("postgresql://", "postgres://", "postgresql+")):
            refuse("PostgreSQL is not available in this version of donut; use sqlite:///…")
        if not value.startswith("sqlite:///") or value in ("sqlite:///", "sqlite:////") or value.startswith("sqlite:///:memory:"):
            refuse("must be sqlite:///relative/path.db or sqlite:////absolute/path.db")
        return value

    @field_validator("shared")
    @classmethod
    def _shared_is_not_there_yet(cls, value: str | None) -> str | None:
        if value:
            what = "Redis" if value.startswith(("redis://", "rediss://", "unix://")) else "shared state"
            refuse(f"{what} is not available in this version of donut; remove the key")
        return None


class DiscoverySettings(Section):
    """What donut looks for by itself."""

    local: bool = True
    """Look for model servers on this machine's usual ports."""
    environment: bool = True
    """Use provider keys found in the usual environment variables, such as OPENAI_API_KEY."""
    interval_seconds: float = Field(default=30, ge=1)
    """How often to look for local servers again."""


class ModelSettings(Section):
    """A logical model: one that the shipped catalog lacks, or one whose entry there is to be changed."""

    id: str = Field(min_length=1)
    """The name clients ask for."""
    tier: ModelTier | None = None
    """Empty = the catalog's tier, or routing.default_tier for a model that it does not know."""
    use_cases: tuple[UseCase, ...] | None = None
    """Empty = the catalog's, or chat and code."""
    context_window: int | None = Field(default=None, gt=0)
    """Tokens of prompt and answer together."""
    max_output: int | None = Field(default=None, gt=0)
    """Tokens of the longest answer."""
    capabilities: tuple[CapabilityName, ...] | None = None
    """Empty = the catalog's, or tools and json."""
    quality: Share | None = None
    """How capable it is, from 0 to 1 on the catalog's scale; empty = the catalog's figure, or unknown."""
    output_tokens_per_s: float | None = Field(default=None, gt=0)
    """Usual speed of its answers, until donut has measured it; empty = unknown."""


class BudgetSettings(Section):
    """A ceiling for money. Read and checked, but not enforced in this version."""

    scope: str = Field(default="all", json_schema_extra={"pattern": _SCOPE.pattern})
    """Whose spending counts: all, or key, harness, policy, model, provider, session, each with or without `:name`."""
    window: Window
    """The rolling window."""
    cost: Amount
    """USD."""
    on_exceed: Literal["degrade", "refuse", "alert"] = "degrade"
    """Use cheaper models, refuse requests, or only say so."""

    @field_validator("scope")
    @classmethod
    def _is_a_scope(cls, value: str) -> str:
        if not _SCOPE.fullmatch(value):
            refuse("must be all, or one of key, harness, policy, model, provider, session, with or without `:name`")
        return value


class LogSettings(Section):
    """What donut says while it runs."""

    format: Literal["auto", "pretty", "json"] = "auto"
    """auto = pretty on a terminal, JSON elsewhere."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that are still written."""


class Settings(Section):
    """donut's configuration file."""

    server: ServerSettings = ServerSettings()
    """Where donut listens, and for whom."""
    state: StateSettings = StateSettings()
    """Where donut keeps what it remembers."""
    discovery: DiscoverySettings = DiscoverySettings()
    """What donut looks for by itself."""
    providers: tuple[ProviderSettings, ...] = ()
    """Who answers: accounts, gateways, boxes on the network."""
    models: tuple[ModelSettings, ...] = ()
    """Logical models, added to the shipped catalog or overriding it."""
    routing: RoutingSettings = RoutingSettings()
    """How donut chooses."""
    policies: tuple[PolicySettings, ...] = ()
    """Named ways to answer, added to the shipped ones (normal, deep_research, code, ops) or changing them."""
    budgets: tuple[BudgetSettings, ...] = ()
    """Ceilings for money."""
    log: LogSettings = LogSettings()
    """What donut says while it runs."""


def default_journal_url(environ: Mapping[str, str]) -> str:
    """The journal when config names none.

    donut.db in $DONUT_DATA (the image sets it), else in $XDG_DATA_HOME/donut, else in ~/.local/share/donut.
    """
    if environ.get("DONUT_DATA"):
        directory = Path(environ["DONUT_DATA"])
    else:
        # The XDG base directory specification: a relative path is invalid and must be ignored.
        xdg = Path(environ.get("XDG_DATA_HOME", ""))
        home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
        directory = (xdg if xdg.is_absolute() else home / ".local" / "share") / "donut"
    return f"sqlite:///{directory.absolute() / 'donut.db'}"


def sqlite_path(url: str) -> Path:
    """The file behind a validated journal URL. As in SQLAlchemy, three slashes are relative to the working directory, four absolute."""
    return Path(url.removeprefix("sqlite:///")).expanduser().absolute()
