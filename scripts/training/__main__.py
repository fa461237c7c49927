"""The command behind `scripts/train-classifier`: read, cross-validate honestly, train on everything, write."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from routing.types import Classification
from scripts.training.report import Judged, report
from scripts.training.rows import FOLDS, Example, read_rows
from scripts.training.teaching import Teacher, WithWords

OUT = Path(__file__).parents[2] / "config" / "data" / "classifier.bin"
OUT_EMBED = Path("heads.npz")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options().parse_args(arguments)
    try:
        teacher = WithWords() if options.embed is None else with_vectors(options.embed)
        examples = read_rows([Path(folder) for folder in options.data])
    except (OSError, ValueError) as error:
        print(f"train-classifier: {error}", file=sys.stderr)
        return 1
    print(f"{len(examples)} rows, {sum(map(_teaches, examples))} of them to learn from", flush=True)
    if not options.no_cross_validation:
        judged = cross_validate(examples, teacher, leave_set_out=options.leave_set_out)
        print(report(judged), flush=True)
        if options.predictions is not None:
            options.predictions.write_text("".join(map(_prediction, judged)), encoding="utf-8")
    out = None if options.dry_run else options.out or (OUT if options.embed is None else OUT_EMBED)
    size = teacher.write([example for example in examples if _teaches(example)], options.note, out)
    print(f"{size:,} bytes{', not written' if out is None else f' → {out}'}")
    return 0


def with_vectors(folder: Path) -> Teacher:
    """By name: model2vec is needed for this only. Raises ValueError without it, or where no model is in `folder`."""
    try:
        teacher: Teacher = importlib.import_module("scripts.training.vectors").WithVectors(folder)
    except ImportError as error:
        raise ValueError(f"--embed needs a package that is not installed: .venv/bin/pip install -e '.[train,embed]' ({error})") from error
    return teacher


def cross_validate(examples: Sequence[Example], teacher: Teacher, *, leave_set_out: bool = False) -> Judged:
    """Every example with what a classifier said that was trained without the example's question, in whatever set or wording it stands; with
    `leave_set_out` also without its whole set.

    Everything is learned anew for each part, the vocabulary and the quantised file included: this is the code that serves requests.
    """
    parts: dict[str, list[Example]] = {}
    for example in examples:
        parts.setdefault(example.source if leave_set_out else str(example.fold), []).append(example)
    judged: list[tuple[Example, Classification]] = []
    for part, held in sorted(parts.items()):
        asked = {example.question for example in held}
        is_held = set(map(id, held))
        seen = [example for example in examples if _teaches(example) and id(example) not in is_held and example.question not in asked]
        classifier = teacher.teach(seen)
        judged.extend((example, classifier.classify(example.excerpt)) for example in held)
        print(f"  part {part}: {len(held)} rows judged by what {len(seen)} taught", flush=True)
    return judged


def _teaches(example: Example) -> bool:
    return example.may_train and example.is_text


def _prediction(pair: tuple[Example, Classification]) -> str:
    example, found = pair
    return json.dumps({"id": example.id, "tier": found.tier, "use_case": found.use_case, "score": found.difficulty}) + "\n"


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train-classifier",
        description="Train the classifier's weights on labelled JSONL, and say honestly how good they are on questions they have not seen.",
        epilog="A row: {id, messages, gold: {kind: route, weak, strong} | {kind: tier, tier: 0-3} | {kind: usecase, use_case}}. "
        "The rows of one file share a scale. Rows with eval_only, or NC in their licence, are measured on and never learned from. "
        "With --embed, what is written goes into the config as routing: {classifier: {embed: {model: FOLDER, heads: FILE}}}.",
    )
    parser.add_argument("--data", nargs="+", required=True, metavar="FOLDER", help="folders with *.jsonl")
    parser.add_argument("--embed", type=Path, metavar="FOLDER", help="a static embedding model that is to have a say: see below")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"where it goes (default: the shipped file; with --embed {OUT_EMBED})")
    parser.add_argument("--note", default=f"trained {datetime.date.today()}", help="a line for people, kept in the file")
    parser.add_argument("--predictions", type=Path, metavar="FILE", help="write what cross-validation said of each row, as JSONL")
    parser.add_argument("--no-cross-validation", action="store_true", help=f"skip the {FOLDS} extra trainings that measure")
    parser.add_argument("--leave-set-out", action="store_true", help="measure each set by weights that saw no row of it")
    parser.add_argument("--dry-run", action="store_true", help="measure and train, write nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
