"""Prometheus metrics: facts of the gateway under `donut_*`. Counted in batches behind the journal's queue, never on the hot path.

Labels are closed vocabularies or names from config; nothing that a client can invent becomes a label.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proxy.access_log import demand_of
from proxy.gateway import Gateway
from proxy.journal.queue import QueueState
from proxy.journal.records import AttemptRecord, ExchangeRecord

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

TOKEN_TYPES = ("input", "cache_read", "cache_write", "output")
"""The first four fields of `Usage`; its fifth, reasoning, is a part of output."""

# OpenTelemetry's buckets for gen_ai.server.time_to_first_token, and Envoy's longer ones: local models think for a while.
TTFT_BUCKETS_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60)


Sums = defaultdict[tuple[Counter, tuple[str, ...]], float]


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._exchanges = self._counter("donut_exchanges", "Client requests, by how they ended.", "dialect", "status", "tier")
        self._attempts = self._counter("donut_attempts", "Tries on replicas, by how they ended.", "replica", "status", "failure")
        self._decisions = self._counter(
            "donut_decisions", "Decisions, by what the request was taken for and the tier that answered.", "tier", "use_case", "role"
        )
        self._refusals = self._counter("donut_refusals", "Decisions that found nobody, by the reason that stands for all.", "reason")
        self._spillovers = self._counter("donut_spillovers", "Decisions that left the tier they were meant for.", "source", "target")
        self._failovers = self._counter("donut_failovers", "Times that a replica was left for another, by why.", "replica", "failure")
        self._tokens = self._counter("donut_tokens", "Tokens; estimated: no upstream reported them.", "replica", "type", "source")
        self._cost = self._counter("donut_cost_usd", "Known cost in USD.", "replica")
        self._unpriced = self._counter("donut_unpriced_requests", "Attempts that used tokens whose price is unknown.", "replica")
        self._ttft = Histogram(
            "donut_ttft_seconds", "Time to the first content byte.", ["replica"], buckets=TTFT_BUCKETS_S, registry=self.registry
        )

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(name, help_, labels, registry=self.registry)

    def count(self, records: Sequence[ExchangeRecord]) -> None:
        """Take in finished exchanges, each once. Summed up first: a label costs more to look up than a number to add."""
        sums: Sums = defaultdict(float)
        for record in records:
            sums[self._exchanges, (record.dialect, record.status._value_, record.tier or "none")] += 1
            if record.decision is not None:
                self._count_decision(record, record.decision, sums)
            for attempt in record.attempts:
                self._count_attempt(attempt, sums)
            for attempt in record.attempts[:-1]:
                sums[self._failovers, (attempt.replica_id, attempt.failure_kind or "none")] += 1
        for (counter, labels), amount in sums.items():
            counter.labels(*labels).inc(amount)

    def _count_decision(self, record: ExchangeRecord, decision: Mapping[str, Any], sums: Sums) -> None:
        """`decision` is `routing.explain.as_record`'s, the last one of the exchange."""
        tier = record.tier or "none"
        if decision["kind"] == "refusal":
            sums[self._refusals, (decision["reason"],)] += 1
        else:
            sums[self._decisions, (tier, record.use_case or "none", demand_of(record).get("role") or "none")] += 1
        spilled_from = decision.get("spilled_from")
        if spilled_from is not None:
            sums[self._spillovers, (spilled_from, tier)] += 1

    def _count_attempt(self, attempt: AttemptRecord, sums: Sums) -> None:
        replica = attempt.replica_id
        sums[self._attempts, (replica, attempt.status._value_, attempt.failure_kind or "none")] += 1
        if attempt.ttft_s is not None:
            self._ttft.labels(replica).observe(attempt.ttft_s)
        usage = attempt.usage
        if usage is None:
            return
        source = "reported" if usage.reported else "estimated"
        for type_, tokens in zip(TOKEN_TYPES, usage, strict=False):
            if tokens:
                sums[self._tokens, (replica, type_, source)] += tokens
        if attempt.cost_usd is None:
            sums[self._unpriced, (replica,)] += 1
        else:
            sums[self._cost, (replica,)] += attempt.cost_usd

    def watch(self, gateway: Gateway, journal: Callable[[], QueueState]) -> None:
        """Show the present state of the process too, asked whenever somebody scrapes."""
        self.registry.register(_State(gateway, journal))

    def page(self) -> bytes:
        return generate_latest(self.registry)


class _State(Collector):
    def __init__(self, gateway: Gateway, journal: Callable[[], QueueState]) -> None:
        self._gateway = gateway
        self._journal = journal

    def collect(self) -> Iterator[Metric]:
        gateway, journal = self._gateway, self._journal()
        fleet = gateway.serving.router.fleet
        for name, help_, value in (
            ("donut_in_flight", "Exchanges under way.", gateway.in_flight),
            ("donut_draining", "Answers read on for accounting only.", gateway.draining),
            ("donut_open_reservations", "Reservations that are not settled yet.", fleet.open_reservations),
            ("donut_journal_written", "Records on disk since the start.", journal.written),
            ("donut_journal_pending", "Records that wait for the disk.", journal.pending),
            ("donut_journal_pending_bytes", "Estimated memory of the records that wait.", journal.pending_bytes),
            ("donut_journal_dropped", "Records lost because the queue was full.", journal.dropped),
            ("donut_shared_state_lost", "1 while limits are counted here only.", gateway.shared is not None and gateway.shared.is_lost),
        ):
            yield GaugeMetricFamily(name, help_, value)
