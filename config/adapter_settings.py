"""The `adapters` section: outside systems that donut exchanges figures and events with. Nothing of it is on unless it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from config.field_types import Key, Url
from config.section import Section, refuse

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""As of a provider: these become names of files."""


def _is_a_path(value: str) -> str:
    if not value.strip() or "\0" in value:
        refuse("must be a path")
    return value


PathText = Annotated[str, AfterValidator(_is_a_path)]
Model = Annotated[str, Field(min_length=1)]


def path_of(value: PathText) -> Path:
    return Path(value).expanduser().absolute()


class CliproxySettings(Section):
    """A running CLIProxyAPI whose management API may be read. Its usage queue gives each request once: no other reader will see it."""

    provider: str = Field(max_length=64, pattern=ID_PATTERN)
    """Under which id donut serves it; the figures are of `provider/model`."""
    url: Url
    """Where it listens, without a path: http://127.0.0.1:8317."""
    management_key: Key
    """Its management secret; best written as ${NAME}."""
    interval_seconds: float = Field(default=60, ge=5)
    """How often to read."""


class HeliosSettings(Section):
    """A folder in which heliosBench and helioscope leave their results."""

    folder: PathText
    """Every .json and .jsonl in it is read again when it changes."""
    models: Mapping[str, Model] = Field(default_factory=dict)
    """Which model was behind a program: `codex: gpt-5.6`, or `codex:fast: gpt-5.6-mini` for one of its profiles."""
    interval_seconds: float = Field(default=30, ge=1)
    """How often to look."""


class ThegentSettings(Section):
    """The files that thegent's agents share."""

    folder: PathText = "~/.thegent"
    """Has prompt_queue.jsonl, which is counted, and routing_harvest.jsonl, to which donut appends what it did."""
    harvest_seconds: float = Field(default=300, ge=10)
    """How often to append, where anything was done; and once more at the end."""
    queue_seconds: float = Field(default=5, ge=1)
    """How often to count the queue."""


class AgentSettings(Section):
    """An agent behind agentapi or agentapi++."""

    id: str = Field(max_length=64, pattern=ID_PATTERN)
    """Its name in donut's events."""
    url: Url
    """Where agentapi listens: http://127.0.0.1:3284."""


class TokenledgerSettings(Section):
    """Files for tokenledger."""

    events: PathText | None = None
    """JSONL to which every answer's usage is appended, as far as its provider reported it."""
    snapshot: PathText | None = None
    """JSON with how every offering does, written anew every five minutes; tokenledger looks for ~/.cliproxyapi/metrics_snapshot.json."""

    @field_validator("snapshot")
    @classmethod
    def _is_json(cls, value: str | None) -> str | None:
        if value is not None and not value.endswith(".json"):
            refuse("must end in .json")
        return value


class RouterSettings(Section):
    """A RouteLLM-style router that is asked, after the fact, what it would have chosen. Prompts are not sent."""

    url: Url
    """Its route endpoint: http://127.0.0.1:8788/route."""
    timeout_seconds: float = Field(default=2, gt=0, le=30)
    """How long an opinion may take."""
    per_minute: int = Field(default=30, ge=1, le=600)
    """At most this many questions; further requests go without an opinion."""


class AdapterSettings(Section):
    """Outside systems that donut exchanges figures and events with."""

    cliproxy: tuple[CliproxySettings, ...] = ()
    """Running CLIProxyAPIs to read metrics from."""
    helios: HeliosSettings | None = None
    """Benchmark results to watch for."""
    thegent: ThegentSettings | None = None
    """thegent's shared files; `{}` takes them where they usually are."""
    agentapi: tuple[AgentSettings, ...] = ()
    """Agents to listen to."""
    tokenledger: TokenledgerSettings | None = None
    """Files to write for tokenledger."""
    routellm: RouterSettings | None = None
    """An external opinion on donut's choices."""

    @field_validator("cliproxy", "agentapi")
    @classmethod
    def _each_once(cls, value: tuple[CliproxySettings | AgentSettings, ...]) -> tuple[CliproxySettings | AgentSettings, ...]:
        names = [each.provider if isinstance(each, CliproxySettings) else each.id for each in value]
        if len(set(names)) < len(names):
            refuse("two of them have the same name")
        return value
