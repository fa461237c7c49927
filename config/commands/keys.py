"""`donut keys`: client keys that are made, listed and revoked while the server runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click
import orjson
from pydantic import ValidationError
from rich import box
from rich.table import Table

from config.commands._journal import console, find_journal, journal_options, shown
from config.key_file import StoredKey, key_file, locked, new_key, read_keys, write_keys
from config.limit_settings import UNITS, Ceiling
from config.problems import nearest
from proxy.when import iso

HELP = """Make, list and revoke the keys that clients of donut send.

As soon as there is one key, whoever has none gets 401. A key is shown once, when it is made; what is kept, beside the journal, is its
SHA-256. A running server takes changes over within two seconds. Keys in the config file (server.api_keys) stay as they are: this command
neither shows nor changes them.

\b
Examples:
  donut keys add alice
  donut keys add ci --models 'qwen3-*' --local-only
  donut keys add team-b --limit day:cost=5 --limit minute:requests=60 --policy code
  donut keys list
  donut keys revoke ci
"""

ADD_HELP = """Make a key for NAME, and print it: the only time it can be seen.

NAME stands in the journal, in `donut usage --by key` and in budgets (`scope: key:NAME`).

\b
--limit WINDOW:UNIT=FIGURE, repeatable:
  WINDOW  minute, hour, 5h, day, week, month (rolling)
  UNIT    tokens, input_tokens, output_tokens, requests, cost (USD)
Beyond its limit a key gets 429 (tokens, requests) or 402 (cost) with what, how much and until when; its answers carry x-ratelimit-*
headers. With --models or --local-only, `auto` and tiers choose among what the key may use, a model that is named and not allowed is a 403,
and GET /v1/models lists only what is.

\b
Examples:
  donut keys add alice
  donut keys add ci --models 'qwen3-*' --models 'box/*' --local-only
  donut keys add team-b --limit day:cost=5 --limit minute:requests=60
  OPENAI_API_KEY=$(donut keys add me --json | jq -r .key) codex
"""

LIST_HELP = """List the keys that `donut keys add` made: who, since when, held to what. The keys themselves are not kept anywhere.

--json prints {"file", "keys": [{"name", "created_at", "revoked_at", "policy", "models", "local_only", "limits"}]}, times in UTC.
"""

REVOKE_HELP = """Take the key of NAME out of use. A running server refuses it within two seconds; streams that are open go on to their end.

It stays in the list as revoked, so that the last revoked key does not open the door to everybody.
"""

_KIND = "WINDOW:UNIT=FIGURE"


@click.group("keys", help=HELP)
def keys() -> None:
    pass


COMMAND = keys


@keys.command("add", help=ADD_HELP)
@click.argument("name")
@click.option("--policy", metavar="NAME", help="The policy of its requests.")
@click.option("--models", multiple=True, metavar="PATTERN", help="A logical model or replica it may use, with *; may be repeated.")
@click.option("--local-only", is_flag=True, help="Only models on this machine and network answer it.")
@click.option("--limit", "limits", multiple=True, metavar=_KIND, help="What it may use; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help='Print {"name", "key", "file"}.')
@journal_options
def add(
    *,
    name: str,
    policy: str | None,
    models: tuple[str, ...],
    local_only: bool,
    limits: tuple[str, ...],
    as_json: bool,
    config_file: Path | None,
    journal: str | None,
) -> None:
    path = _path(journal, config_file)
    key, digest = new_key()
    wanted = {"name": name, "policy": policy, "models": models, "local_only": local_only, "limits": _ceilings(limits)}
    made = _stored({**wanted, "sha256": digest, "created_at": round(time.time(), 3)})
    with locked(path):
        known = read_keys(path)
        if any(each.name == name and each.is_good for each in known):
            raise click.ClickException(f"{name} has a key already: revoke it first, or choose another name")
        _write(path, (*(each for each in known if each.name != name), made))
    if as_json:
        click.echo(orjson.dumps({"name": name, "key": key, "file": str(path)}))
        return
    click.echo(key)
    click.echo(f"This is the key of {name}. It is shown this once; {path} holds only its digest.", err=True)


@keys.command("list", help=LIST_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@journal_options
def list_(as_json: bool, config_file: Path | None, journal: str | None) -> None:
    path = _path(journal, config_file)
    known = read_keys(path)
    if as_json:
        click.echo(orjson.dumps({"file": str(path), "keys": [_told(each) for each in known]}, option=orjson.OPT_INDENT_2))
    elif not known:
        click.echo(f"No keys were made: there is nothing at {path}. `donut keys add NAME` makes one.")
    else:
        console().print(_table(known))


@keys.command("revoke", help=REVOKE_HELP)
@click.argument("name")
@journal_options
def revoke(name: str, config_file: Path | None, journal: str | None) -> None:
    path = _path(journal, config_file)
    with locked(path):
        known = read_keys(path)
        good = [each.name for each in known if each.is_good]
        if name not in good:
            hint = nearest(name, good)
            more = f"did you mean {hint}?" if hint else f"there are {', '.join(good) or 'none'}"
            raise click.ClickException(f"no key of {name!r} is in use in {path}: {more}")
        now = round(time.time(), 3)
        _write(path, tuple(each.model_copy(update={"revoked_at": now}) if each.name == name else each for each in known))
    click.echo(f"The key of {name} is revoked.")


def _path(journal: str | None, config_file: Path | None) -> Path:
    return key_file(find_journal(journal, config_file, os.environ).beside)


def _write(path: Path, known: tuple[StoredKey, ...]) -> None:
    try:
        write_keys(path, known)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from error


def _ceilings(limits: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """`day:cost=5` … → window → unit → figure."""
    found: dict[str, dict[str, str]] = {}
    for text in limits:
        window, colon, rest = text.partition(":")
        unit, equals, figure = rest.partition("=")
        if not (colon and equals and window and unit and figure):
            raise click.BadParameter(f"{text!r} is not {_KIND}, such as day:cost=5", param_hint="--limit")
        if unit not in UNITS:
            hint = nearest(unit, UNITS)
            meant = f"; did you mean {hint}?" if hint else ""
            raise click.BadParameter(f"{unit!r} is none of {', '.join(UNITS)}{meant}", param_hint="--limit")
        found.setdefault(window, {})[unit] = figure
    return found


def _stored(fields: dict[str, Any]) -> StoredKey:
    try:
        return StoredKey.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part != "[key]")
        raise click.UsageError(f"{where}: {first['msg']}") from error


def _told(key: StoredKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "created_at": iso(key.created_at),
        "revoked_at": None if key.revoked_at is None else iso(key.revoked_at),
        "policy": key.policy,
        "models": key.models,
        "local_only": key.local_only,
        "limits": {window: ceiling.model_dump(exclude_defaults=True) for window, ceiling in key.limits.items()},
    }


def _table(known: tuple[StoredKey, ...]) -> Table:
    table = Table("name", "state", "since", "policy", "models", "limits", box=box.SIMPLE, pad_edge=False)
    for key in known:
        since = key.created_at if key.revoked_at is None else key.revoked_at
        models = [*key.models, *(["local only"] if key.local_only else [])]
        limits = [f"{_figures(ceiling)} per {window}" for window, ceiling in key.limits.items()]
        cells = (key.name, "good" if key.is_good else "revoked", iso(since), key.policy, ", ".join(models) or "all")
        table.add_row(*map(shown, cells), ", ".join(limits) or "none")
    return table


def _figures(ceiling: Ceiling) -> str:
    given = ((unit, value) for unit in UNITS if (value := getattr(ceiling, unit)) is not None)
    return ", ".join(f"${value:g}" if unit == "cost" else f"{value:,} {unit.replace('_', ' ')}" for unit, value in given)
