"""`donut route`: where would this request go, and why? Nothing is sent."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import click
import orjson

import providers.dialects
from config.commands._decision import decision_facts, print_facts, print_tables
from config.commands._journal import console, money
from config.commands._local import config_path, load_config
from config.discovery import discover, module_names
from config.runtime import Runtime
from providers.dialects import Dialect
from proxy.dry_run import Call, Moment, NotDecidableError, demand_of, foresee
from proxy.serving import Serving

HELP = """Say where a request would go, and why. Nothing is sent, reserved or written down.

REQUEST.json is a whole request body, as a client would send it; without a file, or with -, it is read from standard input. The
whole conversation counts: judged by its last message alone, a long one looks small and cheap.

\b
What is served is found out as `donut serve` does it: the config, the model servers on this machine, the keys in the environment.
What a running server has learned (who is ill, who is slow, which conversation belongs where) is not known here; ask it instead:
  curl -s localhost:8317/api/routing/select -d @request.json

\b
Examples:
  donut route --config donut.yaml request.json
  echo '{"model": "auto", "messages": [{"role": "user", "content": "rename x to y"}]}' | donut route
  donut route --header "x-donut-tier: small" --header "x-donut-local: required" request.json
  donut route --table request.json
  donut route request.json | jq -r .replica_id

\b
The JSON is the decision as `donut explain --json` has it: kind (dispatch or refusal), target, demand (what the request was taken
for), logical_model_id, replica_id, selected_because, candidates with score and factors (best first), weights,
rejected_candidates with reason, estimated_cost_usd.

\b
Exit codes: 0 somebody would answer, 1 nobody would (the refusal is printed), 2 wrong usage, request or configuration.
"""


@click.command("route", help=HELP)
@click.argument("request", required=False, type=click.File("rb"), default="-", metavar="[REQUEST.json]")
@click.option("--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Configuration file.")
@click.option("--json", "style", flag_value="json", help="Print the decision as JSON: the default unless a person looks.")
@click.option("--table", "style", flag_value="table", help="Print it for people: the default on a terminal.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A request header, as often as you like.")
@click.option("--dialect", default="chat", type=click.Choice(module_names(providers.dialects)), show_default=True, help="Its wire format.")
@click.option("--no-discovery", is_flag=True, help="Ask no port and no provider what it serves: config and environment alone.")
@click.option("--demo", is_flag=True, help="Route among the simulated fleet.")
@click.pass_context
def route(
    context: click.Context,
    *,
    request: Any,
    config_file: Path | None,
    style: str | None,
    headers: tuple[str, ...],
    dialect: str,
    no_discovery: bool,
    demo: bool,
) -> None:
    raw: bytes = request.read()
    settings = load_config(config_path(config_file, os.environ), os.environ).settings
    runtime = Runtime(settings, os.environ, write_lines=lambda _: None, demo=demo)
    if not no_discovery:
        asyncio.run(runtime.look_around())
    dialects = {each.name: each for each in discover(providers.dialects, "DIALECT", Dialect).values()}
    call = Call(dialects[dialect], _object(raw), len(raw), [_header(text) for text in headers])
    record = _decide(call, runtime.gateway.serving)
    as_table = style == "table" or (style is None and sys.stdout.isatty())
    if as_table:
        _print(record)
    else:
        click.echo(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    context.exit(0 if record["kind"] == "dispatch" else 1)


COMMAND = route


def _decide(call: Call, serving: Serving) -> dict[str, Any]:
    moment = Moment(time.monotonic(), time.time())
    try:
        return foresee(demand_of(call, serving, moment.now_s), serving, moment)
    except NotDecidableError as error:
        where = f"{error.reply.param}: " if error.reply.param and error.reply.param not in str(error) else ""
        raise click.UsageError(f"{where}{error}") from error


def _object(raw: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise click.UsageError(f"the request is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    if not isinstance(data, dict):
        raise click.UsageError("the request must be a JSON object: the body of a request")
    return data


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not text.isascii():
        raise click.BadParameter(f"write it as 'x-donut-tier: small', not {text!r}", param_hint="--header")
    return name.strip().lower().encode(), value.strip().encode()


def _print(record: dict[str, Any]) -> None:
    out = console()
    if record["kind"] == "dispatch":
        print_facts([("would go", f"to {record['replica_id']} ({record['logical_model_id']})")], out)
        print_facts([("cost", f"~{money(record['estimated_cost_usd'])}")], out)
    else:
        print_facts([("refused", record["reason"])], out)
    print_facts(decision_facts(record), out)
    print_tables(record, out)
