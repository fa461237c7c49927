"""A router's story as a script: `>>` is what happens, `<<` is what the router is expected to say to it.

    assert (
        Playbook("a", "b")
        >> Asked()
        << Dispatched("a")
        >> Failed("a", FailureKind.CONNECT)
        >> Asked(tried=("a",))
        << Dispatched("b")
    )

The production router with every shipped gate and factor, a clock that only `Waited` moves, and attempts that are called by the name of
the replica they went to. The first answer that differs ends the story with a diff of the whole of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from config.criteria import discover_criteria
from routing.criteria import Tuning
from routing.facts import AttemptFailed, AttemptFinished, Fact, Failure, FailureKind, FirstToken, LimitsReported
from routing.fleet import Fleet
from routing.headroom.types import ReportedLimit, ReportedScope, Unit
from routing.router import Router
from routing.types import (
    Capability,
    Catalog,
    Decision,
    Demand,
    Dispatch,
    Escalation,
    LogicalModel,
    ModelReplica,
    ModelTier,
    RejectReason,
    Target,
    TargetKind,
    Usage,
)

CRITERIA = discover_criteria()
GATES, FACTORS, SELECTORS = CRITERIA.gates, CRITERIA.factors, CRITERIA.selectors
ALL_CAPABILITIES = int(sum(Capability))
MODEL = "m"


def replica(id_: str, model: str = MODEL, tier: ModelTier = ModelTier.MID, **more: Any) -> ModelReplica:
    """A healthy replica that can do everything; its provider is its own id up to a slash."""
    values: dict[str, Any] = {"is_local": False, "dialects": ("chat",), "capability_bits": ALL_CAPABILITIES, **more}
    return ModelReplica(id_, id_.partition("/")[0], id_.rpartition("/")[2], model, tier, **values)


def catalog_of(*replicas: ModelReplica, models: Sequence[LogicalModel] = (), **more: Any) -> Catalog:
    """`models`: those of whom more is known than their tier."""
    known = {each.logical_model_id: LogicalModel(each.logical_model_id, each.tier) for each in replicas}
    return Catalog.build(known | {model.id: model for model in models}, replicas, **more)


def router_for(catalog: Catalog, fleet: Fleet | None = None, **more: Any) -> Router:
    """As `serve` makes it: all the gates, factors and selectors there are. `more`: of a `Tuning`."""
    return Router(catalog, CRITERIA, Tuning(**more), fleet)


def for_model(id_: str = MODEL) -> Target:
    return Target(TargetKind.MODEL, id_)


def for_tier(tier: ModelTier) -> Target:
    return Target(TargetKind.TIER, tier.value, "the client named it")


def for_replica(id_: str) -> Target:
    return Target(TargetKind.REPLICA, id_)


def demand_for(target: Target | None = None, **more: Any) -> Demand:
    return Demand("chat", target or for_model(), "what the client wrote", **more)


def share_left(share: float, for_s: float | None = None) -> ReportedLimit:
    """As a provider tells it of one replica, for so many seconds."""
    return ReportedLimit("requests", Unit.REQUESTS, ReportedScope.MODEL, most=1e6, left=share * 1e6, resets_in_s=for_s)


# What happens


@dataclass(frozen=True)
class Asked:
    """`decide` is asked; what is not said about the demand is plain."""

    target: Target = field(default_factory=for_model)
    tried: tuple[str, ...] = ()
    wants: dict[str, Any] = field(default_factory=dict)
    """More fields of the Demand."""
    panicked: bool = False
    """Was an earlier attempt of this exchange sent in panic?"""

    def __str__(self) -> str:
        return f"asked for {self.target.id}" + (f" {self.wants}" if self.wants else "") + (f", tried {self.tried}" if self.tried else "")


@dataclass(frozen=True)
class Began:
    """The first token of the oldest open attempt on a replica came."""

    on: str
    ttft_s: float

    def __str__(self) -> str:
        return f"{self.on} began to answer after {self.ttft_s:g} s"


@dataclass(frozen=True)
class Finished:
    on: str
    attempt: int = 0
    """Among the open attempts on that replica: 0 is the oldest, -1 the newest."""

    def __str__(self) -> str:
        return f"{self.on} finished"


@dataclass(frozen=True)
class Failed:
    on: str
    kind: FailureKind
    retry_after_s: float | None = None
    attempt: int = 0
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.on} failed: {self.kind}" + (f", retry after {self.retry_after_s:g} s" if self.retry_after_s is not None else "")


@dataclass(frozen=True)
class Counted:
    """A provider says what is left before a replica's limit, and for how many seconds that holds."""

    on: str
    headroom: float
    for_s: float | None = None

    def __str__(self) -> str:
        return f"{self.on} has {self.headroom:.0%} left" + (f" for {self.for_s:g} s" if self.for_s is not None else "")


@dataclass(frozen=True)
class Waited:
    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:g} s passed"


@dataclass(frozen=True)
class Reloaded:
    """Another catalog; what is believed about the fleet stays."""

    replicas: tuple[ModelReplica, ...]

    def __str__(self) -> str:
        return f"reloaded with {', '.join(each.id for each in self.replicas)}"


Event = Asked | Began | Finished | Failed | Counted | Waited | Reloaded


# What is said to it


@dataclass(frozen=True)
class Dispatched:
    to: str
    panic: bool = False
    spilled_from: ModelTier | None = None
    notes: tuple[str, ...] = ()
    escalation: Escalation | None = None

    def __str__(self) -> str:
        more = [f"spilled from {self.spilled_from}"] if self.spilled_from else []
        more += [self.escalation.value] if self.escalation else []
        more += ["in panic"] if self.panic else []
        return ", ".join([f"dispatched to {self.to}", *more, *self.notes])


@dataclass(frozen=True)
class Refused:
    reason: RejectReason | None
    retry_after_s: float | None = None

    def __str__(self) -> str:
        return f"refused: {self.reason or 'nothing serves it'}" + (f", retry after {self.retry_after_s:g} s" if self.retry_after_s else "")


Expectation = Dispatched | Refused


def said(decision: Decision) -> Expectation:
    if isinstance(decision, Dispatch):
        evidence = decision.evidence
        return Dispatched(decision.replica.id, evidence.panic, evidence.spilled_from, evidence.notes, evidence.escalation)
    wait = decision.retry_after_s
    return Refused(decision.reason, None if wait is None else round(wait, 6))


class Playbook:
    """See the module. Takes replicas, or plain ids for plain ones."""

    def __init__(self, *replicas: ModelReplica | str, now_s: float = 1000.0, catalog: dict[str, Any] | None = None, **router: Any) -> None:
        """`catalog` and `router`: more for `catalog_of` and for `router_for`."""
        self.now_s = now_s
        served = [replica(each) if isinstance(each, str) else each for each in replicas]
        self.router = router_for(catalog_of(*served, **(catalog or {})), **router)
        self.decision: Decision | None = None
        self._open: dict[str, list[int]] = {}
        self._expected: list[str] = []
        self._happened: list[str] = []

    def __rshift__(self, event: Event) -> Playbook:
        self._note(f">> {event}", f">> {event}")
        match event:
            case Asked(target, tried, wants, panicked):
                self.decision = self.router.decide(demand_for(target, **wants), self.now_s, frozenset(tried), panicked=panicked)
                if isinstance(self.decision, Dispatch):
                    self._open.setdefault(self.decision.replica.id, []).append(self.decision.reservation)
            case Began(on, ttft_s):
                self._observe(FirstToken(self._open[on][0], ttft_s))
            case Finished(on, attempt):
                self._observe(AttemptFinished(self._open[on].pop(attempt), Usage(10, output=5)))
            case Failed(on, kind, retry_after_s, attempt, status):
                failure = Failure(kind, "as the script wants it", retry_after_s, status)
                self._observe(AttemptFailed(self._open[on].pop(attempt), failure))
            case Counted(on, headroom, for_s):
                self._observe(LimitsReported(on, (share_left(headroom, for_s),)))
            case Waited(seconds):
                self.now_s += seconds
            case Reloaded(replicas):
                self.router = router_for(catalog_of(*replicas), self.router.fleet)
        return self

    def __lshift__(self, expected: Expectation) -> Playbook:
        assert self.decision is not None, "nothing was asked"
        happened = said(self.decision)
        self._note(f"<< {expected}", f"<< {happened}")
        if expected != happened:
            raise AssertionError("the router said something else:\n" + "\n".join(difflib.ndiff(self._expected, self._happened)))
        return self

    def __bool__(self) -> bool:
        """A story that has been told to its end held: so that it can stand behind `assert`."""
        return True

    def _observe(self, fact: Fact) -> None:
        self.router.observe(fact, self.now_s)

    def _note(self, expected: str, happened: str) -> None:
        self._expected.append(expected)
        self._happened.append(happened)


def repeated(times: int, events: Sequence[Event | Expectation], playbook: Playbook) -> Playbook:
    """The same scene again and again."""
    for _ in range(times):
        for step in events:
            playbook = playbook << step if isinstance(step, Dispatched | Refused) else playbook >> step
    return playbook
