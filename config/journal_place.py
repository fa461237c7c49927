"""Journal URL → place. Which database it is decides nothing else anywhere."""

from __future__ import annotations

from collections.abc import Mapping

from config.state_settings import POSTGRES_SCHEMES, StateSettings, data_folder, default_journal_url, sqlite_path
from proxy.journal.places import Place, PostgresPlace, SqlitePlace


def configured_place(state: StateSettings, environ: Mapping[str, str]) -> Place:
    """The journal of the configuration, or the one that is taken when it names none."""
    return place_of(state.journal or default_journal_url(environ), environ)


def place_of(url: str, environ: Mapping[str, str]) -> Place:
    """The place behind a URL in which `journal_problem` found nothing."""
    if url.startswith(POSTGRES_SCHEMES):
        return PostgresPlace(url, data_folder(environ))
    return SqlitePlace(sqlite_path(url))
