"""Records for the journal's tests: every field set, every value different."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proxy.journal.records import AttemptRecord, ExchangeRecord, Status
from proxy.journal.rows import Rows, rows_of
from routing.types import Usage
from tests.playbook import catalog_of, demand_for, replica, router_for

START_S = 1_793_491_200.0
"""2026-11-01T00:00:00Z"""

DECISION: dict[str, Any] = {
    "kind": "dispatch",
    "logical_model_id": "qwen3-coder-30b",
    "replica_id": "box/up",
    "target": {"kind": "model", "id": "qwen3-coder-30b", "because": "the client named it"},
    "selected_because": ["it is local", "it answers fastest"],
    "candidates": [
        {"replica_id": "box/up", "score": 0.9, "factors": {"local": 1.0, "latency": 0.7}},
        {"replica_id": "cloud/up", "score": 0.4, "factors": {"local": 0.0, "latency": 0.9}},
    ],
    "weights": {"local": 2.0, "latency": 1.0},
    "rejected_candidates": [{"id": "old/up", "reason": "ejected", "detail": "3 failures in a row", "until": START_S + 30}],
    "panic": False,
    "spilled_from": None,
    "notes": ["a probe is due"],
    "retry_after_s": None,
}


def attempt(number: int = 1, **changes: Any) -> AttemptRecord:
    fields: dict[str, Any] = {
        "number": number,
        "replica_id": "box/up",
        "provider_id": "box",
        "upstream_model": "up",
        "started_at": START_S + number,
        "upstream_status": 200,
        "upstream_request_id": f"req_{number}",
        "connection_reused": True,
        "queue_s": 0.001,
        "connect_s": 0.002,
        "ttft_s": 0.25,
        "between_tokens_s": 0.01,
        "total_s": 1.5,
        "usage": Usage(input_uncached=70, cache_read=20, cache_write=10, output=40, reasoning=5),
        "cost_usd": 0.0123,
        "price_version": "config",
    }
    return AttemptRecord(**{**fields, **changes})


def exchange(number: int = 0, **changes: Any) -> ExchangeRecord:
    fields: dict[str, Any] = {
        "id": f"d{number:06d}",
        "request_id": f"r{number:06d}",
        "started_at": START_S + number,
        "dialect": "chat",
        "requested_model": "auto",
        "harness": "codex",
        "client_key": "laptop",
        "stream": True,
        "input_tokens_estimated": 80,
        "http_status": 200,
        "logical_model_id": "qwen3-coder-30b",
        "replica_id": "box/up",
        "provider_id": "box",
        "tier": "mid",
        "use_case": "code",
        "total_s": 2.5,
        "bytes_in": 111,
        "bytes_out": 222,
        "decision": DECISION,
        "summary": "box/up: local and fast",
        "attempts": [attempt()],
        "affinity_key": f"a{number:06d}",
        "idempotency_key": f"i{number:06d}",
    }
    return ExchangeRecord(**{**fields, **changes})


def decided(number: int = 0, **changes: Any) -> ExchangeRecord:
    """With a decision of the router's, in words."""
    router = router_for(catalog_of(replica("box/up", is_local=True), replica("cloud/up"), replica("old/up", dialects=("embeddings",))))
    record = exchange(number, decision=None, summary="", last_decision=router.decide(demand_for(), 0.0), **changes)
    record.describe()
    return record


WHOLE: dict[str, Any] = {
    "kind": "dispatch",
    "target": {"kind": "model", "id": "bench-model", "because": "the client named it"},
    "demand": {
        "use_case": "chat",
        "objective": "balanced",
        "dialect": "chat",
        "harness": "unknown",
        "input_tokens": 550,
        "output_tokens": 64,
        "requested_model": "bench-model",
    },
    "logical_model_id": "bench-model",
    "replica_id": "a/up-model",
    "ids": ["a/up-model", "b/up-model"],
    "model_ids": ["bench-model", "bench-model"],
    "scores": [4.983333333333333, 4.550000000000001],
    "factors": {"cost": [1.0, 1.0], "latency": [0.75, 0.5], "load": [0.3333333333333333, 1.0], "affinity": [1.0, 0.0]},
    "neutrals": {"affinity": 0.0, "context": 1.0},
    "weights": {"affinity": 0.6, "context": 1.0, "cost": 0.2, "latency": 0.5, "load": 0.25},
}
"""A decision as journals have it that were written before 22 November 2026: with whole columns."""


def in_rows(records: Iterable[ExchangeRecord]) -> list[Rows]:
    """As a store takes them."""
    return list(map(rows_of, records))


def refused(number: int = 0) -> ExchangeRecord:
    """What donut itself said no to: no model, no replica, no attempt, no decision."""
    return ExchangeRecord(
        id=f"d{number:06d}",
        request_id=f"d{number:06d}",
        started_at=START_S + number,
        dialect="chat",
        requested_model="nonsense",
        status=Status.REFUSED,
        http_status=404,
        error_code="model_not_found",
        error_message="nothing serves nonsense",
    )
