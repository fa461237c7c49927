"""`donut models`: what can be asked for, who serves it, and at which price."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import orjson
from rich.table import Table

from config.commands._journal import console, money, shown
from config.commands._local import base_url, config_path, get, load_config, look_around
from config.survey import Survey
from routing.types import ModelReplica

HELP = """List the models that donut serves, local ones first.

A running server is asked (with the key in $DONUT_KEY, if it wants one). When none runs, the list is what one would serve if it
started now: the config, the model servers on this machine and the keys in the environment are looked at, and nothing else is asked.

\b
Examples:
  donut models
  donut models --json | jq -r '.models[] | select(.local) | .replica'

\b
--json prints {"from": "server" | "discovery", "models": [{"model", "tier", "replica", "local", "context_window", "price", "source"}]}
with price = {"input", "output"} in USD per 1M tokens, or null when it is not known (by a server: not told).

\b
Exit codes: 0 a list was printed, 1 there is no model, or the server wants another key, 2 wrong usage or configuration.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One replica as it is shown."""

    model: str
    tier: str
    replica: str
    local: bool
    context_window: int | None
    price: dict[str, float | None] | None
    source: str


@click.command("models", help=HELP)
@click.option("--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="The server's config file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.pass_context
def models(context: click.Context, config_file: Path | None, as_json: bool) -> None:
    settings = load_config(config_path(config_file, os.environ), os.environ).settings
    url = base_url(settings)
    _, health = get(f"{url}/healthz")
    is_running = isinstance(health, dict) and health.get("service") == "donut"
    rows = _of_server(url) if is_running else _of_survey(look_around(settings, os.environ))
    rows.sort(key=lambda row: (not row.local, row.model, row.replica))
    if as_json:
        answer = {"from": "server" if is_running else "discovery", "models": [asdict(row) for row in rows]}
        click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
    elif rows:
        console().print(_table(rows, f"served at {url}/v1" if is_running else "no server runs; it would serve"))
    else:
        click.echo("There is no model. `donut doctor` says what is missing; `donut serve --demo` simulates some.")
    context.exit(0 if rows else 1)


COMMAND: click.Command = models


def _of_server(url: str) -> list[Row]:
    """What a running donut lists: an entry per logical model, with its replicas. Raises ClickException when it does not let us."""
    status, answer = get(f"{url}/v1/models", os.environ.get("DONUT_KEY"))
    if status in (401, 403):
        raise click.ClickException(f"the server at {url} wants a key: export DONUT_KEY=… (one of server.api_keys)")
    entries = answer.get("data") if isinstance(answer, dict) else None
    if status != 200 or not isinstance(entries, list):
        raise click.ClickException(f"the server at {url} answered GET /v1/models with {status or 'nothing'}")
    return [row for entry in entries if isinstance(entry, dict) for row in _rows_of_entry(entry)]


def _rows_of_entry(entry: Mapping[str, Any]) -> list[Row]:
    replicas = [name for name in entry.get("replicas") or () if isinstance(name, str)]
    if entry.get("id") in replicas:  # a replica listed under its own name as well
        return []
    common = (bool(entry.get("local")), entry.get("context_window"), None)
    return [Row(str(entry.get("id")), str(entry.get("tier", "")), replica, *common, "server") for replica in replicas]


def _of_survey(seen: Survey) -> list[Row]:
    return [_row(replica, source.origin) for replica, source in seen.replicas()]


def _row(replica: ModelReplica, source: str) -> Row:
    price = None if replica.price is None else {"input": replica.price.input, "output": replica.price.output}
    return Row(replica.logical_model_id, replica.tier.value, replica.id, replica.is_local, replica.context_window, price, source)


def _table(rows: Iterable[Row], title: str) -> Table:
    table = Table("model", "tier", "replica", "where", title=title, title_justify="left")
    table.add_column("context", justify="right")
    table.add_column("$ in / out per 1M", justify="right")
    table.add_column("known from")
    for row in rows:
        window = f"{row.context_window:,}" if row.context_window else "?"
        price = "free" if row.price and not any(row.price.values()) else _price(row)
        cells = (shown(row.model), shown(row.tier), shown(row.replica), "local" if row.local else "cloud", window, price, shown(row.source))
        table.add_row(*cells)
    return table


def _price(row: Row) -> str:
    return "?" if row.price is None else f"{money(row.price['input'])} / {money(row.price['output'])}"
