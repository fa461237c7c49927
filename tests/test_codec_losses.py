"""Nothing is dropped in silence: what becomes of everything that clients ask for, in every direction. `providers/codecs/README.md` is made
from it: `GOLDEN=write` writes its tables anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.losses import FEATURES, UPSTREAM_MODEL, Fate, Outcome, outcome
from tests.translating import CODECS

README = Path(__file__).parent.parent / "providers" / "codecs" / "README.md"
BEGIN, END = "<!-- tables: tests/test_codec_losses.py -->\n", "<!-- end of tables -->\n"

PATH = "The request's path says it, not its body."
DEFAULT = "It is what these servers do when nothing is said."
IN_ANSWER = "It asks for a member of the answer: sealed reasoning comes back without being asked for where there is any."
BY_ITSELF = "Google caches by itself what requests begin with in common; a key only helps to find it."
OF_NO_USE: Mapping[tuple[str, str, str], str] = {
    ("chat", "gemini", "stream"): PATH,
    ("responses", "gemini", "stream"): PATH,
    ("messages", "gemini", "stream"): PATH,
    ("messages", "chat", "thinking adaptive"): DEFAULT,
    ("messages", "gemini", "service_tier standard_only"): DEFAULT,
    ("gemini", "chat", "thinkingBudget -1"): DEFAULT,
    ("chat", "gemini", "prompt_cache_key"): BY_ITSELF,
    ("responses", "gemini", "prompt_cache_key"): BY_ITSELF,
    ("responses", "chat", "reasoning.summary"): "Models behind this format show their thinking, or have none to show.",
    ("responses", "gemini", "reasoning.summary"): "Effort alone already asks Google's models for their thoughts.",
    **{("responses", upstream, "include reasoning.encrypted_content"): IN_ANSWER for upstream in ("chat", "messages", "gemini")},
}
"""(downstream, upstream, what) → why the upstream's request is the same with and without it and nothing is lost."""

CASES = [
    (downstream, upstream, what)
    for downstream in FEATURES
    for upstream in CODECS
    if upstream != downstream
    for what in FEATURES[downstream]
]


def told(downstream: str, upstream: str, what: str) -> Outcome:
    found = outcome(downstream, FEATURES[downstream][what], upstream)
    if found.fate is Fate.SILENT and (downstream, upstream, what) in OF_NO_USE:
        return Outcome(Fate.KEPT)
    return found


def test_every_format_is_asked_for() -> None:
    assert FEATURES.keys() == CODECS.keys() == UPSTREAM_MODEL.keys()


@pytest.mark.parametrize("downstream", FEATURES)
@pytest.mark.parametrize("upstream", CODECS)
def test_nothing_is_dropped_in_silence(downstream: str, upstream: str) -> None:
    asked = [what for each, other, what in CASES if (each, other) == (downstream, upstream)]
    fates = {what: told(downstream, upstream, what) for what in asked}
    assert [what for what, found in fates.items() if found.fate is Fate.SILENT] == []
    assert all(found.why for found in fates.values() if found.fate is not Fate.KEPT)


@pytest.mark.parametrize("case", OF_NO_USE, ids=" ".join)
def test_explanations_are_still_needed(case: tuple[str, str, str]) -> None:
    downstream, upstream, what = case
    assert outcome(downstream, FEATURES[downstream][what], upstream).fate is Fate.SILENT


@pytest.mark.parametrize("name", CODECS)
def test_its_own_format_says_all_of_it(name: str) -> None:
    """Only the codec's limits show here: equal dialects pass their bytes through."""
    model = {what: outcome(name, asked, name) for what, asked in FEATURES[name].items()}
    assert [what for what, found in model.items() if found.fate is Fate.SILENT] == SILENT_AT_HOME.get(name, [])


SILENT_AT_HOME: Mapping[str, list[str]] = {"gemini": []}


def tables() -> str:
    return "".join(f"\n## Asked in `{downstream}`\n\n{table(downstream)}" for downstream in FEATURES)


def table(downstream: str) -> str:
    """What does not survive, one line for all upstreams that give the same reason; then what survives everywhere."""
    lines, survivors = ["| asked for | upstream | | why |\n", "|---|---|---|---|\n"], []
    for what in FEATURES[downstream]:
        by_outcome: dict[Outcome, list[str]] = {}
        for upstream in CODECS:
            if upstream != downstream:
                by_outcome.setdefault(told(downstream, upstream, what), []).append(upstream)
        if list(by_outcome) == [Outcome(Fate.KEPT)]:
            survivors.append(what)
        lines += rows(what, by_outcome)
    return "".join(lines) + f"\nKept by all: {'; '.join(survivors)}.\n"


def rows(what: str, by_outcome: Mapping[Outcome, Iterable[str]]) -> list[str]:
    return [
        f"| {what} | {', '.join(upstreams)} | {found.fate} | {found.why.replace('|', '/')} |\n"
        for found, upstreams in by_outcome.items()
        if found.fate is not Fate.KEPT
    ]


def test_the_readme_says_so() -> None:
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    expected = before + BEGIN + tables() + END + after
    if os.environ.get("GOLDEN") == "write":
        README.write_text(expected)
    assert expected == README.read_text(), "the tables differ; read the difference, then GOLDEN=write if it is right"
