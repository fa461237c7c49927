"""The command line: `donut`. Commands live in `config/commands/`, one module each, exporting `COMMAND`.

Rules:
- A command's module is imported when the command runs, not before: `donut --help` and `donut check` stay quick. What the list of
  commands says about each is the first line of its module's docstring, read without running it.
- Everything that is the user's to mend leaves as one message on stderr and exit code 2, without a traceback.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

import config.commands
from config.discovery import load_one, module_names
from config.loading import load_little
from config.problems import ConfigError

HELP = """donut puts every language model you have behind one address.

It is an OpenAI-compatible streaming proxy for coding harnesses: it decides per request which model and which machine answers,
local ones first, streams the answer back, and remembers what it cost.

\b
Start here:
  donut serve               listen on http://127.0.0.1:8317 with whatever this machine has
  donut serve --demo        the same with simulated models: no key, no cost
  donut check donut.yaml    is my configuration right?
  donut doctor              what was looked for, what was found, what is missing

`donut -config FILE` is short for `donut serve --config FILE`.

\b
Exit codes: 0 done, 1 the answer is no (or it failed), 2 wrong usage or configuration.
"""

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 130}
_OWN_OPTIONS = ("--help", "-h", "--version")
_PREFIX = re.compile(r"^`?donut \w+`?\s*[:.–-]\s*")


class ConfigProblem(click.ClickException):
    """A configuration that can not be used, as click shows it."""

    exit_code = 2


class LazyGroup(click.Group):
    """Finds its commands in `config.commands` and imports the one that is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return module_names(config.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        return load_one(config.commands, cmd_name, "COMMAND", click.Command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise ConfigProblem(str(error)) from error


def summary(command: str) -> str:
    """The first sentence about a command: its module's docstring, whose `donut NAME:` is dropped. Nothing is imported."""
    spec = importlib.util.find_spec(f"{config.commands.__name__}.{command}")
    if spec is None or spec.origin is None:
        return ""
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    line = _PREFIX.sub("", docstring.partition("\n")[0])
    return line[:1].upper() + line[1:]


def version() -> str:
    """The installed version; a checkout that was never installed has none."""
    try:
        return importlib.metadata.version("donut-proxy")
    except importlib.metadata.PackageNotFoundError:
        return "unknown (not installed)"


def with_serve(args: Sequence[str]) -> list[str]:
    """The arguments with CLIProxyAPI's spelling made ours: `-config FILE` → `serve --config FILE`, wherever `serve` is implied."""
    plain = [re.sub(r"^-config(?=$|=)", "--config", arg) for arg in args]
    implied = bool(plain) and plain[0].startswith("-") and plain[0] not in _OWN_OPTIONS
    return ["serve", *plain] if implied else plain


@click.group(cls=LazyGroup, help=HELP, invoke_without_command=True, context_settings=_CONTEXT)
@click.version_option(version(), prog_name="donut")
@click.pass_context
def cli(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """The console script. Leaves by SystemExit."""
    args = with_serve(sys.argv[1:])
    load_little(is_server=args[:1] == ["serve"])
    cli.main(args=args, prog_name="donut")


if __name__ == "__main__":
    main()
