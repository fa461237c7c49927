"""What a decision saw of its candidates: as a journal keeps it, and put together again when somebody reads it.

Many decisions share their figures (`routing.types.Figures`), which a store writes out once and copies from then on; `plain` is the short
way to do so. Records of before hold scores and whole columns, and are read as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import add, itemgetter
from typing import Any, NamedTuple

from routing.scoring import DIGITS
from routing.types import Figures


class Seen(NamedTuple):
    """What a decision saw of its candidates, put together."""

    ids: Sequence[str]
    model_ids: Sequence[str | None]
    scores: Sequence[float]
    factors: Mapping[str, Sequence[float]]
    weights: Mapping[str, float]


def plain(figures: Figures) -> dict[str, Any]:
    """Figures in plain values, the short way: `factors` has for each factor its weight, and then one value where it is the same for all
    candidates, one per candidate where it sets them apart, none where it depends on what is in flight. Totals are as they are: the order
    of the candidates hangs on their last bit."""
    columns, neutrals, models = figures.columns, figures.neutrals, figures.logical_model_ids
    factors: dict[str, list[float]] = {}
    for name, weight in figures.weights.items():
        column = columns.get(name)
        if column is None:
            values = [neutrals[name]] if name in neutrals else []
        elif column.count(column[0]) == len(column):
            values = [round(column[0], DIGITS)]
        else:
            values = [round(value, DIGITS) for value in column]
        factors[name] = [int(value) if value == int(value) else value for value in (weight, *values)]
    said: dict[str, Any] = {"ids": figures.ids, "totals": figures.totals, "factors": factors}
    if models.count(models[0]) == len(models):
        return {"model_id": models[0], **said}
    return {"model_ids": models, **said}


def seen_in(record: Mapping[str, Any]) -> Seen:
    """Of a kept record."""
    figures = record.get("figures")
    if figures is None:
        return _seen_before(record)
    # As they will be read again, so that all who tell a decision tell the same of it.
    return seen_with(_figures(plain(figures) if isinstance(figures, Figures) else figures), record)


def seen_with(figures: Figures, record: Mapping[str, Any]) -> Seen:
    """`figures`, with what was in flight and what the request itself added."""
    ids, weights, scores = figures.ids, figures.weights, figures.totals
    factors = dict(figures.columns)
    for name, column in record["loads"].items():
        factors[name] = column
        scores = [*map(add, scores, map(float(weights[name]).__mul__, column))]
    for name, neutral in figures.neutrals.items():
        factors[name] = [neutral] * len(ids)
    reached = [*scores]
    for name, values in record.get("own", {}).items():
        column = [*factors[name]]
        for i, value in values:
            reached[i] += weights[name] * (value - column[i])
            column[i] = value
        factors[name] = column
    seen = Seen(ids, figures.logical_model_ids, reached, factors, weights)
    return _without(seen, record["out"]) if "out" in record else seen


def _figures(said: Mapping[str, Any]) -> Figures:
    """The inverse of `plain`. What is the same for all is told as if each candidate had its own: nobody needs to know any more."""
    ids, columns, weights = said["ids"], {}, {}
    for name, (weight, *values) in said["factors"].items():
        weights[name] = float(weight)
        if values:
            column = [*map(float, values)]
            columns[name] = column if len(column) == len(ids) else column * len(ids)
    model_ids = said.get("model_ids") or [said["model_id"]] * len(ids)
    return Figures(ids, model_ids, columns, {}, said["totals"], weights)


def _without(seen: Seen, out: Sequence[int]) -> Seen:
    pick = picker([i for i in range(len(seen.ids)) if i not in out])
    factors = {name: pick(column) for name, column in seen.factors.items()}
    return Seen(pick(seen.ids), pick(seen.model_ids), pick(seen.scores), factors, seen.weights)


def _seen_before(record: Mapping[str, Any]) -> Seen:
    """Of a record of the days when scores and whole columns were kept, or of a refusal, which saw no candidates."""
    ids = record.get("ids", ())
    factors = dict(record.get("factors", {}))
    for name, value in record.get("neutrals", {}).items():
        factors.setdefault(name, [value] * len(ids))
    model_ids = record.get("model_ids") or [None] * len(ids)  # records from before 0.2 do not say
    return Seen(ids, model_ids, record.get("scores", ()), factors, record.get("weights", {}))


def picker(positions: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    if len(positions) > 1:
        return itemgetter(*positions)  # measured: 1.1 µs for 32 of 64, a comprehension 1.8, and there are twenty columns
    return lambda column: [column[i] for i in positions]
