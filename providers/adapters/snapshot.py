"""The metrics snapshot that tokenledger's `refresh_ledger.py` looks for (`~/.cliproxyapi/metrics_snapshot.json` and others), in and out.

It is any JSON in which some objects name a provider and a model and say how fast and how good they are. Its reader takes the first object
per pair, and a success rate for the quality where there is no `quality_score`: donut writes both, and reads neither as the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from providers.adapters import Adapter, FileFormat, Found
from providers.adapters._fields import count, epoch, iso, mapping, number, positive, text
from routing.ledger.readings import Reading, entry_key

SOURCE = "cliproxy"
TRUST = 0.5
"""Nobody says of how many requests, and when."""
NODES_MOST = 200_000
"""Values looked at in one file."""

LATENCIES = ("latency_ms", "median_latency_ms", "p50_latency_ms")
PROVIDERS = ("provider", "inferred_provider")
MODELS = ("model", "pricing_model", "canonical_model")


class Row(NamedTuple):
    """How one provider's offering did."""

    provider: str
    model: str
    p50_latency_ms: float | None = None
    """Whole answers, median."""
    p95_latency_ms: float | None = None
    success_rate: float | None = None
    """From 0 to 1."""
    quality_score: float | None = None
    """From 0 to 1, the catalog's."""
    requests: int = 0


def snapshot_document(rows: Iterable[Row], at_s: float) -> dict[str, Any]:
    """What is unknown is left out: its reader would take a null for nothing, and a zero for the next best key."""
    metrics = [{name: value for name, value in _told(row).items() if value is not None} for row in rows]
    return {"source": "donut", "updated_at": iso(at_s), "metrics": metrics}


def _told(row: Row) -> dict[str, Any]:
    return {**row._asdict(), "latency_ms": row.p50_latency_ms}


def read(document: object, names: Mapping[str, str]) -> Found:
    """Every object in the file that says something about a provider's model; the first one of each pair counts."""
    readings: dict[tuple[str, str], Reading] = {}
    date = _date(mapping(document))
    for item in _objects(document):
        provider, model = _first(item, PROVIDERS), _first(item, MODELS)
        if not (provider and model):
            continue
        subject = names.get(model, entry_key(provider, model))
        plain = Reading(subject, "", 0.0, SOURCE, "", date, TRUST, samples=count(item.get("requests")) or None)
        for metric, value in _figures(item):
            readings.setdefault((subject, metric), plain._replace(metric=metric, value=value))
    return Found(tuple(readings.values()))


def _figures(item: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    latency_ms = next((found for name in LATENCIES if (found := positive(item.get(name))) is not None), None)
    p95_ms = positive(item.get("p95_latency_ms"))
    success = number(item.get("success_rate"), 0.0, 100.0)
    if latency_ms is not None:
        yield "end_to_end_s", latency_ms / 1000
    if p95_ms is not None:
        yield "end_to_end_p95_s", p95_ms / 1000
    if success is not None:
        yield "success_rate", success if success <= 1.0 else success / 100


def _objects(document: object) -> Iterator[Mapping[str, Any]]:
    """Every object in the document, outer ones first. Without recursion: files are deep if somebody wants them to be."""
    waiting = [document]
    for looked_at in range(NODES_MOST):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(reversed(value.values()))
        elif isinstance(value, list):
            waiting.extend(reversed(value[: NODES_MOST - looked_at]))


def _first(item: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((found for name in names if (found := text(item.get(name)))), "")


def _date(data: Mapping[str, Any]) -> str:
    at_s = epoch(data.get("updated_at")) or epoch(data.get("generated_at"))
    return iso(at_s) if at_s is not None else ""


def _is_snapshot(document: object) -> bool:
    return any(_first(item, PROVIDERS) and _first(item, MODELS) and any(_figures(item)) for item in _objects(document))


ADAPTER = Adapter(
    name="snapshot",
    title="CLIProxyAPI metrics snapshot",
    formats=(FileFormat("CLIProxyAPI metrics snapshot", _is_snapshot, read),),
    docs="https://github.com/KooshaPari/tokenledger",
)
