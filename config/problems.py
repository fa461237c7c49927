"""What is wrong with a configuration, as data, and how a person sees it.

Rules: a problem names file, line, column and key; its words say what to do. No problem ever carries a configured value that
may be a secret: only names, allowed values, and text that was written as `${NAME}` in the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

Path = tuple[str | int, ...]
"""Where a value is in the document: `("providers", 0, "models", 1, "upstream")`."""

EXCERPT_LIMIT = 160
"""Characters of an offending line that are shown: a config line is shorter, a pasted blob is not worth more."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `line` and `column` count from 1; 0 means that the whole file is meant."""

    file: str
    line: int
    column: int
    key: str
    """`providers[0].models[1].upstrem`; empty when no key is to blame."""
    message: str
    suggestion: str = ""
    excerpt: str = ""
    """The offending line with a caret below, for errors of the YAML itself; secrets are masked."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        words = f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"
        if self.suggestion:
            words += f"{' ' if self.suggestion.startswith('(') else '; '}{self.suggestion}"
        return f"{words}\n{self.excerpt}" if self.excerpt else words

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: the fields of this class by name."""
        return asdict(self)


class ConfigError(Exception):
    """The configuration can not be used. `problems` has everything that was found; `str()` is the report for a person."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        assert problems, "an error without a problem helps nobody"
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column, problem.key)))
        super().__init__(render(self.problems))


def render(problems: Sequence[Problem]) -> str:
    """The report: a head line with the count, then one problem per line in the order of the file."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{problems[0].file}: {count}", *(f"  {problem}".replace("\n", "\n  ") for problem in problems)])


def dotted(path: Path) -> str:
    """`("providers", 0, "id")` → `providers[0].id`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(name: str, allowed: Collection[str]) -> str:
    """The allowed name that `name` was probably meant to be, or an empty string. Case, `-` and `_` do not count."""
    plain = {word.lower().replace("-", "_"): word for word in allowed}
    hits = get_close_matches(name.lower().replace("-", "_"), plain, n=1, cutoff=0.6)
    return plain[hits[0]] if hits else ""


def did_you_mean(name: str, allowed: Collection[str]) -> str:
    """A ready suggestion, or an empty string when nothing is near."""
    hit = nearest(name, allowed)
    return f"did you mean `{hit}`?" if hit else ""


_WORD = re.compile(r"\$\{\w+|[^\s\[\]{},:\"'#]+")


def excerpt(line: str, column: int, known: Collection[str]) -> str:
    """`line` with a caret under `column` (from 1). Words that are not of the config's own vocabulary are starred out.

    The line is broken YAML, so nobody can tell a key from a secret in it; structure and known words are enough to find the spot.
    """

    def mask(match: re.Match[str]) -> str:
        word = match.group()
        harmless = word in known or word.startswith("${") or len(word) < 4
        return word if harmless else "*" * len(word)

    start = max(0, column - EXCERPT_LIMIT)
    shown = _WORD.sub(mask, line)[start : start + EXCERPT_LIMIT].replace("\t", "→")
    return f"  | {shown}\n  | {' ' * (column - 1 - start)}^"
