"""The ledger in plain values, for programs: `donut ledger … --json` and `/api/ledger` tell the same.

Every figure carries who said it, in which edition, when, how sure that is and under which licence; and everyone who said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from routing.ledger.book import Book
from routing.ledger.merge import Candidate, Figure
from routing.ledger.metrics import METRICS, Kind
from routing.ledger.pareto import Standing
from routing.ledger.plain import override_as_plain
from routing.ledger.readings import Reading, source_named
from routing.ledger.resolver import Entry, Resolver
from routing.ledger.sheet import Sheet
from routing.pricing import blended_price
from routing.types import Price, UseCase

USE_CASES = tuple(case for case in UseCase if case is not UseCase.EMBED)


def told_figure(figure: Figure) -> dict[str, Any]:
    """`{metric, unit, value, why, source, version, updated_at, confidence, licence, …, candidates: [the same, with won and why]}`."""
    metric = METRICS[figure.metric]
    winner = figure.winner
    told: dict[str, Any] = {"metric": figure.metric, "unit": metric.unit, "value": figure.value, "why": figure.why}
    told |= {"source": None} if winner is None else _provenance(winner)
    return told | {"candidates": [told_candidate(each) for each in figure.candidates]}


def told_candidate(candidate: Candidate) -> dict[str, Any]:
    reading = candidate.reading
    value = reading.value if METRICS[reading.metric].accepts(reading.value) else repr(reading.value)  # JSON has no NaN
    return {"value": value, "won": candidate.won, "why": candidate.why, **_provenance(reading)}


def _provenance(reading: Reading) -> dict[str, Any]:
    told: dict[str, Any] = {
        "source": reading.source,
        "version": reading.version or None,
        "updated_at": reading.updated_at or None,
        "confidence": reading.confidence,
        "licence": reading.licence or None,
    }
    for name in ("effort", "samples", "where"):
        value = getattr(reading, name)
        if value:
            told[name] = value
    return told | ({"agreeing": list(reading.agreeing)} if reading.agreeing else {})


def told_price(price: Price | None) -> dict[str, Any] | None:
    """USD per 1M tokens (per request and image: USD), conditions in OpenRouter's shape; None when unknown."""
    if price is None:
        return None
    names = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "request", "image")
    told: dict[str, Any] = {name: getattr(price, name) for name in names if getattr(price, name) is not None or name in ("input", "output")}
    if price.terms.overrides:
        told["overrides"] = [override_as_plain(override) for override in price.terms.overrides]
    if price.terms.lanes:
        told["lanes"] = dict(price.terms.lanes)
    return told | {"version": price.version}


def told_entry(entry: Entry, book: Book) -> dict[str, Any]:
    """One provider's offering, with all its figures."""
    price = book.price(entry.key)
    return {
        "entry": entry.key,
        "provider": entry.provider,
        "upstream": entry.upstream,
        "model": entry.model,
        "billing": entry.billing,
        "primary": entry.is_primary,
        "retired": entry.is_retired,
        "price": told_price(price),
        "blended_usd_per_mtok": blended_price(price),
        "figures": [told_figure(figure) for figure in book.figures(entry.key)],
    }


def told_model(resolver: Resolver, model: str) -> dict[str, Any]:
    """A logical model: its own figures, its quality per use case, its standing, and every entry."""
    book = resolver.book
    speed = resolver.get_speed(model)
    standing = resolver.pareto().get(model)
    return {
        "model": model,
        "quality": {"general": _rated(resolver, model, None), **{case.value: _rated(resolver, model, case) for case in USE_CASES}},
        "speed": None if speed is None else speed._asdict() | {"usual_answer_s": speed.usual_answer_s},
        "pareto": None if standing is None else told_standing(standing),
        "figures": [told_figure(figure) for figure in book.figures(model)],
        "as_a_harness_drives_it": {
            subject.partition("|")[0]: [told_figure(figure) for figure in book.figures(subject)]
            for subject in book.subjects
            if subject.endswith(f"|{model}")
        },
        "entries": [told_entry(entry, book) for entry in resolver.offers_of(model)],
    }


def _rated(resolver: Resolver, model: str, case: UseCase | None) -> dict[str, Any] | None:
    rated = resolver.get_quality(model, use_case=case)
    return None if rated is None else {"value": rated.value, "made_of": rated.basis}


def told_standing(standing: Standing) -> dict[str, Any]:
    point = standing.point
    return {
        "model": point.id,
        "pareto_rank": standing.pareto_rank,
        "dominated_by": list(standing.dominated_by),
        "score": standing.score,
        "quality": point.quality,
        "blended_usd_per_mtok": point.cost,
        "usual_answer_s": point.latency_s,
    }


def told_row(resolver: Resolver, model: str) -> dict[str, Any]:
    """A logical model in one line."""
    offers = [entry for entry in resolver.offers_of(model) if not entry.is_retired]
    cost = resolver.get_cost(model)
    quality = resolver.get_quality(model)
    standing = resolver.pareto().get(model)
    window = resolver.book.first([model, *(entry.key for entry in offers)], "context_window")
    return {
        "model": model,
        "quality": None if quality is None else quality.value,
        "quality_source": None if quality is None else quality.source,
        "price": None if cost is None else {"input": cost.price.input, "output": cost.price.output, "at": cost.subject},
        "blended_usd_per_mtok": None if cost is None else cost.blended,
        "context_window": None if window is None else int(window[1]),
        "pareto_rank": None if standing is None else standing.pareto_rank,
        "offers": len(offers),
        "providers": sorted({entry.provider for entry in offers}),
    }


def told_sources(sheets: Sequence[Sheet]) -> list[dict[str, Any]]:
    """Who said how much, in which edition and when, in the order in which they are believed."""
    return [
        {
            "source": sheet.source,
            "title": source_named(sheet.source).title,
            "version": sheet.version or None,
            "updated_at": sheet.updated_at or None,
            "licence": sheet.licence or None,
            "attribution": source_named(sheet.source).attribution or None,
            "figures": sheet.size,
            "subjects": len(sheet.subjects),
        }
        for sheet in sheets
    ]


def kinds_of(figures: Sequence[Figure]) -> dict[Kind, list[Figure]]:
    """The figures by what they say something about, in the vocabulary's order."""
    grouped: dict[Kind, list[Figure]] = {}
    for figure in figures:
        grouped.setdefault(METRICS[figure.metric].kind, []).append(figure)
    return grouped
