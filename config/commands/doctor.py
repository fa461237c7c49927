"""`donut doctor`: what was looked for, what was found, what is missing, and the one line that would fix it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
import orjson
from rich.table import Table

from config.commands import _checks as checks
from config.commands._checks import Finding
from config.commands._journal import console, shown
from config.commands._local import config_path, load_config, load_kinds, look_around
from config.problems import ConfigError
from config.settings import Settings
from config.source import Loaded

HELP = """Look around and say what donut would serve, and what keeps it from serving more.

Checked: Python and packages, the config file, the port, the journal, model servers on this machine, provider keys in the
environment (by name: no key is ever shown). Nothing is changed and nothing leaves this machine.

\b
Examples:
  donut doctor
  donut doctor --json | jq -r '.findings[] | select(.fix != "") | .fix'

\b
States: ok; missing = a choice you have not made; warning = works, but look; bad = donut cannot start like this.

\b
--json prints {"ok", "findings": [{"group", "name", "state", "detail", "fix"}]}.

\b
Exit codes:
  0  a real model can answer
  1  only the simulated fleet could, or something is bad
  2  wrong usage
"""

_STYLE = {"ok": "green", "missing": "dim", "warning": "yellow", "bad": "bold red"}


@click.command("doctor", help=HELP)
@click.option("--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="The server's config file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.pass_context
def doctor(context: click.Context, config_file: Path | None, as_json: bool) -> None:
    findings, serves = examine(config_path(config_file, os.environ))
    is_well = serves and all(finding.state != "bad" for finding in findings)
    if as_json:
        answer = {"ok": is_well, "findings": [asdict(finding) for finding in findings]}
        click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
    else:
        console().print(_table(findings))
    context.exit(0 if is_well else 1)


COMMAND: click.Command = doctor


def examine(path: Path | None) -> tuple[list[Finding], bool]:
    """(everything that was looked at, can a real model answer?). With a broken config, the rest is judged by the defaults."""
    environ = os.environ
    result: Loaded | ConfigError
    try:
        result = load_config(path, environ)
    except ConfigError as error:
        result = error
    settings = result.settings if isinstance(result, Loaded) else Settings()
    seen = look_around(settings, environ)
    findings = [
        *checks.check_programs(),
        *checks.check_open_files(),
        *checks.check_config(path, result),
        *checks.check_port(settings),
        *checks.check_journal(settings, environ),
        *checks.check_local(seen, settings),
        *checks.check_environment(seen, load_kinds(), settings),
        *checks.check_serving(seen),
    ]
    return findings, bool(seen.real_replicas() or seen.unlisted)


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(title="donut doctor", title_justify="left")
    table.add_column("where", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found", overflow="fold")
    table.add_column("to fix it", overflow="fold")
    group = ""
    for finding in findings:
        heading = finding.group if finding.group != group else ""
        table.add_row(heading, shown(finding.name), finding.state, shown(finding.detail), shown(finding.fix), style=_STYLE[finding.state])
        group = finding.group
    return table
