"""The outside systems that donut exchanges figures and events with: CLIProxyAPI, Helios, thegent, agentapi, tokenledger, RouteLLM routers.

One file each, exporting one `ADAPTER`; what several of them need is in modules that begin with `_`. Formats are pure functions over parsed
files, total over anything JSON can hold: what has the wrong shape is left out and said so, never guessed. Whoever talks to a running system
does it with httpx, with a deadline and off the hot path. Facts about the systems: reference/adapters.md; what their sources say beyond it
stands beside the code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from providers.adapters._fields import FormatError, documents
from routing.ledger.readings import Reading


class Found(NamedTuple):
    """What a file says about models, and what in it could not be used."""

    readings: tuple[Reading, ...] = ()
    """Subjects are as the file names them, or as `names` translated them."""
    problems: tuple[str, ...] = ()
    """For a person: one line each."""


class FileFormat(NamedTuple):
    """One kind of file with figures for the ledger."""

    name: str
    recognise: Callable[[Any], bool]
    """Parsed JSON → is it one of these?"""
    read: Callable[[Any, Mapping[str, str]], Found]
    """(parsed JSON, what the file calls a runner or model → the logical model or entry it stands for) → figures. Never raises."""


@dataclass(frozen=True, slots=True)
class Adapter:
    name: str
    """As `adapters:` in the config and `donut ledger import` call it."""
    title: str
    formats: tuple[FileFormat, ...] = ()
    """The files of it that the ledger can import."""
    docs: str = ""


def read_file(data: bytes, formats: Sequence[FileFormat], names: Mapping[str, str] | None = None) -> Found:
    """The figures of a JSON or JSONL file that is one of `formats`. Raises FormatError when it is none of them, or no JSON at all."""
    found: list[Found] = []
    unknown = 0
    for document in documents(data):
        known = next((each for each in formats if each.recognise(document)), None)
        if known is None:
            unknown += 1
        else:
            found.append(known.read(document, names or {}))
    if not found:
        raise FormatError(f"this is none of {', '.join(each.name for each in formats)}")
    problems = [problem for each in found for problem in each.problems]
    if unknown:
        problems.append(f"{unknown} of its lines are something else, and were left out")
    return Found(tuple(reading for each in found for reading in each.readings), tuple(problems))
