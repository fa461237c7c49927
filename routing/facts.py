"""What the outside world tells the core, in past participles, and the one table of failure kinds that everyone reads."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from routing.headroom.counters import CounterKey
from routing.headroom.types import ReportedLimit
from routing.types import Usage


class FailureKind(enum.StrEnum):
    CONNECT = "connect"
    """No connection, no TLS session, no name: nothing of the request was answered."""
    OVERLOADED = "overloaded"
    """5xx, 529, or an overload error inside a 200."""
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    """401 or 403 from the upstream: our credential is the trouble, never the caller's."""
    QUOTA_EXHAUSTED = "quota_exhausted"
    """The account has no money or plan left (402, and under many other statuses): a person has to act. An allowance that comes back by
    itself is RATE_LIMITED, however long that takes."""
    NOT_FOUND = "not_found"
    """The upstream does not know the model: the entry is wrong, another replica may be right."""
    UNSPOKEN = "unspoken"
    """There is no such endpoint: the upstream does not speak this dialect after all. Of its others that says nothing."""
    BAD_REQUEST = "bad_request"
    CONTENT_POLICY = "content_policy"
    """The upstream will not answer *this*. Nobody else is asked: donut does not shop for a laxer host."""
    CONTEXT_TOO_LONG = "context_too_long"
    REQUEST_TOO_LARGE = "request_too_large"
    """It never fits here, though it may fit the window: larger than a whole minute's tokens, than the budget left, than the body limit."""
    STALLED = "stalled"
    """A deadline passed: first byte, silence between bytes, or the whole exchange."""
    CUT = "cut"
    """The connection ended before the answer did."""
    PROTOCOL = "protocol"
    """What came back is not HTTP, or not the dialect."""
    UNTRANSLATABLE = "untranslatable"
    """The request means something that the replica's dialect cannot say. Nothing was sent."""
    CLIENT_GONE = "client_gone"


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """The three questions that a kind alone answers (STYLE.md, "Failure kinds")."""

    try_elsewhere: bool
    """May another replica of the same logical model answer instead, before commit?"""
    blames_replica: bool
    """Does it count against the replica's health?"""
    client_status: int | None
    """What the client sees when nothing else answers; None passes the upstream's own status through."""
    error_code: str
    """The stable code in donut's own error bodies (OpenRouter's `error_type` vocabulary where it has the word)."""


FAILURES: Mapping[FailureKind, FailurePolicy] = {
    FailureKind.CONNECT: FailurePolicy(True, True, 502, "provider_unavailable"),
    FailureKind.OVERLOADED: FailurePolicy(True, True, 503, "provider_overloaded"),
    # Not the replica's fault: its headroom is zero until the reset, which the health table keeps apart from ejection.
    FailureKind.RATE_LIMITED: FailurePolicy(True, False, 429, "rate_limit_exceeded"),
    # 502, not 401: the caller's key was fine; a harness that sees 401 asks its user to log in again.
    FailureKind.UNAUTHORIZED: FailurePolicy(True, True, 502, "provider_credentials_rejected"),
    # 502 again: the caller owes nobody anything, and would be told by its harness to buy credit.
    FailureKind.QUOTA_EXHAUSTED: FailurePolicy(True, True, 502, "provider_quota_exhausted"),
    FailureKind.NOT_FOUND: FailurePolicy(True, True, 404, "model_not_found"),
    FailureKind.UNSPOKEN: FailurePolicy(True, False, 404, "unsupported_endpoint"),
    FailureKind.BAD_REQUEST: FailurePolicy(False, False, None, "invalid_request"),
    FailureKind.CONTENT_POLICY: FailurePolicy(False, False, None, "content_policy_violation"),
    FailureKind.CONTEXT_TOO_LONG: FailurePolicy(True, False, None, "context_length_exceeded"),
    # 413, not the upstream's 429: to wait and send the same again can not help, and clients do that at a 429.
    FailureKind.REQUEST_TOO_LARGE: FailurePolicy(True, False, 413, "payload_too_large"),
    FailureKind.STALLED: FailurePolicy(True, True, 504, "provider_timeout"),
    FailureKind.CUT: FailurePolicy(True, True, 502, "provider_disconnected"),
    FailureKind.PROTOCOL: FailurePolicy(True, True, 502, "provider_invalid_response"),
    FailureKind.UNTRANSLATABLE: FailurePolicy(True, False, 400, "untranslatable_request"),
    FailureKind.CLIENT_GONE: FailurePolicy(False, False, 499, "client_gone"),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One upstream failure as data: what kind, how long to stay away, and words for a person."""

    kind: FailureKind
    message: str
    retry_after_s: float | None = None
    upstream_status: int | None = None

    @property
    def policy(self) -> FailurePolicy:
        return FAILURES[self.kind]


class FirstToken(NamedTuple):
    """The first content event of an attempt arrived `ttft_s` seconds after the attempt was sent."""

    reservation: int
    ttft_s: float


class AttemptFinished(NamedTuple):
    """The attempt ended well; its reservation is settled with what it really used."""

    reservation: int
    usage: Usage
    output_tokens_counted: int = 0
    """What donut would have estimated, before calibration: answers that report usage teach it how far off that is."""


class AttemptFailed(NamedTuple):
    """The attempt ended badly, or the client left; its reservation is settled."""

    reservation: int
    failure: Failure
    usage: Usage | None = None


class LimitsReported(NamedTuple):
    """What a provider said of its limits, with one answer of one replica."""

    replica_id: str
    limits: tuple[ReportedLimit, ...]


class SharedUsed(NamedTuple):
    """What all processes together used and hold of one counter, as the store that they share counts it (`limits.counted`)."""

    counter: CounterKey
    used: int


class HealthReset(NamedTuple):
    """A person says that a replica is well: whatever was held against it is forgotten."""

    replica_id: str


class HealthTold(NamedTuple):
    """What another process believes, or this one did before it was restarted. The later deadline wins; nothing is counted as a failure."""

    replica_id: str
    ejected_until_s: float
    """`now_s`; in the past: not ejected."""
    limited_until_s: float
    reason: str


Fact = FirstToken | AttemptFinished | AttemptFailed | LimitsReported | SharedUsed | HealthReset | HealthTold
