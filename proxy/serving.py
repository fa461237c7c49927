"""Everything a request needs, as finished values: made by `config.compose`, replaced whole on reload, never changed.

An exchange keeps the `Serving` it began with, so a reload in the middle of a stream breaks nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from providers.dialects import Dialect
from providers.ports import ProviderKind
from providers.transport.port import Deadlines, Headers, Origin, Transport
from proxy.auth import KeyRing
from proxy.headers import AnswerHead
from proxy.memory import Memory
from proxy.terms import ClientTerms
from routing.policies import PolicyBook
from routing.resolve import UnknownModel, resolve
from routing.router import Router
from routing.turns import Classifies
from routing.types import LocalPreference, ModelReplica, Objective, Target

NAMES_REMEMBERED = 4096
"""Resolved names kept per Serving. Clients choose the names, so the table is bounded; beyond it, names are resolved anew."""

HEADS_REMEMBERED = 64
"""Kinds of answers' heads kept per upstream: most send two or three, and none may fill the memory."""


class OnDisconnect(enum.StrEnum):
    """What happens to the upstream's answer when the client leaves a stream after commit, or an answer in one piece at any time."""

    CANCEL = "cancel"
    """Close the upstream connection; bill the estimate."""
    DRAIN = "drain"
    """Read on, within limits, until the upstream reports usage."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """How one replica is reached. Everything that can be computed once is."""

    replica: ModelReplica
    kind: ProviderKind
    transport: Transport
    origin: Origin
    targets: Mapping[str, bytes]
    """Dialect → request target."""
    stream_targets: Mapping[str, bytes]
    """The same for requests that ask for a stream."""
    headers: Headers
    """Auth and static headers."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    on_disconnect: OnDisconnect = OnDisconnect.CANCEL
    drain_s: float = 30.0
    drain_max_concurrent: int = 4
    answer_headers: Headers = field(default_factory=list)
    """`x-donut-model`, `-replica`, `-tier`: the part of donut's answer headers that the replica decides."""
    answer_lines: bytes = b""
    """The same as lines of a head."""
    absent: dict[str, float] = field(default_factory=dict)
    """Dialects whose endpoint was not there → when it is looked for again, on the gateway's clock."""
    heads: dict[tuple[bytes, ...], AnswerHead] = field(default_factory=dict)
    """The names in an answer's head → what that head says; `new_head` makes what is missing."""

    def new_head(self, names: tuple[bytes, ...]) -> AnswerHead:
        if len(self.heads) >= HEADS_REMEMBERED:
            self.heads.clear()
        head = self.heads[names] = AnswerHead(names, self.kind.signals.marks)
        return head

    def absent_at(self, now_s: float) -> Collection[str]:
        return [dialect for dialect, until_s in self.absent.items() if now_s < until_s] if self.absent else ()


@dataclass(frozen=True, slots=True)
class Limits:
    body_bytes: int = 32 * 1024 * 1024
    prelude_events: int = 64
    prelude_bytes: int = 256 * 1024
    prelude_s: float = 20.0
    keepalive_s: float = 15.0
    """Silence in a stream after which its client gets a sign of life; 0: never."""
    deadline_s: float = 600.0
    """From the request's arrival to its first content byte, over all attempts."""
    max_attempts: int = 4


@dataclass(frozen=True, slots=True)
class Serving:
    router: Router
    upstreams: Mapping[str, Upstream]
    keys: KeyRing
    limits: Limits = field(default_factory=Limits)
    local_preference: LocalPreference = LocalPreference.PREFERRED
    objective: Objective = Objective.AUTO
    """What to optimise for when neither the request nor its policy says."""
    classifier: Classifies | None = None
    """None: nothing is classified, and what is left open gets the default tier."""
    policies: PolicyBook = field(default_factory=PolicyBook)
    strips_foreign_reasoning: bool = False
    """May reasoning that nobody served can read be taken out of a request? Else the request is refused."""
    memory: Memory = field(default_factory=Memory)
    """Outlives this Serving, as the router's fleet does."""
    allowed_hosts: frozenset[str] | None = None
    """Host names that may be asked for; None when any is fine (a bind that is not loopback, which needs keys)."""
    dialects: Mapping[str, Dialect] = field(default_factory=dict)
    """By name: those into which requests may have to be translated."""
    translations: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Dialect → others into which its requests can be translated."""
    clients: Mapping[str, ClientTerms] = field(default_factory=dict)
    """Name of a client's key → what it is held to; those who may do everything are not in it."""
    tells_limits: bool = False
    """Is there a limit that an answer's headers could tell of?"""
    _names: dict[str, Target | UnknownModel] = field(default_factory=dict)

    def resolve(self, name: str) -> Target | UnknownModel:
        found = self._names.get(name)
        if found is None:
            found = resolve(name, self.router.catalog)
            if len(self._names) < NAMES_REMEMBERED:
                self._names[name] = found
        return found
