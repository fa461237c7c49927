"""What `donut usage` and `donut explain` share: finding the journal, asking it, and printing for people.

Rules: the journal is opened read-only, so that a running server never notices. Only `state.journal` of the config file is
judged here: whoever asks what was spent need not have the server's provider keys in the environment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import click
from pydantic import ValidationError
from rich.console import Console

from config.document import read_document
from config.explanation import vocabulary
from config.journal_place import configured_place, place_of
from config.problems import ConfigError
from config.source import default_config_path
from config.state_settings import StateSettings, journal_problem, sqlite_path
from proxy.journal.answers import Answers
from proxy.journal.places import Place, SqlitePlace
from proxy.journal.port import StoreError

_Command = TypeVar("_Command", bound=Callable[..., None])
_Answer = TypeVar("_Answer")

_PIPE_WIDTH = 180
"""Columns of a table that goes into a file or a pipe, where nothing should be folded."""


def journal_options(command: _Command) -> _Command:
    """Adds --config and --journal, which become `config_file` and `journal`."""
    command = click.option(
        "--journal",
        metavar="URL",
        help="The journal itself: a file, sqlite:////absolute.db or postgresql://user@host/database. Overrides the config's state.journal.",
    )(command)
    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The server's config file, to learn where its journal is. Default: the one `donut serve` would take.",
    )(command)


def find_journal(journal: str | None, config_file: Path | None, environ: Mapping[str, str] = os.environ) -> Place:
    """Where the journal is, or will be. Raises click.ClickException when config does not say it properly."""
    if journal is not None and "://" not in journal:
        return SqlitePlace(sqlite_path(journal))
    if journal is not None:
        why = journal_problem(journal)
        if why is not None:
            raise click.BadParameter(why, param_hint="--journal")
        return place_of(journal, environ)
    config_file = config_file or default_config_path(environ, Path.cwd())
    return configured_place(StateSettings() if config_file is None else _state(config_file, environ), environ)


def ask(place: Place, question: Callable[[Answers], Awaitable[_Answer]]) -> _Answer:
    """Open the journal, ask, close. Raises click.ClickException with what the store said."""

    async def run() -> _Answer:
        reader = place.reader()
        await reader.open()
        try:
            return await question(reader)
        finally:
            await reader.close()

    try:
        return asyncio.run(run())
    except StoreError as error:
        raise click.ClickException(str(error)) from error


def console() -> Console:
    """For tables. No markup and no emoji: texts from clients are shown as they are."""
    return Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def shown(text: object) -> str:
    """`text` for a terminal: a control character that a client sent must not act on it. None is a dash."""
    return "–" if text is None else "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text))


def money(usd: float | None, *, estimated: bool = False, incomplete: bool = False) -> str:
    """`$1.25`, `$0.000420`; `?` unknown, `$0.01 + ?` partly unknown, `~$0.01` when it rests on estimated tokens."""
    if usd is None:
        return "?"
    digits = 2 if usd >= 1 or usd == 0 else 4 if usd >= 0.01 else 6
    return f"{'~' if estimated else ''}${usd:,.{digits}f}{' + ?' if incomplete else ''}"


def _state(config_file: Path, environ: Mapping[str, str]) -> StateSettings:
    """`state` of the file, with nothing but the journal in it."""
    try:
        document = read_document(config_file.read_text("utf-8-sig"), str(config_file), environ, vocabulary())
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{config_file}: {error}") from error
    if ("state", "journal") in document.unresolved:
        raise click.ClickException(f"{config_file}: state.journal names a variable that is not set here; use --journal")
    state = document.data.get("state")
    if not isinstance(state, dict):
        return StateSettings()
    try:
        return StateSettings.model_validate({"journal": state.get("journal")})
    except ValidationError as error:
        why = "; ".join(problem["msg"] for problem in error.errors(include_url=False, include_input=False))
        raise click.ClickException(f"{config_file}: state.journal: {why}") from error
