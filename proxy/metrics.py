"""Prometheus metrics: facts of the gateway under `donut_*`. Counted in batches behind the journal's queue, never on the hot path.

Labels are closed vocabularies or names from config; nothing that a client can invent becomes a label.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter, is_not, not_

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proxy.gateway import Gateway
from proxy.journal.queue import QueueState
from proxy.journal.records import AttemptRecord, ExchangeRecord
from routing.types import Usage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

TOKEN_TYPES = ("input", "cache_read", "cache_write", "output")
"""The first four fields of `Usage`; its fifth, reasoning, is a part of output."""

# OpenTelemetry's buckets for gen_ai.server.time_to_first_token, and Envoy's longer ones: local models think for a while.
TTFT_BUCKETS_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60)


Ended = tuple[str, str, str | None, str | None, str | None, str | None, str | None]
"""What an exchange is counted under: dialect, status, tier, use case, and of its last decision the role, the reason of a refusal, and the
tier that was left. Hardly any batch holds more than a few different ones."""


# Whole columns at once, without a line of Python per record.
_UNDER = attrgetter("dialect", "status._value_", "tier", "use_case", "decision")
_OUTCOME = attrgetter("status._value_", "failure_kind")
_ATTEMPTS, _NUMBER, _TTFT_S, _COST_USD = attrgetter("attempts"), attrgetter("number"), attrgetter("ttft_s"), attrgetter("cost_usd")
_USAGE, _IS_REPORTED = attrgetter("usage"), attrgetter("reported")
_known = partial(is_not, None)


class _Histogram(Histogram):
    def observe_all(self, amounts: Sequence[float]) -> None:
        """As `observe` for each of them, which walks along the buckets every time, in Python."""
        self._sum.inc(sum(amounts))
        for bucket, times in Tally(map(bisect_left, itertools.repeat(self._upper_bounds), amounts)).items():
            self._buckets[bucket].inc(times)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._children: dict[tuple[Counter, tuple[str, ...]], Counter] = {}
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
        self._ttft = _Histogram(
            "donut_ttft_seconds", "Time to the first content byte.", ["replica"], buckets=TTFT_BUCKETS_S, registry=self.registry
        )

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(name, help_, labels, registry=self.registry)

    def count(self, records: Sequence[ExchangeRecord]) -> None:
        """Take in finished exchanges, each once. Put together first: a label costs more to look up than a number to add."""
        for ended, times in Tally(map(_ended, records)).items():
            self._count_exchanges(ended, times)
        tried = list(itertools.chain.from_iterable(map(_ATTEMPTS, records)))
        if max(map(_NUMBER, tried), default=0) > 1:
            self._count_failovers(records)
        attempts: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
        for attempt in tried:
            attempts[attempt.replica_id].append(attempt)
        for replica_id, its in attempts.items():
            self._count_attempts(replica_id, its)

    def _count_failovers(self, records: Sequence[ExchangeRecord]) -> None:
        for record in records:
            for attempt in record.attempts[:-1]:
                self._add(self._failovers, 1, attempt.replica_id, attempt.failure_kind or "none")

    def _count_exchanges(self, ended: Ended, times: int) -> None:
        dialect, status, tier, use_case, role, refused, spilled_from = ended
        tier = tier or "none"
        self._add(self._exchanges, times, dialect, status, tier)
        if refused is not None:
            self._add(self._refusals, times, refused)
        elif role is not None:
            self._add(self._decisions, times, tier, use_case or "none", role)
        if spilled_from is not None:
            self._add(self._spillovers, times, spilled_from, tier)

    def _count_attempts(self, replica_id: str, attempts: Sequence[AttemptRecord]) -> None:
        for (status, failure), times in Tally(map(_OUTCOME, attempts)).items():
            self._add(self._attempts, times, replica_id, status, failure or "none")
        if ttfts := list(filter(_known, map(_TTFT_S, attempts))):
            self._ttft.labels(replica_id).observe_all(ttfts)
        usage = list(map(_USAGE, attempts))
        used = list(filter(_known, usage))
        are_reported = list(map(_IS_REPORTED, used))
        self._count_tokens(replica_id, "reported", itertools.compress(used, are_reported))
        self._count_tokens(replica_id, "estimated", itertools.compress(used, map(not_, are_reported)))
        costs = list(filter(_known, map(_COST_USD, itertools.compress(attempts, map(_known, usage)))))
        if costs:
            self._add(self._cost, sum(costs), replica_id)
        if len(costs) < len(used):
            self._add(self._unpriced, len(used) - len(costs), replica_id)

    def _count_tokens(self, replica_id: str, source: str, usages: Iterable[Usage]) -> None:
        for type_, tokens in zip(TOKEN_TYPES, map(sum, zip(*usages, strict=True)), strict=False):
            if tokens:
                self._add(self._tokens, tokens, replica_id, type_, source)

    def _add(self, counter: Counter, amount: float, *labels: str) -> None:
        """To a counter's child. The counter itself takes long to find it: it makes texts of the labels, and takes a lock."""
        child = self._children.get((counter, labels))
        if child is None:
            child = self._children[counter, labels] = counter.labels(*labels)
        child.inc(amount)

    def watch(self, gateway: Gateway, journal: Callable[[], QueueState]) -> None:
        """Show the present state of the process too, asked whenever somebody scrapes."""
        self.registry.register(_State(gateway, journal))

    def page(self) -> bytes:
        return generate_latest(self.registry)


def _ended(record: ExchangeRecord) -> Ended:
    """The role is None where nothing was decided, the reason where nothing was refused."""
    dialect, status, tier, use_case, decision = _UNDER(record)
    if decision is None:
        return dialect, status, tier, use_case, None, None, None
    # `routing.explain.as_record`'s, the last one of the exchange
    demand = decision.get("demand")
    role = (demand and demand.get("role")) or "none"
    spilled_from = decision.get("spilled_from")
    if decision["kind"] == "refusal":
        return dialect, status, tier, use_case, None, decision["reason"], spilled_from
    return dialect, status, tier, use_case, role, None, spilled_from


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
