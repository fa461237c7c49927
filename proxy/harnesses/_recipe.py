"""How a harness is pointed at donut: which variables and which members of which files. Data; `config/connecting` prints and writes it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Value = str | int | bool | Mapping[str, "Value"]


@dataclass(frozen=True, slots=True)
class Link:
    """What a harness has to know of donut."""

    url: str
    """Scheme, host and port, without a path: what follows is the harness's convention."""
    key: str | None = None
    """None: this donut asks for none."""
    model: str = "auto"
    small_model: str = "auto"
    """For the harness's background chores."""
    window: int = 128_000
    """Context window of `model` in tokens. Harnesses that do not know a model guess: Codex 272,000, Claude Code 1,000,000, OpenCode none,
    and then compact too late or never."""

    @property
    def output(self) -> int:
        """Tokens that an answer may have, where a harness has to be told: it keeps them free in the window."""
        return min(32_000, self.window // 4)

    @property
    def v1(self) -> str:
        return f"{self.url}/v1"

    @property
    def any_key(self) -> str:
        """Many clients refuse to start without a key, whether or not anybody asks for it."""
        return self.key or "donut"


class Format(enum.StrEnum):
    TOML = "toml"
    JSON = "json"
    """Comments and trailing commas are kept where there are some."""
    ENV = "env"
    """`NAME=value` lines."""


class Setting(NamedTuple):
    """One member of a file: what it becomes, and why it has to be there."""

    path: tuple[str, ...]
    value: Value | None
    """None: it must not be there (TOML only)."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    folder: str
    """Below the home directory: `.codex`."""
    name: str
    format: Format
    settings: tuple[Setting, ...]
    folder_variable: str = ""
    """Environment variable that holds the folder in place of `folder`."""
    more_names: tuple[str, ...] = ()
    """Other names of the file: where one of them is there already, it is the one."""


class Start(NamedTuple):
    """What one run needs, with no file touched."""

    variables: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    """Put before the person's own."""
    homes: Mapping[str, tuple[str, str]] = {}
    """Variable that names a folder → a file below it, and the file's text without secrets. The folder is one of donut's own."""


@dataclass(frozen=True, slots=True)
class Recipe:
    word: str
    """What `donut connect` calls it: `claude`."""
    program: str = ""
    """Its executable; empty where there is none to start."""
    files: Callable[[Link], tuple[ConfigFile, ...]] = lambda link: ()
    variables: Callable[[Link], tuple[Setting, ...]] = lambda link: ()
    """Environment variables that it needs beside its files (or in place of them), for every run."""
    start: Callable[[Link], Start] | None = None
    """For `--run`; None: it can not be started by donut."""
    clears: tuple[str, ...] = ()
    """Variables of other set-ups that would win over donut's, taken away for `--run`."""
    snippet: Callable[[Link], str] | None = None
    """Text for a file that is the person's own program or config."""
    notes: tuple[str, ...] = ()
