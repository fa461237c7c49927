"""One figure from 0 to 1 for how capable a model is, out of several benchmarks. Used by `scripts/build-catalog`; pure.

The method, in four steps:
1. Only rows that may be shipped count: CC-BY-4.0, Apache-2.0, and arena.ai's pages by way of their MIT mirror. Of a model's rows in
   one benchmark the best counts (its highest effort).
2. Epoch's Capabilities Index is the common scale: it is itself fitted over dozens of benchmarks. Every other benchmark is laid onto it
   by mean and deviation over the models that have both ("mean-sigma linking"). Ranks would be simpler, and wrong: these lists hold
   different models, and the best of an old list is not the best of a new one. A benchmark with fewer than LINKS_MIN such models, or
   that hardly agrees with the index about them, is left out: Aider's list (of 2025) shares no model with it, and arena.ai's list of
   coders correlates by 0.28 over nine.
3. The mean of a model's figures, the index counted INDEX_WEIGHT-fold, drawn toward the mean of its tier as if that were one more
   figure: a single test score moves a model half the way, an index with two scores almost all of it.
4. SCALE maps the index to [0, 1].

A model without any figure gets none. Nobody measured it, and a guess would look like a measurement.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any

INDEX = "epoch_capabilities_index"
BENCHMARKS = (INDEX, "gpqa_diamond", "arena_text_elo", "arena_code_elo")
"""General ability and code. Vision, search and document lists are about what a capability says already."""
INDEX_WEIGHT = 3
LINKS_MIN = 5
AGREEMENT_MIN = 0.5
"""Pearson's r. GPQA has 0.63 over 28 models, arena.ai's text list 0.57 over 8."""
SCALE = (130.0, 170.0)
"""Index values that become 0 and 1. The measured models of this catalog lie between 149 and 167: there is room above for the next ones
and below for those that are an era older."""
DIGITS = 3
METHOD = "1"
"""Goes up when the figures would change without new facts."""

_SHIPPABLE = re.compile(r"CC-BY-4\.0|Apache-2\.0|MIT mirror.*")
_VERSION = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|\d{4}|preview)$")


def qualities(rows: Iterable[Mapping[str, Any]], models: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Logical id → quality, for the described models (of logical-models.json) that `rows` (of benchmarks.jsonl) have a figure for."""
    described = list(models)
    scores = best_scores(rows, {model["canonical_id"]: model["id"] for model in described})
    linked = link(scores)
    tiers = {model["id"]: model["tier"] for model in described}
    plain = {name: weighted_mean(linked[name]) for name in tiers if linked.get(name)}
    means = {
        tier: statistics.fmean(value for name, value in plain.items() if tiers[name] == tier) for tier in {tiers[name] for name in plain}
    }
    return {name: scaled(drawn(value, linked[name], means[tiers[name]])) for name, value in plain.items()}


def used_sources(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """(where it was published, newest date, licence) of everything that counts, for the attribution."""
    found: dict[tuple[str, str], str] = {}
    for row in rows:
        if row["metric"] in BENCHMARKS and _SHIPPABLE.fullmatch(row["licence"]):
            key = row["source"], row["licence"]
            found[key] = max(found.get(key, ""), row.get("date") or "")
    return [(source, date, licence) for (source, licence), date in sorted(found.items())]


def best_scores(rows: Iterable[Mapping[str, Any]], ids: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Model → benchmark → its best value. Models that are not described keep the name of the source: they help to link."""
    scores: dict[str, dict[str, float]] = {}
    for row in rows:
        name = row.get("canonical_id")
        if name is None or row["metric"] not in BENCHMARKS or not _SHIPPABLE.fullmatch(row["licence"]):
            continue
        model = ids.get(name) or ids.get(_VERSION.sub("", name)) or name
        value = _spread(row["metric"])(float(row["value"]))
        known = scores.setdefault(model, {})
        known[row["metric"]] = max(known.get(row["metric"], value), value)
    return scores


def _spread(benchmark: str) -> Callable[[float], float]:
    """A share of right answers crowds together near 1; its log-odds do not, and neither do Elo and the index."""
    if benchmark == "gpqa_diamond":
        return lambda share: math.log(share / (1 - share))
    return lambda value: value


def link(scores: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """The same with every value on the index's scale; benchmarks that can not be linked are gone."""
    maps: dict[str, tuple[float, float]] = {INDEX: (1.0, 0.0)}
    for benchmark in BENCHMARKS[1:]:
        pairs = [(values[benchmark], values[INDEX]) for values in scores.values() if benchmark in values and INDEX in values]
        theirs, ours = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        if len(pairs) < LINKS_MIN or statistics.correlation(theirs, ours) < AGREEMENT_MIN:
            continue
        slope = statistics.stdev(ours) / statistics.stdev(theirs)
        maps[benchmark] = (slope, statistics.fmean(ours) - slope * statistics.fmean(theirs))
    return {
        model: {name: maps[name][0] * value + maps[name][1] for name, value in values.items() if name in maps}
        for model, values in scores.items()
    }


def weighted_mean(values: Mapping[str, float]) -> float:
    return sum(value * weight(name) for name, value in values.items()) / sum(weight(name) for name in values)


def weight(benchmark: str) -> int:
    return INDEX_WEIGHT if benchmark == INDEX else 1


def drawn(value: float, values: Iterable[str], mean_of_tier: float) -> float:
    evidence = sum(weight(name) for name in values)
    return (value * evidence + mean_of_tier) / (evidence + 1)


def scaled(index: float) -> float:
    low, high = SCALE
    return round(min(1.0, max(0.0, (index - low) / (high - low))), DIGITS)
