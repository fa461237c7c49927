"""Vocabulary of the core. Values only: nothing here waits, reads a clock or logs. DESIGN.md §1 defines the words.

What is made per request is a NamedTuple: as immutable as a frozen dataclass, and made in a third of the time.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from routing.ledger.terms import PLAIN, Terms

T = TypeVar("T")


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


class CallRole(enum.StrEnum):
    """What one call is to the harness that makes it. Known before its difficulty: a chore stays a chore, however long its input."""

    MAIN = "main"
    """A person's turn: what they asked for is classified."""
    CONTINUATION = "continuation"
    """A tool result goes back to the model: the turn's decision holds."""
    SUBAGENT = "subagent"
    """A person's turn of a conversation that an agent started: a conversation of its own."""
    CHORE = "chore"
    """Housekeeping of the harness: a title, a summary, a commit message, a topic check, who speaks next, a warm-up."""


class Objective(enum.StrEnum):
    """What a choice among models optimises for. Each but AUTO names a selector (routing/selectors)."""

    AUTO = "auto"
    COST = "cost"
    SPEED = "speed"
    COST_SPEED = "cost_speed"
    BALANCED = "balanced"
    QUALITY = "quality"
    PARETO = "pareto"


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
    cache_write_1h: float | None = None
    """Cache writes that live an hour, where they cost more than those of some minutes."""
    reasoning: float | None = None
    """Output tokens that are reasoning; None = what all output costs."""
    request: float | None = None
    """USD per request."""
    image: float | None = None
    """USD per image."""
    terms: Terms = PLAIN
    """When the figures are others: by prompt length, hour, date and service lane (routing/ledger/cost.py counts with them)."""


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
    quality: float | None = None
    """General capability from 0.0 to 1.0, on one scale for all models; None when nobody measured it."""
    output_tokens_per_s: float | None = None
    """What its usual hosts reach; None when unknown. What donut measured of a replica counts before it."""


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
    ledger_notes: tuple[str, ...] = ()
    """What the ledger says of it that the package does not, `quality 0.9 of manual`: told with every decision for it."""


class TargetKind(enum.StrEnum):
    REPLICA = "replica"
    MODEL = "model"
    TIER = "tier"
    POLICY = "policy"
    """A policy's ordered models and tiers, one after the other."""
    AUTO = "auto"
    """Open: the classifier and the policies say what it becomes. Never reaches `Router.decide`."""


class Target(NamedTuple):
    """What a model name stands for once it is resolved: one replica, one logical model, a tier or a policy."""

    kind: TargetKind
    id: str
    because: str = "the client named it"


class Classification(NamedTuple):
    """What the classifier made of one request. `difficulty` and `confidence` are in [0, 1]."""

    role: CallRole
    tier: ModelTier
    use_case: UseCase
    objective: Objective
    """Never AUTO: what the shape of the task suggests."""
    difficulty: float
    confidence: float
    chore: str | None = None
    """Which one, when `role` is CHORE: `title`, `summary`, `commit_message`, `topic_check`, `next_speaker`, `warm_up` …"""
    reasons: tuple[str, ...] = ()
    """Plain phrases, strongest first."""
    turn_tier: ModelTier | None = None
    """What the turn's own words asked for, where an agent's steps moved `tier` for this very call; None where they did not."""


class Demand(NamedTuple):
    """What one request needs, without its text.

    The order of the fields: first what plans are made by (`candidates.STANDING`), then what else a client says in one request after
    the other, last what is of this request alone.
    """

    dialect: str
    target: Target
    requested_model: str
    capability_bits: int = 0
    use_case: UseCase = UseCase.CHAT
    objective: Objective = Objective.AUTO
    classification: Classification | None = None
    """None where nothing was left open: a model was named."""
    local_preference: LocalPreference = LocalPreference.PREFERRED
    excluded_providers: frozenset[str] = frozenset()
    made_by: str | None = None
    """The provider whose encrypted reasoning or stored response this request carries: no other can read it."""
    translatable_to: frozenset[str] = frozenset()
    """Other dialects into which the request may be translated for a replica that does not speak its own."""
    models_allowed: tuple[str, ...] = ()
    """Patterns of logical models and replicas that the client's key is for; empty = all."""
    output_tokens_estimated: int = 0
    stream: bool = False
    harness: str = "unknown"
    client: str | None = None
    """The name of the client's key."""
    policy: str | None = None
    """The name of the policy that applies, if any."""
    max_cost_usd: float | None = None
    """Ceiling for this request, estimated before it is sent."""
    notes: tuple[str, ...] = ()
    """What was done on the way to this demand that a reader of the decision should know."""
    output_tokens_max: int | None = None
    """What the request itself allows; None where it sets no limit."""
    input_tokens_estimated: int = 0
    affinity_keys: tuple[str, ...] = ()
    """Under which the conversation is remembered, most specific first; opaque digests."""

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
    NOT_ALLOWED = "not_allowed"
    """The client's key is not for this model."""
    NOT_LOCAL = "not_local"
    LOCAL_DISABLED = "local_disabled"
    OTHER_ACCOUNT = "other_account"
    """The conversation holds encrypted reasoning or a stored response of another account."""
    LOW_QUALITY = "low_quality"
    """Known to be below the floor of the tier."""
    OVER_COST = "over_cost"
    NO_HEADROOM = "no_headroom"
    OVER_BUDGET = "over_budget"
    """Whoever asks may not spend so much, and nothing cheaper is to be asked instead."""
    OVER_ALLOWANCE = "over_allowance"
    """The same in tokens or requests."""
    TOO_DEAR = "too_dear"
    """For what is left of a budget; cheaper ones may answer."""
    RETRY_BUDGET = "retry_budget"
    """Too much of the traffic is retries already: one more would make the trouble worse."""


class Reject(NamedTuple):
    """One candidate that may not answer, and why. `until_s` is when the gate opens again, where that is known."""

    replica_id: str
    reason: RejectReason
    detail: str = ""
    until_s: float | None = None


class Escalation(enum.StrEnum):
    """Which way a demand left its tier."""

    UP = "up"
    DOWN = "down"


class Ranked(Protocol):
    """Where a ranking comes from, now or when it is first read."""

    @property
    def size(self) -> int:
        """How many are in it."""

    def ranking(self) -> Ranking: ...


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """What is known of everyone of a stage who passed its standing gates, but for what is in flight. In columns: position `i` is the same
    replica in all of them.

    Columns rather than a dict per candidate: fifty candidates and ten factors must fit in 40 µs, and nobody reads most decisions. All
    decisions share them until something is learned; then there are others, and these stay what they saw. So nobody may change
    them, and what is made of them can be kept by their identity.
    """

    ids: Sequence[str]
    logical_model_ids: Sequence[str]
    columns: Mapping[str, Sequence[float]]
    """Factor → one value in [0, 1] per candidate."""
    neutrals: Mapping[str, float]
    """Factor → its value for everyone whom a request gives no reason to be judged otherwise."""
    totals: Sequence[float]
    """Σ weight × value over `columns` and `neutrals`."""
    weights: Mapping[str, float]
    """Of all factors."""


class Ranking(NamedTuple):
    """Figures with what is in flight: what decisions of one moment share."""

    figures: Figures
    loads: Mapping[str, Sequence[float]]
    """Factor → one value per candidate, of those that depend on what is in flight."""
    totals: Sequence[float]
    """The figures', and Σ weight × value over `loads`."""

    @property
    def size(self) -> int:
        return len(self.totals)

    def ranking(self) -> Ranking:
        return self

    @property
    def columns(self) -> Mapping[str, Sequence[float]]:
        return {**self.figures.columns, **self.loads}


NOBODY = Ranking(Figures((), (), {}, {}, (), {}), {}, ())
NO_DEVIATIONS: Mapping[str, Mapping[int, float]] = {}


class Place(NamedTuple):
    """Where the chosen one of several stands among them."""

    position: int
    score: float
    top: float
    """The highest score that there is."""


class Evidence(NamedTuple):
    """What `decide` saw: the ranking with what this request adds to it, and the rejected ones with reasons.

    The properties put it together for whoever reads it; `routing.explain` turns it into the record that people and programs read.
    """

    demand: Demand
    weights: Mapping[str, float]
    ranked: Ranked
    stage: Target | None = None
    """Where the answer was found: the tier, the model or the policy's step; None in a refusal."""
    rejected: Sequence[Reject] = ()
    out: Set[int] = frozenset()
    """Positions in the ranking whose replicas are among `rejected`."""
    deviations: Mapping[str, Mapping[int, float]] = NO_DEVIATIONS
    """Factor → position → value, where it differs from the neutral one."""
    panic: bool = False
    """True when every candidate was ejected and the least bad one was chosen anyway (Envoy's and Finagle's word)."""
    spilled_from: ModelTier | None = None
    escalation: Escalation | None = None
    notes: tuple[str, ...] = ()
    place: Place | None = None
    """None where there was nobody else to be chosen, and in a refusal."""

    @property
    def target(self) -> Target:
        return self.demand.target

    @property
    def size(self) -> int:
        """How many candidates there are, without working out their figures."""
        return self.ranked.size - len(self.out)

    @property
    def candidates(self) -> Sequence[str]:
        """Ids of the eligible replicas, in the catalog's order; `explain.told` sorts them by merit."""
        return self._eligible(self.ranked.ranking().figures.ids)

    @property
    def logical_model_ids(self) -> Sequence[str]:
        """One per candidate."""
        return self._eligible(self.ranked.ranking().figures.logical_model_ids)

    @property
    def scores(self) -> Sequence[float]:
        """One per candidate: Σ weight × value over all factors."""
        return self._eligible(scores_of(self.ranked.ranking(), self.weights, self.deviations))

    @property
    def factors(self) -> Mapping[str, Sequence[float]]:
        """Factor → one value per candidate, those without a vote included."""
        ranking = self.ranked.ranking()
        found = {name: self._eligible(column) for name, column in ranking.columns.items()}
        for name, neutral in ranking.figures.neutrals.items():
            deviating = self.deviations.get(name, {})
            found[name] = self._eligible([deviating.get(i, neutral) for i in range(ranking.size)])
        return found

    def _eligible(self, column: Sequence[T]) -> Sequence[T]:
        out = self.out
        return [value for i, value in enumerate(column) if i not in out] if out else column


def scores_of(ranking: Ranking, weights: Mapping[str, float], deviations: Mapping[str, Mapping[int, float]]) -> list[float]:
    """One per position of the ranking, with what a request adds; those that are out included."""
    scores, neutrals = [*ranking.totals], ranking.figures.neutrals
    for name, deviating in deviations.items():
        weight, neutral = weights[name], neutrals[name]
        for i, value in deviating.items():
            scores[i] += weight * (value - neutral)
    return scores


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
    cache_write_1h: int = 0
    """The part of `cache_write` that lives an hour."""

    @property
    def input(self) -> int:
        return self.input_uncached + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class Policy:
    """A named way to answer open requests: which models or tiers in which order, at what cost, with which defaults."""

    name: str
    stages: tuple[Target, ...] = ()
    """Models and tiers in order; empty = the tier that the classifier says."""
    tiers: Mapping[str, ModelTier] = field(default_factory=dict)
    """Task type → tier, before the classifier's own: a use case (`code`), a role (`chore`), a chore (`title`)."""
    objective: Objective | None = None
    local_preference: LocalPreference | None = None
    max_cost_usd: float | None = None
    """Per request, estimated."""
    max_tokens: int | None = None
    """Asked of the upstream when the client set no limit itself."""
    temperature: float | None = None
    """The same."""


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
    policies: Mapping[str, Policy] = field(default_factory=dict)

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
        policies: Mapping[str, Policy] | None = None,
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
            policies=dict(policies or {}),
        )
