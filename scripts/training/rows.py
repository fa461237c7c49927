"""Labelled rows in, examples out: what may be learned from each, which question it asks, and how its text looks to the classifier."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.commands.classify import excerpt_of
from routing.classify.excerpt import Excerpt
from routing.classify.shape import Family, Shape, family_of, shape_of
from routing.classify.words import grams_of, tokens_of, window

OWN_PROMPTS = Path(__file__).parent / "prompts.txt"
FORBIDDEN = ("NC", "eval_only")
"""Licences for research only, and rows that their makers set aside to measure on: measured on, never trained on."""
TIERS = ("micro", "small", "mid", "frontier")
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled request. A label that a row does not have is None."""

    id: str
    source: str
    """The set it comes from: rows of one set share a scale and a weight."""
    question: str
    """The same for rows that ask the same thing, in whatever set: they are never on both sides of a split."""
    gold: dict[str, Any]
    excerpt: Excerpt
    may_train: bool
    is_text: bool
    """Is the text of the turn what decides? Not for images, embeddings and chores: structure settles those."""
    gain: float | None
    """How much better the strong model did than the weak one."""
    tier: int | None
    use_case: str | None
    family: Family
    shape: Shape
    grams: frozenset[str]

    @property
    def fold(self) -> int:
        return int(hashlib.sha256(self.question.encode()).hexdigest(), 16) % FOLDS


def read_rows(folders: Sequence[Path]) -> list[Example]:
    """Every row of every `*.jsonl` in `folders`, and donut's own prompts. Raises ValueError, naming file and line, on what is no row."""
    examples = list(_own_prompts())
    for folder in folders:
        files = sorted(folder.glob("*.jsonl"))
        if not files:
            raise ValueError(f"{folder}: no *.jsonl in it")
        for file in files:
            examples.extend(_read_file(file))
    return examples


def _read_file(file: Path) -> Iterator[Example]:
    # Split at newlines alone: `splitlines` also splits at U+2028, which JSON allows within a string.
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield _example(row, file.stem)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file}:{number}: not a labelled row ({type(error).__name__}: {error})") from error


def _own_prompts() -> Iterator[Example]:
    for number, line in enumerate(OWN_PROMPTS.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            use_case, tier, text = line.split(" ", 2)
            gold = {"kind": "own", "use_case": use_case} | ({} if tier == "-" else {"kind": "tier", "tier": TIERS.index(tier)})
            message = {"role": "user", "content": text.replace("\\n", "\n")}
            yield _example({"id": f"own-{number}", "messages": [message], "gold": gold}, "own")


def _example(row: dict[str, Any], source: str) -> Example:
    gold = row["gold"]
    excerpt = excerpt_of(row)
    text = window(excerpt.human)
    tokens = tokens_of(text)
    grams = grams_of(tokens)
    shape = shape_of(text, excerpt.human_chars, tokens, grams)
    licence = f"{row.get('licence', '')} {'eval_only' if row.get('eval_only') else ''}"
    structural = bool(row.get("endpoint") or excerpt.has_images or gold.get("agentkind") == "chore" or "traj" in gold or not text)
    return Example(
        id=str(row["id"]),
        source=source,
        question=_question(text),
        gold=gold,
        excerpt=excerpt,
        may_train=not any(word in licence for word in FORBIDDEN),
        is_text=not structural,
        gain=float(gold["strong"]) - float(gold["weak"]) if gold["kind"] == "route" else None,
        tier=_tier(row, source),
        use_case=gold.get("use_case"),
        family=family_of(shape),
        shape=shape,
        grams=frozenset(grams),
    )


def _tier(row: dict[str, Any], source: str) -> int | None:
    gold = row["gold"]
    if source == "usecase" and gold.get("domain") == "coding" and "arena-hard" in row.get("source", ""):
        # Arena-Hard is made of the hardest prompts of the arena; the tier set of agent requests labels its coding half so, too.
        return len(TIERS) - 1
    return int(gold["tier"]) if gold["kind"] == "tier" else None


_PROGRAM = re.compile(r"\[PYTHON\](.*?)\[/PYTHON\]", re.DOTALL)
_OPTIONS = re.compile(r"(?:^|\n)\s*\(?A[.)] ", re.IGNORECASE)
_EXAMPLES = re.compile(r"\nAnswer:[ ]?\n?[A-J]\s*\n")


def _question(text: str) -> str:
    """What a text asks, without its template: the program to trace, the last question after worked examples, the stem without options."""
    if program := _PROGRAM.search(text):
        text = program[1]
    text = _EXAMPLES.split(text)[-1]
    options = _OPTIONS.search(text)
    if options and options.start() > 20:
        text = text[: options.start()]
    return re.sub(r"\W+", "", text.lower())[:400]
