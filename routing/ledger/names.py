"""Which model a name means, over all the ways in which sources spell names; with how sure that is, and "did you mean" where it is not.

Sources decorate names: with the vendor (`anthropic/`, `us.anthropic.`, `accounts/fireworks/models/`), a lane (`:free`), a date
(`-20260929`, `-0613`), a reasoning effort (`-high`, `_max`, `(xHigh)`, `-thinking-32k`), an edition (`-v1:0`, `-latest`, `-preview`), and
local ones with how the weights are packed. Each layer that has to come off costs confidence. Sizes and families never come off:
`qwen3-8b` is not `qwen3-32b`, and `-mini` is another model.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from routing.naming import normalise, parameters_from_name

SUGGESTIONS = 3
ALIKE = 0.6
"""difflib's ratio from which a name is worth suggesting; its own default."""

_VENDOR = re.compile(
    r"^(?:(?:us|eu|apac|global|jp|au|ca|us-gov)\.)?"
    r"(?:anthropic|openai|meta|amazon|mistral|deepseek|qwen|google|cohere|ai21|moonshot|moonshotai|minimax|nvidia|writer|zai|xai)\."
)
_BEDROCK = re.compile(r"-v[1-9]:0(?=$|:)")
_LANE = re.compile(r":(?:free|beta|nitro|floor|exacto|extended|thinking|online)$")
_IN_BRACKETS = re.compile(r"\s*\(([^()]*)\)\s*$")
_EFFORT_WORDS = r"none|minimal|low|medium|high|xhigh|max"
_EFFORT = re.compile(
    rf"[-_ ](?:({_EFFORT_WORDS})(?:[-_ ]effort)?|(?:non[-_ ]?)?(thinking|reasoning)(?:[-_ ](\d+k|{_EFFORT_WORDS}))?|(\d+k)|no[-_ ]?think)$"
)
_DATE = re.compile(r"-(?:20\d{6}|20\d{2}-\d{2}-\d{2}|\d{2}-\d{2}|\d{4})$")
_EDITION = re.compile(r"-(?:preview|latest|exp|experimental|beta|original)$")


class Spelling(NamedTuple):
    """A name taken apart."""

    plain: str
    """Lower case, dashes only, without vendor, lane and edition number: what most sources agree on."""
    effort: str
    """Empty when the name does not say."""
    steadfast: str
    """`plain` without the effort."""
    undated: str
    """`steadfast` without date and edition."""
    unpacked: str
    """The same without how the weights are packed."""


def nobody() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Match:
    """`id` is None when nothing is sure enough."""

    id: str | None
    confidence: float
    how: str
    effort: str = ""
    alike: Callable[[], tuple[str, ...]] = field(default=nobody, repr=False, compare=False)

    @property
    def suggestions(self) -> tuple[str, ...]:
        """What was probably meant, where nothing was sure. Looked for when asked: it takes milliseconds, and feeds bring hundreds of
        strange names."""
        return self.alike()


def bare(name: str) -> str:
    """The name without vendor, lane and revision, otherwise as it is written.

    >>> bare("us.anthropic.claude-opus-4-7-v1:0"), bare("accounts/fireworks/models/glm-5p3"), bare("x-ai/grok-4.6:free")
    ('claude-opus-4-7', 'glm-5p3', 'grok-4.6')
    """
    return _BEDROCK.sub("", _VENDOR.sub("", _LANE.sub("", name.strip().rsplit("/", 1)[-1])))


def spelled(name: str) -> Spelling:
    """The name in its layers. The effort comes off `plain`, too, where it stands in brackets: nobody's model is called so.

    >>> spelled("Claude-Opus-4.7 (xHigh)")[:3], spelled("us.anthropic.claude-opus-4-7-v1:0").plain
    (('claude-opus-4-7', 'xhigh', 'claude-opus-4-7'), 'claude-opus-4-7')
    """
    text, in_brackets = _without_brackets(name.strip().lower())
    plain = _dashed(bare(text))
    steadfast, effort = plain, in_brackets
    while (found := _EFFORT.search(steadfast)) is not None and found.start() > 0:
        effort = effort or "-".join(part for part in found.groups() if part) or "none"
        steadfast = steadfast[: found.start()]
    undated = steadfast
    while (shorter := _EDITION.sub("", _DATE.sub("", undated))) != undated and shorter:
        undated = shorter
    return Spelling(plain, effort, steadfast, undated, normalise(undated).replace(".", "-"))


def _without_brackets(text: str) -> tuple[str, str]:
    effort = ""
    while (found := _IN_BRACKETS.search(text)) is not None:
        inner = found[1].replace(" ", "-")
        effort = effort or (inner if re.fullmatch(_EFFORT_WORDS, inner) else "")
        text = text[: found.start()]
    return text, effort


def _dashed(text: str) -> str:
    # Fireworks writes 5.3 as 5p3.
    text = re.sub(r"(?<=\d)p(?=\d)", "-", text)
    return re.sub(r"[\s_:@+.-]+", "-", text).strip("-")


_LAYERS = (
    ("plain", 0.95, "the same name, spelled another way"),
    ("steadfast", 0.9, "the same name without the effort"),
    ("undated", 0.85, "the same name without date and edition"),
    ("unpacked", 0.75, "the same weights, packed another way"),
)
"""Which layer has to agree → how sure that is. Judgements, in the order of how often each has misled."""


class NameIndex:
    """All known names of the logical models."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        """(name, logical id) pairs. A spelling that two models claim means neither, unless it is one's own id: then it means that one, the
        first in order where two ids differ in spelling only."""
        pairs = list(names)
        self._ids = {logical for _, logical in pairs}
        self._exact: dict[str, str] = {}
        self._layers: dict[str, dict[str, str | None]] = {layer: {} for layer, _, _ in _LAYERS}
        owned: dict[str, set[str]] = {layer: set() for layer in self._layers}
        for name, logical in sorted(pairs, key=lambda pair: pair[0] != pair[1]):
            self._exact.setdefault(name, logical)
            spelling = spelled(name)
            for layer in ("plain", "unpacked"):
                key, claimed = getattr(spelling, layer), self._layers[layer]
                if name == logical:
                    owned[layer].add(key)
                if claimed.setdefault(key, logical) != logical and key not in owned[layer]:
                    claimed[key] = None
        # What is looked for loses its layers; what is known keeps them: a dated id must not stand for its undated cousin.
        self._layers["steadfast"] = self._layers["undated"] = self._layers["plain"]

    def match(self, name: str) -> Match:
        """The model that `name` means. A name and its match never say two sizes."""
        exact = self._exact.get(name)
        if exact is not None:
            confidence, how = (1.0, "its own name") if exact == name else (0.99, "a known name of it")
            return Match(exact, confidence, how, spelled(name).effort)
        spelling = spelled(name)
        for layer, confidence, how in _LAYERS:
            found = self._layers[layer].get(getattr(spelling, layer))
            if found is not None and _sizes_agree(name, found):
                # `qwen3.7-max` is a model, and then its last word is no effort.
                is_part_of_it = layer == "plain" and spelling.plain != spelling.steadfast
                return Match(found, confidence, how, "" if is_part_of_it else spelling.effort)
        return Match(None, 0.0, "no model of that name", spelling.effort, partial(self._alike, spelling))

    def _alike(self, spelling: Spelling) -> tuple[str, ...]:
        known: Mapping[str, str | None] = self._layers["plain"]
        close = difflib.get_close_matches(spelling.undated, known, n=3 * SUGGESTIONS, cutoff=ALIKE)
        return tuple(dict.fromkeys(name for key in close if (name := known[key]) is not None))[:SUGGESTIONS]


def _sizes_agree(name: str, other: str) -> bool:
    sizes = {size for size in (parameters_from_name(name), parameters_from_name(other)) if size is not None}
    return len(sizes) < 2
