"""The configuration as frozen values: every key that a file may have, with default, bounds and description.

Rules: unknown keys are refused; an empty value (`providers:` with nothing behind it) means the default. The text below a field
is its description in the JSON schema (`donut check --schema`). What concerns several keys at once is in `references.py`;
`provider_settings.py`, `limit_settings.py`, `routing_settings.py` and `state_settings.py` have sections of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from config.adapter_settings import AdapterSettings
from config.field_types import Key
from config.ledger_settings import LedgerSettings, Overrides, SourceName, SourceSettings, check_overrides
from config.limit_settings import BudgetSettings, KeyTerms
from config.provider_settings import CapabilityName, ProviderSettings
from config.routing_settings import PolicySettings, RoutingSettings, Share
from config.section import Seconds, Section
from config.state_settings import StateSettings
from routing.types import ModelTier, UseCase


class ClientKey(KeyTerms):
    """A key that clients of donut must send."""

    key: Key
    """The secret itself; best written as ${NAME}. `donut keys` makes keys of which only the digest is stored."""


class ServerSettings(Section):
    """Where donut listens, and for whom."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on. Anything but loopback needs api_keys."""
    port: int = Field(default=8317, ge=0, le=65535)
    """TCP port; 0 takes a free one."""
    api_keys: tuple[ClientKey, ...] = ()
    """Keys that clients may use: plain strings, or {name, key, policy, models, local_only, limits}. With none here and none made by
    `donut keys`, no key is needed, on loopback only."""
    body_limit_mb: float = Field(default=32, gt=0, le=1024)
    """Largest request body in MiB; a larger one gets 413."""
    allowed_hosts: tuple[Annotated[str, Field(pattern=r"^[^\s/]+$")], ...] = ()
    """Host names beyond localhost that requests to a loopback address may carry in their Host header."""
    drain_seconds: float = Field(default=8, ge=0, le=3600)
    """At shutdown, how long open streams may go on. Docker kills after 10 seconds."""
    keep_alive_seconds: Seconds = 75
    """How long an idle client connection stays open."""
    workers: int = Field(default=1, ge=1, le=256)
    """Processes on the same address. More than one needs state.shared, so that they count the same limits."""

    @field_validator("api_keys", mode="before")
    @classmethod
    def _name_bare_keys(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"name": f"key-{number}", "key": item} if isinstance(item, str) else item for number, item in enumerate(value, 1)]


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
    """Limits on what somebody uses: money, tokens, requests."""
    sources: Mapping[SourceName, SourceSettings] = Field(default_factory=dict)
    """Who is asked for prices and benchmarks."""
    overrides: Overrides = Field(default_factory=dict)
    """Your own figures, believed before everybody's: model, or `provider/upstream name` → metric → value."""
    ledger: LedgerSettings = LedgerSettings()
    """How the figures about models are merged."""
    adapters: AdapterSettings = AdapterSettings()
    """Outside systems that donut exchanges figures and events with."""
    log: LogSettings = LogSettings()
    """What donut says while it runs."""

    @field_validator("overrides")
    @classmethod
    def _overrides_can_be(cls, value: Overrides) -> Overrides:
        return check_overrides(value)
