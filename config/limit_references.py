"""What concerns budgets and other values at once: whose use a budget counts, and whether anybody of that name is there.

These are warnings: providers may be discovered and keys be made by `donut keys` while the server runs. Rule: nothing here repeats a value
that a variable brought in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from config.document import Document
from config.policy_references import HARNESSES, known_policies
from config.problems import Path, Problem, did_you_mean
from config.reading import declared_names, items, mapping, shown, text
from config.state_settings import StateSettings

DAYS: Mapping[str, float] = {"day": 1, "week": 7, "month": 31}


def limit_warnings(document: Document, known_models: Collection[str]) -> Iterator[Problem]:
    yield from _unknown_names(document, known_models)
    yield from _forgotten(document)


def _unknown_names(document: Document, known_models: Collection[str]) -> Iterator[Problem]:
    known = {
        "policy": known_policies(document),
        "harness": HARNESSES,
        "provider": {text(provider, "id") for _, provider in items(document.data, "providers")},
        "model": {*known_models, *declared_names(document)},
    }
    for index, budget in items(document.data, "budgets"):
        scope, _, name = text(budget, "scope").partition(":")
        if name and scope in known and name not in known[scope]:
            path: Path = ("budgets", index, "scope")
            message = f"`{shown(document, path, text(budget, 'scope'))}`: this file knows no {scope} of that name"
            yield document.problem(path, message, did_you_mean(name, known[scope]) or "the budget counts nothing until there is one")


def _forgotten(document: Document) -> Iterator[Problem]:
    """What was used is counted from the journal after a restart, as far back as it goes."""
    kept = text(mapping(document.data, "state"), "retention_days")
    try:
        days = float(kept) if kept else StateSettings().retention_days
    except ValueError:
        return  # the settings complain
    for index, budget in items(document.data, "budgets"):
        needed = DAYS.get(text(budget, "window"), 0)
        if 0 < days < needed:
            message = f"state.retention_days keeps {days:g} days: after a restart the rest of the {text(budget, 'window')} is forgotten"
            yield document.problem(("budgets", index, "window"), message, f"keep {needed:g} days")
