"""The `providers` section: who answers, where, with which key, which models and under which limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from config.field_types import OptionalKey, OptionalUrl
from config.limit_settings import Ceiling, Portion, Window
from config.price_settings import PriceSettings
from config.section import Seconds, Section, refuse, refuse_name

DialectName = Literal["chat", "responses", "compact", "messages", "gemini", "embeddings", "completions"]
CapabilityName = Literal["tools", "json", "vision", "reasoning", "embeddings"]

_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
"""Without a slash, which separates it from the upstream name in a replica id."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 §5.6.2, token."""
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection"})
"""The transport writes these; a second one is how requests are smuggled."""


class ProviderModel(Section):
    """One model that a provider offers."""

    upstream: str = Field(min_length=1)
    """The name the provider knows."""
    model: str | None = Field(default=None, min_length=1)
    """The logical model it serves; empty = the same name."""
    price: PriceSettings | None = None
    """Empty = the shipped catalog's price."""
    context_window: int | None = Field(default=None, gt=0)
    """Tokens of prompt and answer together, where this provider differs from the model."""
    capabilities: tuple[CapabilityName, ...] | None = None
    """What it can do here, where this provider differs from the model."""


class TimeoutSettings(Section):
    """How long to wait for a provider, in seconds."""

    connect: Seconds = 5
    """Name, TCP and TLS together."""
    first_byte: Seconds | None = 600
    """From the request to the status line; null = no limit. Reasoning models are silent for minutes."""
    idle: Seconds | None = 900
    """Silence between two pieces of an answer; null = no limit."""


class ProviderSettings(Section):
    """Who answers: an account at OpenAI, a box running Ollama."""

    id: str = Field(max_length=64, json_schema_extra={"pattern": _ID.pattern})
    """Names this provider; replica ids are `id/upstream name`."""
    kind: str
    """How to talk to it: openai (and everything that copies it), ollama, openrouter …"""
    base_url: OptionalUrl = None
    """Where it is, with the version path: http://127.0.0.1:9001/v1. Empty = the kind's own."""
    api_key: OptionalKey = None
    """The key donut sends; best written as ${NAME}."""
    local: bool | None = None
    """Does it run on this machine or network, unmetered? Empty = judged by kind and address."""
    dialects: tuple[DialectName, ...] | None = None
    """What it speaks, best first; empty = the kind's own."""
    models: tuple[ProviderModel, ...] = ()
    """What it offers; empty = what the provider lists itself, or the shipped catalog."""
    headroom: Mapping[Window, Ceiling] = Field(default_factory=dict)
    """Ceilings per window: this account is not asked beyond them."""
    reserve: Portion = 0
    """Share of its limits, configured or reported, that is kept for what does not pass through donut: 0.2 or 20%."""
    timeouts: TimeoutSettings = TimeoutSettings()
    """How long to wait for it."""
    proxy: str | None = Field(default=None, repr=False)
    """Forward proxy: http://host:port, credentials allowed."""
    ca_file: str | None = None
    """PEM file with the certificate authority to trust instead of the public ones."""
    verify: bool = True
    """Check its TLS certificate."""
    http2: bool = False
    """Talk HTTP/2 to it."""
    on_disconnect: Literal["cancel", "drain"] = "cancel"
    """When the client leaves: stop the answer, or read on for its usage figures."""
    drain_seconds: Seconds = 30
    """Longest such reading on."""
    drain_max_concurrent: int = Field(default=4, ge=0)
    """Most answers read on at once; beyond it they are stopped."""
    headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """Extra headers on every request to it."""
    max_connections: int = Field(default=2048, ge=1)
    """Most connections to it at once; further requests wait in line."""

    @field_validator("id")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            refuse("must begin with a letter or digit, and go on with letters, digits, `.`, `_` and `-`")
        if value.lower() == "donut":
            refuse("`donut` is reserved: clients may write any model name with the prefix donut/")
        return value

    @field_validator("kind")
    @classmethod
    def _is_a_kind(cls, value: str, info: ValidationInfo) -> str:
        """The kinds come in as validation context, `{"kinds": names}`: settings know no provider by name."""
        kinds = (info.context or {}).get("kinds")
        if kinds is not None and value not in kinds:
            refuse_name(sorted(kinds))
        return value

    @field_validator("dialects")
    @classmethod
    def _speaks_something(cls, value: tuple[DialectName, ...] | None) -> tuple[DialectName, ...] | None:
        if value == ():
            refuse("must not be empty; leave it out for what the kind speaks")
        return value

    @field_validator("proxy")
    @classmethod
    def _is_an_http_proxy(cls, value: str | None) -> str | None:
        if not value:
            return None
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            refuse("must be a proxy URL such as http://127.0.0.1:3128")
        return value

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name, text in value.items():
            if not _HEADER_NAME.fullmatch(name):
                refuse(f"`{name}` is not a header name")
            if name.lower() in _OWN_HEADERS:
                refuse(f"`{name}` is written by donut itself")
            if not all(" " <= char <= "~" or char == "\t" for char in text):
                refuse(f"the value of `{name}` has characters that no HTTP header can carry")
        return value
