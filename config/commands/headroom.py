"""`donut headroom`: what is left of every limit, how long it will last, and who holds some of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.commands._journal import console, shown
from config.commands._local import base_url, config_path, get, load_config
from proxy.when import span
from routing.headroom.limits import in_usd

HELP = """Show what is left of every limit: ceilings of providers, budgets, client keys, and what providers report of their own.

A running server is asked (with the key in $DONUT_KEY, if it wants one); it tells the same at GET /api/headroom.

\b
Examples:
  donut headroom
  donut headroom --url http://127.0.0.1:9000
  donut headroom --json | jq '.data[] | select(.share < 0.2)'
  donut headroom --json | jq '.replicas[] | {id, share}'

\b
What the columns say:
  left         of the whole, as a bar; what open requests hold is taken off already
  lasts        until nothing is left if use goes on as in the last eighth of the window; – when nobody used anything
  whole again  when all of it is there again, if nobody uses any more
  from         header: the provider said so (and how long ago); counted: by donut from reported usage; estimated: a fifth of it or more is
               donut's own estimate
  then         what happens at the limit: refuse, degrade (cheaper and local models), alert (nothing is stopped), or the provider's own no

\b
--json prints what GET /api/headroom answers: {"data": limits, "replicas": [{"id", "share", "tightest"}], "holders": [...]}.

\b
Exit codes: 0 shown, 1 no server runs or it wants another key, 2 wrong usage or configuration.
"""

BAR = 16
WARN_BELOW, ALARM_BELOW = 0.5, 0.2
"""The colours of the bar: half is news, a fifth is a warning. The shares of a budget's usual alerts, from the other end."""


@click.command("headroom", help=HELP)
@click.option("--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="The server's config file.")
@click.option("--url", metavar="URL", help="Where donut listens, without /v1, if not where the config says.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def headroom(config_file: Path | None, url: str | None, as_json: bool) -> None:
    url = (url or base_url(load_config(config_path(config_file, os.environ), os.environ).settings)).rstrip("/")
    status, answer = get(f"{url}/api/headroom", os.environ.get("DONUT_KEY"))
    if status in (401, 403):
        raise click.ClickException(f"the server at {url} wants a key: export DONUT_KEY=… (one of server.api_keys, or of `donut keys add`)")
    if status != 200 or not isinstance(answer, dict):
        raise click.ClickException(f"no donut answers at {url}: `donut serve` starts one. What was spent is in `donut usage`")
    if as_json:
        click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
    else:
        _print(answer, console())


COMMAND: click.Command = headroom


def _print(answer: Mapping[str, Any], out: Console) -> None:
    limits, holders = answer["data"], answer["holders"]
    if not limits:
        out.print("No limit is configured, and no provider has reported one yet: everything is unmetered as far as donut knows.")
        out.print("Limits are in the config (providers[].headroom, budgets, server.api_keys[].limits), or are made by `donut keys add`.")
        return
    out.print(_limits(limits))
    tight = [each for each in answer["replicas"] if each["tightest"] is not None]
    if tight:
        out.print(_replicas(tight, len(answer["replicas"]) - len(tight)))
    if holders:
        out.print(_holders(holders, answer["holders_left_out"]))


def _limits(limits: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Limits", "whose", "limit", "left", "", "used", "held", "lasts", "whole again", "from", "then")
    for each in limits:
        unit = each["unit"]
        table.add_row(
            shown(_whose(each)),
            shown(_limit_words(each)),
            _bar(each["share"]),
            _amount(unit, each["left"]),
            _amount(unit, each["used"]),
            _amount(unit, each["reserved"] + each["used_elsewhere"]),
            "–" if each["lasts_s"] is None else span(each["lasts_s"]),
            "–" if not each["resets_in_s"] else f"in {span(each['resets_in_s'])}",
            each["confidence"] + (f", {span(each['age_s'])} ago" if each["age_s"] else ""),
            "wait while others can" if each["is_paced"] else shown(each["on_exceed"]),
        )
    return table


def _replicas(rows: Sequence[Mapping[str, Any]], unlimited: int) -> Table:
    more = f", and {unlimited} without any limit" if unlimited else ""
    table = _table(f"Replicas and the tightest of their limits{more}", "replica", "left", "because of")
    for each in rows:
        tightest = each["tightest"]
        table.add_row(shown(each["id"]), _bar(each["share"]), shown(f"{_whose(tightest)}: {_limit_words(tightest)}"))
    return table


def _holders(rows: Sequence[Mapping[str, Any]], left_out: int) -> Table:
    more = f", {left_out} more are not shown" if left_out else ""
    table = _table(f"Held by open requests{more}", "replica", "tokens", "cost", "of", "given back at the latest")
    for each in rows:
        cost = "?" if each["cost_usd"] is None else in_usd(each["cost_usd"])
        expires = f"in {span(each['expires_in_s'])}"
        table.add_row(shown(each["replica_id"]), f"{each['tokens']:,}", cost, shown(", ".join(each["of"])), expires)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in ("", "used", "held", "tokens", "cost") else "left", no_wrap=name == "left")
    return table


def _whose(limit: Mapping[str, Any]) -> str:
    return "everybody" if limit["scope"] == "all" else f"{limit['scope']} {limit['id']}"


def _limit_words(limit: Mapping[str, Any]) -> str:
    """`$5.00 per day (budgets[0].cost)`."""
    window = limit["window"] or (span(limit["window_s"]) if limit["window_s"] else None)
    most = "a share" if limit["most"] is None else _amount(limit["unit"], limit["most"])
    unit = "" if limit["unit"] in ("cost", "share") else f" {limit['unit'].replace('_', ' ')}"
    return f"{most}{unit}{f' per {window}' if window else ''} ({limit['source']})"


def _amount(unit: str, value: float | None) -> str:
    if value is None:
        return "–"
    if unit == "cost":
        return in_usd(value) if value >= 0 else f"-{in_usd(-value)}"
    return f"{value:.0%}" if unit == "share" else f"{value:,.0f}"


def _bar(share: float | None) -> Text:
    if share is None:
        return Text("–")
    full = round(share * BAR)
    colour = "red" if share < ALARM_BELOW else "yellow" if share < WARN_BELOW else "green"
    return Text.assemble(("█" * full, colour), ("░" * (BAR - full), "dim"), f" {share:4.0%}")
