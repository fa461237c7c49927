"""Rich tables of the ledger. Provenance is a column where it is short, and a table of its own where somebody asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from config.commands._journal import shown
from routing.ledger.merge import Figure
from routing.ledger.metrics import METRICS, Kind
from routing.ledger.pareto import Standing
from routing.ledger.resolver import Resolver
from routing.ledger.telling import kinds_of
from routing.ledger.terms import Terms, as_text
from routing.types import Price

TITLES: Mapping[Kind, str] = {
    Kind.QUALITY: "How good",
    Kind.SPEED: "How fast",
    Kind.PRICE: "What it costs",
    Kind.LIMIT: "Limits",
    Kind.RELIABILITY: "How reliable",
}


def plain_table(*headings: str, title: str | None = None) -> Table:
    return Table(*headings, title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))


def number(value: float | None, unit: str = "") -> str:
    """A figure as people write it: `1,000,000`, `$2.50`, `0.775`."""
    if value is None:
        return "?"
    if unit.startswith("usd"):
        return f"${value:,.4f}".rstrip("0").rstrip(".") if value < 0.1 else f"${value:,.2f}"
    text = f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{text} {unit}" if unit in ("s", "percent") else text


def model_rows(rows: Sequence[Mapping[str, Any]]) -> Table:
    """`donut ledger list`."""
    table = plain_table("model")
    for heading in ("quality", "$ in / out", "blended", "context", "rank", "offers"):
        table.add_column(heading, justify="right")
    table.add_column("cheapest at")
    for row in rows:
        price = row["price"]
        both = "?" if price is None else f"{number(price['input'], 'usd')} / {number(price['output'], 'usd')}"
        cells = (number(row["quality"]), both, number(row["blended_usd_per_mtok"], "usd"), number(row["context_window"]))
        rank = "–" if row["pareto_rank"] is None else str(row["pareto_rank"])
        table.add_row(shown(row["model"]), *cells, rank, str(row["offers"]), "–" if price is None else shown(price["at"]))
    return table


def figure_tables(figures: Sequence[Figure], *, with_losers: bool) -> list[RenderableType]:
    """One table per kind of figure."""
    return [_figures(TITLES[kind], group, with_losers=with_losers) for kind, group in kinds_of(figures).items()]


def _figures(title: str, figures: Sequence[Figure], *, with_losers: bool) -> Table:
    table = plain_table("figure", title=title)
    table.add_column("value", justify="right")
    for heading in ("source", "as of", "sure", "why"):
        table.add_column(heading)
    for figure in figures:
        unit = METRICS[figure.metric].unit
        for place, each in enumerate(figure.candidates if with_losers else figure.candidates[:1]):
            reading = each.reading
            edition = " ".join(dict.fromkeys(part for part in (reading.version, reading.updated_at[:10]) if part))
            effort = f" ({reading.effort})" if reading.effort else ""
            cells = (shown(reading.source), edition or "–", f"{reading.confidence:.2f}", shown(each.why))
            style = "" if each.won else "dim"
            table.add_row("" if place else figure.metric, number(reading.value, unit) + effort, *cells, style=style)
        others = len(figure.candidates) - 1
        if not with_losers and others > 0:
            table.add_row("", "", "", "", "", Text(f"{others} more said otherwise or the same: --provenance", style="dim"))
    return table


def price_lines(price: Price | None) -> list[str]:
    """The conditions of a price in words."""
    terms = Terms() if price is None else price.terms
    lines = [f"{as_text(each)}: " + ", ".join(f"{name} {number(value, 'usd')}" for name, value in each.figures) for each in terms.overrides]
    if terms.lanes:
        lines.append("lanes: " + ", ".join(f"{name} ×{factor:g}" for name, factor in terms.lanes))
    return lines


def entry_rows(resolver: Resolver, model: str, *, everything: bool) -> Table:
    """Who sells a model."""
    table = plain_table("entry", title="Who offers it")
    for heading in ("in", "out", "cache read", "cache write", "context"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for entry in resolver.offers_of(model):
        if entry.is_retired and not everything:
            continue
        price = resolver.book.price(entry.key)
        figures = [None] * 4 if price is None else [price.input, price.output, price.cache_read, price.cache_write]
        window = resolver.book.value(entry.key, "context_window")
        remarks = [entry.billing] if entry.billing != "metered" else []
        remarks += ["retired"] if entry.is_retired else []
        remarks += ["with conditions"] if price is not None and price.terms.overrides else []
        table.add_row(shown(entry.key), *(number(figure, "usd") for figure in figures), number(window), ", ".join(remarks))
    return table


def comparison(names: Sequence[str], columns: Sequence[Mapping[str, Figure]]) -> Table:
    """One row per figure that any of them has."""
    table = plain_table("figure")
    for name in names:
        table.add_column(shown(name), justify="right")
    for metric in METRICS:
        if any(metric in column for column in columns):
            table.add_row(metric, *(_cell(column.get(metric)) for column in columns))
    return table


def _cell(figure: Figure | None) -> str:
    winner = None if figure is None else figure.winner
    return "–" if winner is None else f"{number(winner.value, METRICS[winner.metric].unit)} ({shown(winner.source)})"


def standing_rows(standings: Sequence[Standing]) -> Table:
    table = plain_table("rank", "model")
    for heading in ("quality", "$ per 1M", "answer"):
        table.add_column(heading, justify="right")
    table.add_column("dominated by")
    for each in standings:
        point = each.point
        others = ", ".join(each.dominated_by[:3]) + (" …" if len(each.dominated_by) > 3 else "")
        cells = (number(point.quality), number(point.cost, "usd"), number(point.latency_s, "s"), shown(others or "–"))
        table.add_row(str(each.pareto_rank or "–"), shown(point.id), *cells)
    return table


def grouped(parts: Sequence[RenderableType]) -> Group:
    return Group(*parts)
