"""What happened to one request, as the facts that agents' hooks know: derived from the exchange's record, never kept beside it.

The names and fields are selfagency/agentsy's, in snake case. One list, wherever it is asked for: the log, `GET /api/events` and
`GET /api/routing/decisions/ID` all derive it from the same record, so they can not tell different stories.

Rule: the events of an exchange that is still open are a prefix of those that it will have had in the end. Whoever has sent some of
them sends the rest later, by counting. That is why the diagnostics, which are only known then, come last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


class PreModelCall(NamedTuple):
    """An attempt is about to be sent."""

    at: float
    """Seconds since the epoch."""
    attempt: int
    estimated_tokens: int
    """Of the prompt."""
    logical_model_id: str | None
    provider_id: str
    replica_id: str
    session_id: str | None
    """What the conversation is remembered under: an opaque digest. None where nothing binds it."""


class PostModelCall(NamedTuple):
    """An attempt ended well."""

    at: float
    attempt: int
    actual_tokens: int | None
    """Prompt and answer. None when nothing is known, which is not zero."""
    is_reported: bool
    """False when donut estimated the tokens because the upstream gave none."""
    cost_usd: float | None
    logical_model_id: str | None
    provider_id: str
    replica_id: str
    session_id: str | None


class ModelCallFailed(NamedTuple):
    """An attempt ended badly, or the client left before its end."""

    at: float
    attempt: int
    error: str
    """The failure kind: `connect`, `rate_limited` …"""
    message: str
    status: int | None
    """The upstream's, where it answered."""
    logical_model_id: str | None
    provider_id: str
    replica_id: str
    session_id: str | None


class ModelReplicaSwitched(NamedTuple):
    """The next attempt goes elsewhere."""

    at: float
    attempt: int
    """The new one."""
    from_replica_id: str
    to_replica_id: str
    to_provider_id: str
    logical_model_id: str | None
    """The new replica's."""
    because: str
    """The failure kind that made it leave."""
    session_id: str | None


class ModelSelectionDiagnostics(NamedTuple):
    """What the last decision saw."""

    at: float
    attempted_replica_ids: tuple[str, ...]
    candidate_count: int
    """Those that could have answered, and those that a gate kept out."""
    rejected_candidates: tuple[dict[str, Any], ...]
    """`{id, reasons, score}`; a rejected candidate was never scored, so its score is None."""
    selected_replica_id: str | None
    """None: refused."""
    selection_time_ms: float | None
    """None where nobody measured it: two more looks at the clock for every request."""
    tier: str | None
    session_id: str | None


Event = PreModelCall | PostModelCall | ModelCallFailed | ModelReplicaSwitched | ModelSelectionDiagnostics
EVENT_NAMES: tuple[str, ...] = ("PreModelCall", "PostModelCall", "ModelCallFailed", "ModelReplicaSwitched", "ModelSelectionDiagnostics")


def told(event: Event) -> dict[str, Any]:
    """The event in plain values, its name first."""
    return {"event": type(event).__name__, **event._asdict()}


def events_of(exchange: Mapping[str, Any], *, is_open: bool = False) -> list[Event]:
    """What happened, in order. `exchange` is as the journal gives it back: its columns, `attempts`, and `decision` as told.

    `is_open`: the last attempt is under way, and nothing is known of how it ends.
    """
    attempts: Sequence[Mapping[str, Any]] = exchange["attempts"]
    events: list[Event] = []
    for index, attempt in enumerate(attempts):
        if index:
            events.append(_switched(exchange, attempts[index - 1], attempt))
        events.append(_before(exchange, attempt))
        if not (is_open and index == len(attempts) - 1):
            events.append(_after(exchange, attempt))
    if not is_open:
        events.extend(_diagnostics(exchange, attempts))
    return events


def _before(exchange: Mapping[str, Any], attempt: Mapping[str, Any]) -> PreModelCall:
    return PreModelCall(
        at=attempt["started_at"],
        attempt=attempt["number"],
        estimated_tokens=exchange["input_tokens_estimated"],
        logical_model_id=_model_of(exchange, attempt),
        provider_id=attempt["provider_id"],
        replica_id=attempt["replica_id"],
        session_id=_session(exchange),
    )


def _after(exchange: Mapping[str, Any], attempt: Mapping[str, Any]) -> PostModelCall | ModelCallFailed:
    ended_at = attempt["started_at"] + attempt["total_s"]
    if attempt["failure_kind"] is not None:
        return ModelCallFailed(
            at=ended_at,
            attempt=attempt["number"],
            error=attempt["failure_kind"],
            message=attempt["failure_message"] or "",
            status=attempt["upstream_status"],
            logical_model_id=_model_of(exchange, attempt),
            provider_id=attempt["provider_id"],
            replica_id=attempt["replica_id"],
            session_id=_session(exchange),
        )
    tokens = attempt["reported"] or attempt["estimated"]
    return PostModelCall(
        at=ended_at,
        attempt=attempt["number"],
        actual_tokens=_total(tokens) if tokens else None,
        is_reported=attempt["reported"] is not None,
        cost_usd=attempt["cost_usd"],
        logical_model_id=_model_of(exchange, attempt),
        provider_id=attempt["provider_id"],
        replica_id=attempt["replica_id"],
        session_id=_session(exchange),
    )


def _switched(exchange: Mapping[str, Any], left: Mapping[str, Any], taken: Mapping[str, Any]) -> ModelReplicaSwitched:
    return ModelReplicaSwitched(
        at=taken["started_at"],
        attempt=taken["number"],
        from_replica_id=left["replica_id"],
        to_replica_id=taken["replica_id"],
        to_provider_id=taken["provider_id"],
        logical_model_id=_model_of(exchange, taken),
        because=left["failure_kind"] or "unknown",
        session_id=_session(exchange),
    )


def _diagnostics(exchange: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> Iterator[ModelSelectionDiagnostics]:
    """One where a decision was made at all; a request that was refused for its own faults never got so far."""
    decision = exchange.get("decision")
    if not decision:
        return
    rejected = decision.get("rejected_candidates") or ()
    demand = decision.get("demand") or {}
    yield ModelSelectionDiagnostics(
        at=exchange["started_at"] + exchange["total_s"],
        attempted_replica_ids=tuple(attempt["replica_id"] for attempt in attempts),
        candidate_count=len(decision.get("candidates") or ()) + len(rejected),
        rejected_candidates=tuple({"id": reject["id"], "reasons": [reject["reason"]], "score": None} for reject in rejected),
        selected_replica_id=decision.get("replica_id"),
        selection_time_ms=None,
        tier=demand.get("tier") or exchange["tier"],
        session_id=_session(exchange),
    )


def _model_of(exchange: Mapping[str, Any], attempt: Mapping[str, Any]) -> str | None:
    """The logical model of an attempt's replica, from whatever part of the record knows it; None where none does."""
    replica_id = attempt["replica_id"]
    decision = exchange.get("decision") or {}
    target = decision.get("target") or {}
    known: dict[str, str | None] = {each["replica_id"]: each.get("logical_model_id") for each in decision.get("candidates") or ()}
    if replica_id == exchange["replica_id"]:
        known[replica_id] = exchange["logical_model_id"]
    named = target.get("id") if target.get("kind") == "model" else None
    return attempt.get("logical_model_id") or known.get(replica_id) or named


def _session(exchange: Mapping[str, Any]) -> str | None:
    return exchange.get("affinity_key")


def _total(tokens: Mapping[str, int]) -> int:
    """Reasoning is a part of output, and not counted again."""
    return tokens["input_uncached"] + tokens["cache_read"] + tokens["cache_write"] + tokens["output"]
