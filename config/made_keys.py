"""Are there keys of `donut keys`, for the one question that needs them before a server runs: may it listen on an open address?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from config.document import Document
from config.journal_place import configured_place
from config.key_file import key_file, read_keys
from config.reading import client_keys, mapping, text
from config.state_settings import StateSettings, journal_problem
from providers.loopback import is_loopback

_WHERE = ("DONUT_DATA", "XDG_DATA_HOME", "HOME")


def made_keys(state: StateSettings, environ: Mapping[str, str]) -> Sequence[str]:
    """Names of the good ones. Raises ConfigError for a file that can not be used."""
    if state.journal is None and not any(environ.get(name) for name in _WHERE):
        return ()  # nobody said where anything is
    return [key.name for key in read_keys(key_file(configured_place(state, environ).beside)) if key.is_good]


def keys_beside(document: Document, environ: Mapping[str, str]) -> Sequence[str]:
    """The same for a file that is being judged; asked only where its own keys are not enough."""
    server, state = mapping(document.data, "server"), mapping(document.data, "state")
    journal = text(state, "journal")
    is_sure = not journal or journal_problem(journal) is None
    if not text(server, "host") or is_loopback(text(server, "host")) or client_keys(server) or not is_sure:
        return ()
    return made_keys(StateSettings(journal=journal or None), environ)
