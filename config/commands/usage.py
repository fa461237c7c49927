"""`donut usage`: what was spent, grouped, from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from config.commands._journal import ask, console, find_journal, journal_options, money, shown
from config.commands._when import iso, parse_when
from proxy.journal.queries import GROUPINGS
from proxy.totals import totals

# Heading, column, and whether it is shown even when it is zero in every row.
_COLUMNS: tuple[tuple[str, str, bool], ...] = (
    ("exchanges", "exchanges", True),
    ("ok", "ok", True),
    ("errors", "errors", True),
    ("client gone", "client_gone", False),
    ("retried", "retried", False),
    ("input", "reported_input", True),
    ("cache read", "reported_cache_read", False),
    ("cache write", "reported_cache_write", False),
    ("output", "reported_output", True),
    ("reasoning", "reported_reasoning", False),
    ("~input", "estimated_input", False),
    ("~output", "estimated_output", False),
)

_UNLIMITED = 10_000

_HELP = """
Show tokens and cost from the journal, while the server runs or not.

\b
  donut usage                              the last 24 hours, per model
  donut usage --since 7d --by day          a week, day by day (UTC)
  donut usage --by provider --since 30d    which account spends what
  donut usage --by status --since 1h       what goes wrong right now
  donut usage --since 2026-11-01 --until 2026-12-01 --json

Tokens that an upstream reported and tokens that donut had to estimate are never added up: columns with ~ are estimates, and a
cost with ~ rests on some. A price that is not known is shown as ?, and "$0.12 + ?" is the part that is known. Input includes
cache reads and writes; output includes reasoning. With --by replica or provider, an exchange counts where it was answered, its
tokens and its cost where they were spent.

\b
--json prints one object, times in UTC:
  {"since", "until", "by", "journal", "rows": [...], "totals": {...}}
Every row, and totals without the first, has
  key                   what is grouped by; null where there is none
  exchanges             = ok + client_gone + errors
  attempts, retried     tries; exchanges that needed a second one
  reported_input        of which reported_cache_read, reported_cache_write
  reported_output       of which reported_reasoning
  estimated_input, estimated_output
  cost_usd              null = unknown
  cost_usd_estimated    the part of cost_usd that rests on estimates
  unpriced              attempts with tokens and without a known price
  ttft_avg_ms           time to first token, over ttft_count attempts
"""


@click.command("usage", help=_HELP, short_help="Tokens and cost from the journal.")
@click.option("--by", type=click.Choice(GROUPINGS), default="model", show_default=True, help="What to group by.")
@click.option(
    "--since",
    callback=parse_when,
    metavar="WHEN",
    default="24h",
    show_default=True,
    help="A span back from now (30m, 24h, 7d, 2w) or a date.",
)
@click.option(
    "--until", callback=parse_when, metavar="WHEN", default="now", show_default=True, help="The same; that moment itself is not included."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@journal_options
def usage(*, by: str, since: float, until: float, as_json: bool, config_file: Path | None, journal: str | None) -> None:
    if since >= until:
        raise click.UsageError(f"--since ({iso(since)}) must be before --until ({iso(until)})")
    place = find_journal(journal, config_file)
    exists = place.exists()
    rows = ask(place, lambda reader: reader.usage(since, until, by)) if exists else []
    sums = totals(rows)
    if as_json:
        answer = {"since": iso(since), "until": iso(until), "by": by, "journal": str(place), "rows": rows, "totals": sums}
        click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
    elif not exists:
        click.echo(f"There is no journal yet at {place}: `donut serve` makes it with the first request.")
    elif not rows:
        click.echo(f"Nothing between {iso(since)} and {iso(until)} in {place}. A longer span: --since 30d")
    else:
        out = console()
        out.print(f"{iso(since)} – {iso(until)}")
        _print(out, by, rows, sums)


COMMAND = usage


def _print(out: Console, by: str, rows: Sequence[dict[str, Any]], sums: dict[str, Any]) -> None:
    """A table where it fits; on a narrow terminal a paragraph per row, since a folded figure is misread."""
    columns = [(heading, name) for heading, name, always in _COLUMNS if always or sums[name]]
    table = _table(by, columns, rows, sums)
    if out.measure(table, options=out.options.update_width(_UNLIMITED)).maximum <= out.width:
        out.print(table)
        return
    for row in [*rows, {**sums, "key": "total"}] if len(rows) > 1 else rows:
        figures = ", ".join(f"{heading} {row[name]:,}" for heading, name in columns if row[name])
        out.print(f"{shown(row['key'])}\n  {figures}\n  cost {_cost(row)}, first token {_first_token(row)}", soft_wrap=True)


def _table(by: str, columns: Sequence[tuple[str, str]], rows: Sequence[dict[str, Any]], sums: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_footer=len(rows) > 1)
    table.add_column(by, footer="total", no_wrap=True)
    for heading, name in columns:
        table.add_column(heading.replace(" ", "\n"), footer=f"{sums[name]:,}", justify="right", no_wrap=True)
    table.add_column("cost", footer=_cost(sums), justify="right", no_wrap=True)
    table.add_column("first\ntoken", footer=_first_token(sums), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(shown(row["key"]), *(f"{row[name]:,}" for _, name in columns), _cost(row), _first_token(row))
    return table


def _cost(row: dict[str, Any]) -> str:
    return money(row["cost_usd"], estimated=row["cost_usd_estimated"] > 0, incomplete=row["unpriced"] > 0)


def _first_token(row: dict[str, Any]) -> str:
    return "–" if row["ttft_avg_ms"] is None else f"{row['ttft_avg_ms']:,.0f} ms"
