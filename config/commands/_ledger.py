"""What the subcommands of `donut ledger` share: opening the ledger as a server with this config would have it."""

from __future__ import annotations

import datetime as dt
import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import orjson

from config.commands._local import config_path, load_config
from config.journal_place import configured_place
from config.ledger.library import Library, open_library
from config.ledger.refreshing import Asking
from config.ledger.shelf import said_by_hand
from config.ledger.store import ledger_folder
from config.ledger.subjects import KnownSubjects
from config.settings import Settings
from routing.ledger.readings import source_named
from routing.ledger.resolver import Entry

DAY_S = 86_400


class Meant(NamedTuple):
    model: str
    confidence: float
    how: str


@dataclass(frozen=True, slots=True)
class Opened:
    library: Library
    settings: Settings
    folder: Path
    """Where feeds and imports are kept."""
    problems: list[str]
    now_s: float

    def now(self) -> str:
        """ISO time in UTC."""
        return dt.datetime.fromtimestamp(self.now_s, dt.UTC).isoformat(timespec="seconds")

    def age(self) -> str:
        """How old the figures are, in words."""
        day = dt.date.fromisoformat(self.library.snapshot.version)
        days = (dt.datetime.fromtimestamp(self.now_s, dt.UTC).date() - day).days
        feeds = ", ".join(f"{kept.feed} of {kept.fetched_at[:10]}" for kept in self.library.given.kept)
        return f"Shipped figures are of {day}, {days} days old. " + (f"Fetched: {feeds}." if feeds else "Nothing was fetched yet.")

    def credit(self) -> str:
        """Whose figures these are, as their licences and terms want it said wherever they are shown."""
        named = (source_named(sheet.source).attribution for sheet in self.library.book.sheets)
        return "Figures of: " + "; ".join(dict.fromkeys(name for name in named if name)) + "."

    def meant(self, name: str) -> Meant:
        """The model that `name` means. Raises ClickException with what was probably meant."""
        entry: Entry | None = self.library.entries.get(name)
        if entry is not None:
            return Meant(entry.model, 1.0, "an entry of the ledger")
        found = self.library.match(name)
        if found.id is not None:
            return Meant(found.id, found.confidence, found.how)
        if name in self.library.book:
            return Meant(name, 1.0, "its own name")
        hint = f"; did you mean {', '.join(found.suggestions)}?" if found.suggestions else ""
        raise click.ClickException(f"the ledger knows no model `{name}`{hint}")

    def asking(self) -> Asking:
        subjects = KnownSubjects(self.library.entries, self.library.match)
        return Asking(self.settings.sources, self.folder, os.environ, subjects)


def open_ledger(config_file: Path | None) -> Opened:
    """Raises ConfigError."""
    path = config_path(config_file, os.environ)
    settings = load_config(path, os.environ).settings
    folder = ledger_folder(configured_place(settings.state, os.environ).beside)
    where = "" if path is None else str(path)
    library, problems = open_library(said_by_hand(settings), settings.ledger.full_priority, folder, where)
    return Opened(library, settings, folder, problems, time.time())


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --config and --json; the command gets `opened` and `as_json`."""

    @click.option(
        "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="The server's config file."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    @functools.wraps(command)
    def wrapped(*args: Any, config_file: Path | None, **kwargs: Any) -> Any:
        return command(*args, opened=open_ledger(config_file), **kwargs)

    return wrapped


def echo_json(value: object) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=list))
