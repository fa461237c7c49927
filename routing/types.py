"""Vocabulary of the core. Values only: nothing here waits, reads a clock or logs. DESIGN.md §1 defines the words.

What is made per request is a NamedTuple: as immutable as a frozen dataclass, and made in a third of the time.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple


class ModelTier(enum.StrEnum):
    """How capable a model is, or must be. Ordered from cheap to dear by `TIER_ORDER`."""

    MICRO = "micro"
    SMALL = "small"
    MID = "mid"
    FRONTIER = "frontier"


TIER_ORDER: tuple[ModelTier, ...] = (ModelTier.MICRO, ModelTier.SMALL, ModelTier.MID, ModelTier.FRONTIER)


class UseCase(enum.StrEnum):
    CHAT = "chat"
    CODE = "code"
    SEARCH = "search"
    EMBED = "embed"
    VISION = "vision"


class Objective(enum.StrEnum):
    AUTO = "auto"
    COST_SPEED = "cost_speed"
    BALANCED = "balanced"
    QUALITY = "quality"


class LocalPreference(enum.StrEnum):
    PREFERRED = "preferred"
    REQUIRED = "required"
    DISABLED = "disabled"


class Capability(enum.IntFlag):
    """What a model can do and a demand may need. Kept as plain `int` bits in values: IntFlag arithmetic costs a microsecond."""

    TOOLS = 1
    JSON = 2
    VISION = 4
    REASONING = 8
    EMBEDDINGS = 16


def capability_names(bits: int) -> tuple[str, ...]:
    """The lower-case names of the set bits, in declaration order."""
    return tuple((capability.name or "").lower() for capability in Capability if bits & capability)


def capability_bits(names: tuple[str, ...] | list[str]) -> int:
    """The inverse of `capability_names`. Raises KeyError on a name that is not a capability."""
    bits = 0
    for name in names:
        bits |= Capability[name.upper()]
    return int(bits)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per 1M tokens. None means unknown, which is not the same as free."""

    input: float | None
    output: float | None
    cache_read: float | None = None
    cache_write: float | None = None
    version: str = "config"
    """Where the figures come from, for the journal: `config`, `catalog:2026-11-20` …"""


@dataclass(frozen=True, slots=True)
class LogicalModel:
    """What a client wants to invoke, whoever serves it."""

    id: str
    tier: ModelTier
    use_cases: tuple[UseCase, ...] = (UseCase.CHAT, UseCase.CODE)
    capability_bits: int = Capability.TOOLS | Capability.JSON
    context_window: int | None = None
    """Tokens of prompt and answer together; None when unknown, and then no gate judges by it."""
    max_output: int | None = None


@dataclass(frozen=True, slots=True)
class ModelReplica:
    """One place that serves a logical model: provider × account × region. `id` is `provider-id/upstream-name`."""

    id: str
    provider_id: str
    upstream_model: str
    logical_model_id: str
    tier: ModelTier
    is_local: bool
    dialects: tuple[str, ...]
    """What this replica speaks, best first."""
    capability_bits: int
    context_window: int | None = None
    price: Price | None = None
    declared: bool = True
    """False for a replica that discovery found and no person wrote down."""


class TargetKind(enum.StrEnum):
    REPLICA = "replica"
    MODEL = "model"
    TIER = "tier"


class Target(NamedTuple):
    """What a model name stands for once it is resolved: one replica, one logical model or a tier."""

    kind: TargetKind
    id: str
    because: str = "the client named it"


class Demand(NamedTuple):
    """What one request needs, without its text."""

    dialect: str
    target: Target
    requested_model: str
    stream: bool = False
    capability_bits: int = 0
    input_tokens_estimated: int = 0
    output_tokens_estimated: int = 0
    harness: str = "unknown"
    use_case: UseCase = UseCase.CHAT
    objective: Objective = Objective.AUTO
    local_preference: LocalPreference = LocalPreference.PREFERRED
    excluded_providers: frozenset[str] = frozenset()
    affinity_key: str | None = None

    @property
    def tokens_estimated(self) -> int:
        return self.input_tokens_estimated + self.output_tokens_estimated


class RejectReason(enum.StrEnum):
    """Why a gate shut. The vocabulary is closed: a new gate adds its word here."""

    ALREADY_TRIED = "already_tried"
    EJECTED = "ejected"
    PROBING = "probing"
    RATE_LIMITED = "rate_limited"
    WRONG_DIALECT = "wrong_dialect"
    MISSING_CAPABILITY = "missing_capability"
    CONTEXT_TOO_SMALL = "context_too_small"
    EXCLUDED = "excluded"
    NOT_LOCAL = "not_local"
    LOCAL_DISABLED = "local_disabled"


class Reject(NamedTuple):
    """One candidate that may not answer, and why. `until_s` is when the gate opens again, where that is known."""

    replica_id: str
    reason: RejectReason
    detail: str = ""
    until_s: float | None = None


class Evidence(NamedTuple):
    """What `decide` saw: columns over the eligible candidates, and the rejected ones with reasons.

    Columns rather than a dict per candidate: fifty candidates and ten factors must fit in 40 µs, and nobody reads most
    decisions. `routing.explain` turns this into the record that people and programs read.
    """

    target: Target
    candidates: Sequence[str]
    """Ids of the eligible replicas, in the catalog's order; `explain.told` sorts them by merit."""
    scores: Sequence[float]
    factors: Mapping[str, Sequence[float]]
    weights: Mapping[str, float]
    rejected: Sequence[Reject]
    panic: bool = False
    """True when every candidate was ejected and the least bad one was chosen anyway (Envoy's and Finagle's word)."""
    spilled_from: ModelTier | None = None
    notes: tuple[str, ...] = ()


class Dispatch(NamedTuple):
    """Send the attempt to `replica`. `reservation` is settled by exactly one AttemptFinished or AttemptFailed."""

    replica: ModelReplica
    reservation: int
    evidence: Evidence


class Refusal(NamedTuple):
    """No replica may take the attempt now."""

    reason: RejectReason | None
    """The reason that stands for all: what would have to change. None when nothing serves the target at all."""
    retry_after_s: float | None
    evidence: Evidence


Decision = Dispatch | Refusal


class Usage(NamedTuple):
    """Tokens of one answer: input = input_uncached + cache_read + cache_write, with no token counted twice."""

    input_uncached: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    """The part of `output` that was reasoning."""
    reported: bool = True
    """False when donut estimated the figures because the upstream gave none."""

    @property
    def input(self) -> int:
        return self.input_uncached + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that can be asked for, as configured and discovered at one moment. Replaced whole, never changed."""

    models: Mapping[str, LogicalModel] = field(default_factory=dict)
    replicas: Mapping[str, ModelReplica] = field(default_factory=dict)
    replicas_by_model: Mapping[str, tuple[ModelReplica, ...]] = field(default_factory=dict)
    replicas_by_tier: Mapping[ModelTier, tuple[ModelReplica, ...]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of logical models: `gpt-4o` → `gpt-6.1-terra`. Used only when nothing is served under the name itself."""
    rewrites: tuple[tuple[str, str], ...] = ()
    """Glob → name, first match wins: names that config declares to be hints, not orders."""
    default_tier: ModelTier = ModelTier.MID
    escalate: bool = True
    """May a demand leave its tier upward when nobody in the tier can answer?"""

    @staticmethod
    def build(
        models: Mapping[str, LogicalModel],
        replicas: Sequence[ModelReplica],
        *,
        aliases: Mapping[str, str] | None = None,
        rewrites: tuple[tuple[str, str], ...] = (),
        default_tier: ModelTier = ModelTier.MID,
        escalate: bool = True,
        named_only: Set[str] = frozenset(),
    ) -> Catalog:
        """Index `replicas` by id, by logical model and by tier. Order is kept; a later duplicate id is ignored.

        `named_only`: logical models that answer to their name but are no choice for a tier. A local replica always is one.
        """
        by_id: dict[str, ModelReplica] = {}
        by_model: dict[str, list[ModelReplica]] = {}
        by_tier: dict[ModelTier, list[ModelReplica]] = {}
        for replica in replicas:
            if replica.id in by_id:
                continue
            by_id[replica.id] = replica
            by_model.setdefault(replica.logical_model_id, []).append(replica)
            if replica.is_local or replica.logical_model_id not in named_only:
                by_tier.setdefault(replica.tier, []).append(replica)
        return Catalog(
            models=dict(models),
            replicas=by_id,
            replicas_by_model={key: tuple(value) for key, value in by_model.items()},
            replicas_by_tier={key: tuple(value) for key, value in by_tier.items()},
            aliases=dict(aliases or {}),
            rewrites=rewrites,
            default_tier=default_tier,
            escalate=escalate,
        )
