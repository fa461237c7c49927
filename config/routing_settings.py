"""The sections `routing` and `policies`: how donut chooses, what may change that, and for whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from config.classifier_settings import ClassifierSettings
from config.section import Amount, Seconds, Section, refuse
from routing.resolve import NAMES_THAT_STEER
from routing.types import CallRole, LocalPreference, ModelTier, Objective, UseCase

_POLICY_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
"""Fits into a header and, behind `policy:`, into a model name."""

Share = Annotated[float, Field(ge=0, le=1)]
Pattern = Annotated[str, Field(min_length=1)]


class PreludeSettings(Section):
    """How much of an answer without content is held back, so that an early failure can still fail over."""

    events: int = Field(default=64, ge=0)
    """Events without content."""
    bytes: int = Field(default=262_144, ge=0)
    """Bytes of such events."""
    seconds: float = Field(default=20, ge=0)
    """Time since the first of them."""


class KeepAliveSettings(Section):
    """What a client sees while a stream is silent. Which sign it is depends on dialect and harness; some get none."""

    seconds: float = Field(default=15, ge=0, le=3600)
    """Silence until a sign of life, and from one to the next; 0 = never."""


class RetryBudgetSettings(Section):
    """How much of all traffic may be second and later attempts. Beyond it a failure is passed on: more load would make it worse."""

    share: Share = 0.2
    """Of the requests of the last seconds."""
    min_per_second: float = Field(default=10, ge=0)
    """Always allowed, so that a single person never meets the budget."""


class RetrySettings(Section):
    """How often one request is tried before anything has been sent to the client."""

    max_attempts: int = Field(default=4, ge=1, le=20)
    """The first try counts: 1 = no failover."""
    budget: RetryBudgetSettings = RetryBudgetSettings()
    """How much of all traffic may be retries."""


class AffinitySettings(Section):
    """How long a conversation keeps its replica."""

    ttl_seconds: Seconds = 3600
    """Since its last answer. Providers keep a prompt in their cache for five minutes to an hour."""


class RuleSettings(Section):
    """Gives a policy to the requests that match every field given here; patterns may have `*`."""

    policy: str = Field(min_length=1)
    """The policy's name."""
    harness: Pattern | None = None
    """The program that asks: codex, claude-code, opencode …"""
    key: Pattern | None = None
    """The name of the client's key."""
    use_case: UseCase | None = None
    """What the request is about."""
    role: CallRole | None = None
    """What the call is to its harness: main (a person's turn, with its continuations), continuation, subagent, chore."""
    model: Pattern | None = None
    """The model name that the client asked for."""


class RoutingSettings(Section):
    """How donut chooses."""

    objective: Objective = Objective.AUTO
    """What to optimise for when the request does not say; auto = what the shape of the task suggests."""
    profile: Literal["fast", "balanced", "strong"] = "balanced"
    """Leans every choice toward cheap and quick answers, or toward capable models."""
    classifier: ClassifierSettings = ClassifierSettings()
    """How `auto` judges what a request asks for."""
    local_preference: LocalPreference = LocalPreference.PREFERRED
    """Local models first, only, or never."""
    escalate: bool = True
    """May a request leave its tier upward when nothing in the tier can answer?"""
    policy: str = Field(default="normal", min_length=1)
    """The policy of requests that nothing else gives one."""
    rules: tuple[RuleSettings, ...] = ()
    """Who gets which policy: the first rule that matches counts."""
    rewrites: Mapping[str, str] = Field(default_factory=dict)
    """Model names that are hints, not orders: a pattern such as "claude-*" → auto, a tier, a model, a replica or `policy:NAME`.
    First match wins."""
    default_tier: ModelTier = ModelTier.MID
    """The tier of `auto` when nothing else decides."""
    quality_floor: Mapping[ModelTier, Share] = Field(default_factory=dict)
    """Least quality (0 to 1) of a model that answers for a tier, in place of donut's own floors; 0 = none. Unmeasured models pass."""
    foreign_reasoning: Literal["refuse", "strip"] = "refuse"
    """A conversation holds encrypted reasoning of an account that is gone: refuse it, or take that part out and say so."""
    affinity: AffinitySettings = AffinitySettings()
    """How long a conversation keeps its replica."""
    prelude: PreludeSettings = PreludeSettings()
    """Limits of what is held back before the first content."""
    keepalive: KeepAliveSettings = KeepAliveSettings()
    """Signs of life on quiet streams."""
    deadline_seconds: Seconds | None = 600
    """Longest wait for the first content, over all attempts; null = no limit."""
    retry: RetrySettings = RetrySettings()
    """Limits of failover."""
    weights: Mapping[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Weight of a routing factor by its name, in place of the factor's own."""


class PolicySettings(Section):
    """A named way to answer requests that leave the model open. One with a shipped policy's name changes the fields given here."""

    name: str = Field(max_length=64, json_schema_extra={"pattern": _POLICY_NAME.pattern})
    """What `x-donut-policy`, keys, rules and the model name `policy:NAME` call it."""
    models: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), max_length=32)
    """Models, replicas and tiers in order: the next one answers when the one before can not. Empty = the tier of the task."""
    tiers: Mapping[str, ModelTier] = Field(default_factory=dict)
    """Type of task → tier, before `models`: a use case (code), a role (chore, subagent) or a single chore (title)."""
    objective: Objective | None = None
    """What to optimise for when the request does not say."""
    local_preference: LocalPreference | None = None
    """Local models first, only, or never, when the request does not say."""
    max_cost: Amount | None = None
    """Ceiling in USD for one request, estimated before it is sent: dearer replicas are left out."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Longest answer, where the client sets no limit itself."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """The same for the temperature. Many reasoning models refuse any but their own."""

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not _POLICY_NAME.fullmatch(value):
            refuse("must begin with a letter or digit, and go on with letters, digits, `.`, `_` and `-`")
        if value in NAMES_THAT_STEER:
            refuse("is a model name that steers already")
        return value
