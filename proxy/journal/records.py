"""What the journal remembers: one ExchangeRecord per client request, one AttemptRecord per try. No prompts, no answers, no keys.

A field that has a default is the class's until it is set: most requests end with half of the fifty fields as they began, and setting
them all was 110 of the bytecodes between a request and its answer.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.layout import laid_out
from routing import explain
from routing.facts import FailureKind
from routing.types import Decision, Usage


class Status(enum.StrEnum):
    """How an exchange or an attempt ended."""

    OK = "ok"
    UPSTREAM_ERROR = "upstream_error"
    TRUNCATED = "truncated"
    """The upstream's answer ended before its terminal event, after commit."""
    CLIENT_GONE = "client_gone"
    REFUSED = "refused"
    """donut itself said no: nothing could take it, or the request was wrong."""
    INTERNAL_ERROR = "internal_error"
    """A bug in donut. Never expected; counted so that it is seen."""


@laid_out
@dataclass(init=False)
class AttemptRecord:
    number: int
    """1 for the first try."""
    replica_id: str
    provider_id: str
    upstream_model: str
    started_at: float
    """Seconds since the epoch."""
    status: Status = Status.OK
    failure_kind: str | None = None
    failure_message: str | None = None
    upstream_status: int | None = None
    upstream_request_id: str | None = None
    connection_reused: bool = False
    queue_s: float = 0.0
    connect_s: float = 0.0
    ttft_s: float | None = None
    """From the attempt's start to the first content byte."""
    between_tokens_s: float | None = None
    """Mean gap between content events after the first."""
    total_s: float = 0.0
    usage: Usage | None = None
    """None when nothing was generated as far as donut saw."""
    cost_usd: float | None = None
    """None when the price is unknown: never zero for want of a price."""
    price_version: str | None = None

    def __init__(self, number: int, replica_id: str, provider_id: str, upstream_model: str, started_at: float, **others: Any) -> None:
        self.number = number
        self.replica_id = replica_id
        self.provider_id = provider_id
        self.upstream_model = upstream_model
        self.started_at = started_at
        if others:
            _set(self, others)

    @property
    def is_tried(self) -> bool:
        """Did it fail in a way that another replica might not? The request's own faults are the same everywhere."""
        return self.status is not Status.OK and self.failure_kind not in (FailureKind.BAD_REQUEST, FailureKind.CONTENT_POLICY)


@laid_out
@dataclass(init=False)
class ExchangeRecord:
    id: str
    """The decision id: what `x-donut-decision` shows and `donut explain` takes."""
    request_id: str
    started_at: float
    dialect: str
    requested_model: str = ""
    """Until the body was read there is none."""
    harness: str = "unknown"
    client_key: str | None = None
    """The name of the client key, never the key."""
    stream: bool = False
    input_tokens_estimated: int = 0
    status: Status = Status.OK
    http_status: int = 0
    logical_model_id: str | None = None
    replica_id: str | None = None
    provider_id: str | None = None
    tier: str | None = None
    use_case: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    total_s: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    last_decision: Decision | None = None
    """As the router made it. `describe` puts it into plain values, behind the queue: no request waits for words."""
    decision: dict[str, Any] | None = None
    """`routing.explain.as_record` of the last decision; `routing.explain.told` makes it readable."""
    summary: str = ""
    """The decision in one line of English."""
    attempts: list[AttemptRecord] = field(default_factory=list)
    affinity_key: str | None = None
    """The digest under which the conversation is remembered."""
    idempotency_key: str | None = None
    """The digest of the client's key."""

    def __init__(self, id: str, request_id: str, started_at: float, dialect: str, client_key: str | None = None, **others: Any) -> None:
        self.id = id
        self.request_id = request_id
        self.started_at = started_at
        self.dialect = dialect
        self.client_key = client_key
        self.attempts = []
        if others:
            _set(self, others)

    def describe(self) -> None:
        """Fill `decision` and `summary` from `last_decision`."""
        decision = self.last_decision
        if decision is not None:
            self.decision, self.summary = explain.described(decision)
            self.last_decision = None


def _set(record: AttemptRecord | ExchangeRecord, others: Mapping[str, Any]) -> None:
    """Raises TypeError for what is no field of it."""
    for name, value in others.items():
        if name not in record.__dataclass_fields__:
            raise TypeError(f"{name} is no field of {type(record).__name__}")
        setattr(record, name, value)
