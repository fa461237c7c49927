"""Excerpts and small weights files for the classifier's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from routing.classify.excerpt import Excerpt
from routing.classify.profile import Profile
from routing.classify.shape import Family, Shape
from routing.classify.weights import FIELD_BYTES, HEADS, MAGIC, STEPS


def excerpt(
    human: str,
    *,
    endpoint: str = "chat",
    system: str = "",
    tool_names: tuple[str, ...] = (),
    has_images: bool = False,
    output_tokens_max: int | None = None,
) -> Excerpt:
    """A single human turn."""
    return Excerpt(
        endpoint=endpoint,
        system=system,
        human=human,
        human_chars=len(human),
        opening=human,
        tool_names=tool_names,
        has_images=has_images,
        output_tokens_max=output_tokens_max,
    )


def weights_file(
    words: Mapping[str, Sequence[int]],
    *,
    stairs: Mapping[tuple[Family, str], tuple[Sequence[float], Sequence[Sequence[int]]]] | None = None,
    word_steps: Sequence[float] | None = None,
    intercepts: Sequence[float] | None = None,
    magic: str = MAGIC,
) -> bytes:
    """A weights file as text and rows of steps, a step per head. A figure without stairs has a single bin of zeros."""
    zeros = [0] * len(HEADS)
    ones = [1.0] * len(HEADS)
    lines, rows = [], list(words.values())
    for family in Family:
        for name in Shape._fields:
            edges, bins = (stairs or {}).get((family, name), ((), (zeros,)))
            lines.append(" ".join(["stairs", family.name, name, *map(str, edges)]))
            rows.extend(bins)
    header = [
        magic,
        "note made by a test",
        f"heads {' '.join(HEADS)}",
        f"intercepts {_figures(intercepts or zeros)}",
        f"word_steps {_figures(word_steps or ones)}",
        f"stair_steps {_figures(ones)}",
        "scale 0 1",
        *(f"lean {profile} {lean}" for profile, lean in zip(Profile, (-1.0, 0.0, 1.0), strict=True)),
        "lean chat 0",
        *lines,
        f"words {len(words)}",
    ]
    packed = b"".join((step + STEPS).to_bytes(FIELD_BYTES, "little") for row in rows for step in row)
    return "\n".join([*header, "", *words, ""]).encode() + packed


def _figures(values: Sequence[float]) -> str:
    return " ".join(map(str, values))
