"""What is known of a harness: where it comes from, what it speaks, how one unattended run is started and where its last word stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODEL = "scripted"
"""The model's name everywhere: no harness knows it, so none has a special case for it."""
KEY = "sk-scripted-key-000000000000000000000000"


@dataclass(frozen=True, slots=True)
class Package:
    """An npm package, pinned: the drivers read output formats that change between versions."""

    name: str
    version: str
    command: str
    """In `node_modules/.bin`."""
    runs_install_script: bool = False
    """It fetches its binary in an install script, which newer npm runs only when told so."""
    needs_node: int = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run happens. Everything below a folder of its own, so that the user's own configuration is neither read nor touched."""

    url: str
    """Without /v1."""
    home: Path
    work: Path


@dataclass(frozen=True, slots=True)
class Launch:
    """How it is started, once its files are written."""

    arguments: Sequence[str]
    """After the command."""
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Harness:
    """One file in `known/` exports these."""

    name: str
    dialect: str
    prepare: Callable[[Place, str], Launch]
    """(place, prompt) → launch; writes the configuration below `place.home`."""
    last_word: Callable[[str, Path], str]
    """(standard output, home) → the final text, or what it says went wrong."""
    package: Package | None = None
    """None: a script of this project, run with donut's own Python."""
    distribution: str | None = None
    """Then: the SDK whose version counts."""


def json_lines(text: str) -> Iterator[Mapping[str, Any]]:
    """The objects among the lines; everything else is somebody's log."""
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value
