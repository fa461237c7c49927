"""KooshaPari/thegent: two JSONL files beside its agents, and its table of benchmarks.

`prompt_queue.jsonl` says what waits for an agent: a hint of the load to come. Prompts are not kept, only counted. To
`routing_harvest.jsonl` every router appends what it did in one session; donut does the same once per interval and at its end. Times are
ISO 8601 (its `donut_adapter.py`). What it calls over HTTP is served by `proxy/pages`: `/v1/routing/select`, `/v1/metrics/providers`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from providers.adapters import Adapter, FileFormat, Found
from providers.adapters._fields import count, epoch, iso, mapping, number, text
from routing.ledger.metrics import METRICS, Kind
from routing.ledger.readings import Reading

SOURCE = "imported"
TRUST = 0.6
"""Copied by hand from vendors' model cards, as the file itself says."""

PREFERRED_MOST = 64
"""Different models that a queue may wish for; further ones count as others."""

TABLES: Mapping[str, str] = {"terminal_bench_2_0": "terminal_bench_2", "swe_bench": "swe_bench_verified", "aime": "aime"}
"""A table of benchmarks.json → the ledger's metric; scores are in percent."""
WEIGHTS: Mapping[str, float] = {"terminal_bench_2_0": 0.7, "swe_bench": 0.2, "aime": 0.1}
MISSING = 0.5
"""What its quality index takes for a score that nobody measured."""
BY_TASK: Mapping[str, str] = {
    "humanitys_last_exam_no_tools": "hle",
    "gpqa_diamond": "gpqa",
    "terminal_bench_2_0_terminus_2": "terminal_bench_2",
    "swe_bench_pro_public": "swe_bench_pro",
    "gdpval_aa_elo": "gdpval_elo",
}
"""Names under `benchmarks_by_task_type` that the ledger has under another one. One measured with two harnesses
(`terminal_bench_2_0_other_harness`) or two sizes is not taken for the plain metric."""


class Queue(NamedTuple):
    """What waits for thegent's agents."""

    waiting: int = 0
    claimed: int = 0
    preferred: Mapping[str, int] = {}
    """Model that is wished for → how many of those that wait wish for it."""
    unreadable: int = 0


def read_queue(lines: Iterable[object], now_s: float) -> Queue:
    """`now_s`: seconds since 1970; a claim whose lease is over waits again."""
    waiting = claimed = unreadable = 0
    preferred: Counter[str] = Counter()
    for line in lines:
        item = mapping(line)
        if "prompt" not in item:
            unreadable += 1
        elif _is_claimed(item, now_s):
            claimed += 1
        else:
            waiting += 1
            model = text(item.get("preferred_model"))
            if model and (model in preferred or len(preferred) < PREFERRED_MOST):
                preferred[model] += 1
    return Queue(waiting, claimed, dict(preferred), unreadable)


def _is_claimed(item: Mapping[str, Any], now_s: float) -> bool:
    if item.get("claimed_by") is None:
        return False
    until_s = epoch(item.get("lease_expires_at"))
    return until_s is None or until_s > now_s


@dataclass(slots=True)
class Tally:
    """What one router did since it began to count."""

    total_requests: int = 0
    requests_by_model: Counter[str] = field(default_factory=Counter)
    requests_by_provider: Counter[str] = field(default_factory=Counter)
    requests_by_category: Counter[str] = field(default_factory=Counter)
    """`fast`, `normal`, `complex`, `high_complex`."""
    total_cost_usd: float = 0.0
    total_tokens: int = 0
    errors: int = 0
    fallback_count: int = 0


class Costs(NamedTuple):
    """USD, from the start of the month and of the day in UTC."""

    mtd_total: float = 0.0
    daily_total: float = 0.0


def harvest_line(tally: Tally, costs: Costs, at_s: float) -> dict[str, Any]:
    """One line of `routing_harvest.jsonl`."""
    return {
        "type": "routing_harvest",
        "ts": iso(at_s),
        "stats": {
            "total_requests": tally.total_requests,
            "requests_by_model": dict(tally.requests_by_model),
            "requests_by_provider": dict(tally.requests_by_provider),
            "requests_by_category": dict(tally.requests_by_category),
            "total_cost_usd": tally.total_cost_usd,
            "total_tokens": tally.total_tokens,
            "errors": tally.errors,
            "fallback_count": tally.fallback_count,
        },
        "cost": costs._asdict(),
    }


class Harvest(NamedTuple):
    at_s: float
    tally: Tally
    costs: Costs


def read_harvest(lines: Iterable[object]) -> list[Harvest]:
    """The harvests among the parsed lines, whoever wrote them."""
    found = []
    for line in lines:
        item = mapping(line)
        at_s = epoch(item.get("ts"))
        if item.get("type") == "routing_harvest" and at_s is not None:
            costs = mapping(item.get("cost"))
            usd = (number(costs.get("mtd_total")) or 0.0, number(costs.get("daily_total")) or 0.0)
            found.append(Harvest(at_s, _tally(mapping(item.get("stats"))), Costs(*usd)))
    return found


def _tally(stats: Mapping[str, Any]) -> Tally:
    return Tally(
        total_requests=count(stats.get("total_requests")),
        requests_by_model=_counts(stats.get("requests_by_model")),
        requests_by_provider=_counts(stats.get("requests_by_provider")),
        requests_by_category=_counts(stats.get("requests_by_category")),
        total_cost_usd=number(stats.get("total_cost_usd")) or 0.0,
        total_tokens=count(stats.get("total_tokens")),
        errors=count(stats.get("errors")),
        fallback_count=count(stats.get("fallback_count")),
    )


def _counts(value: object) -> Counter[str]:
    return Counter({name: count(number_) for name, number_ in mapping(value).items() if text(name)})


def quality_index(scores: Mapping[str, float]) -> float:
    """Its index in [0, 1] of a model's scores by table, in percent."""
    return sum(weight * (scores[name] / 100 if name in scores else MISSING) for name, weight in WEIGHTS.items())


def benchmarks_document(scores: Mapping[str, Mapping[str, float]], source: str, published: str) -> dict[str, Any]:
    """`benchmarks.json`, schema 2, from the ledger's metric → model → percent. `published` is an ISO date."""
    tables = {table: dict(scores.get(metric, {})) for table, metric in TABLES.items()}
    return {"version": 2, "source": {"name": source, "published": published}, **tables}


def _read_benchmarks(document: object, names: Mapping[str, str]) -> Found:
    data = mapping(document)
    told = mapping(data.get("source"))
    plain = Reading("", "", 0.0, SOURCE, "", text(told.get("published")), TRUST, where=text(told.get("methodology")))
    tables = [(metric, mapping(data.get(name))) for name, metric in TABLES.items()]
    for name, entry in mapping(data.get("benchmarks_by_task_type")).items():
        metric = METRICS.get(BY_TASK.get(name, name))
        # A name alone does not settle the scale: it has an Elo of LiveCodeBench Pro, and the ledger the percentage.
        if metric is not None and metric.kind is Kind.QUALITY and mapping(entry).get("metric") == metric.unit:
            tables.append((metric.name, mapping(mapping(entry).get("scores"))))
    readings: dict[tuple[str, str], Reading] = {}
    for metric_name, scores in tables:
        for model, score in scores.items():
            figure = number(score)
            if figure is not None and text(model):
                subject = names.get(model, model)
                readings.setdefault((subject, metric_name), plain._replace(subject=subject, metric=metric_name, value=figure))
    return Found(tuple(readings.values()))


def _is_benchmarks(document: object) -> bool:
    data = mapping(document)
    return any(isinstance(data.get(name), dict) for name in (*TABLES, "benchmarks_by_task_type"))


ADAPTER = Adapter(
    name="thegent",
    title="thegent",
    formats=(FileFormat("thegent benchmarks", _is_benchmarks, _read_benchmarks),),
    docs="https://github.com/KooshaPari/thegent",
)
