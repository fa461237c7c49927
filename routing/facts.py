"""What the outside world tells the core, in past participles, and the one table of failure kinds that everyone reads."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from routing.types import Usage


class FailureKind(enum.StrEnum):
    CONNECT = "connect"
    """No connection, no TLS session, no name: nothing of the request was answered."""
    OVERLOADED = "overloaded"
    """5xx, 529, or an overload error inside a 200."""
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    """401, 402 or 403 from the upstream: our credential is the trouble, never the caller's."""
    NOT_FOUND = "not_found"
    """The upstream does not know the model: the entry is wrong, another replica may be right."""
    BAD_REQUEST = "bad_request"
    CONTEXT_TOO_LONG = "context_too_long"
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
    FailureKind.NOT_FOUND: FailurePolicy(True, True, 404, "model_not_found"),
    FailureKind.BAD_REQUEST: FailurePolicy(False, False, None, "invalid_request"),
    FailureKind.CONTEXT_TOO_LONG: FailurePolicy(True, False, None, "context_length_exceeded"),
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


class HeadroomMeasured(NamedTuple):
    """What is left before the tightest limit of a replica, as a share in [0, 1], until that limit's window ends."""

    replica_id: str
    headroom: float
    until_s: float | None = None


Fact = FirstToken | AttemptFinished | AttemptFailed | HeadroomMeasured
