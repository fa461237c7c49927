"""Quality over cost, as characters for a terminal and as SVG for a page. Pure: points in, text out.

Cost is drawn on a logarithmic axis: prices differ by factors, and on a linear one all but the two dearest models would be one blot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from routing.ledger.pareto import Standing

WIDTH, HEIGHT = 72, 18
"""Characters of the terminal's plot without its frame: it fits 80 columns."""
SVG_WIDTH, SVG_HEIGHT, MARGIN = 960, 600, 70
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SMALLEST_USD = 0.01
"""What is free is drawn here: a logarithm has no place for zero."""


@dataclass(frozen=True, slots=True)
class Dot:
    name: str
    x: float
    """0 (cheapest) to 1."""
    y: float
    """0 (weakest) to 1."""
    is_on_front: bool
    cost: float
    quality: float


def dots(standings: Sequence[Standing]) -> list[Dot]:
    """Those that are rated, placed between the extremes."""
    rated = [(each, each.point.quality, each.point.cost) for each in standings]
    known = [(each, quality, cost) for each, quality, cost in rated if quality is not None and cost is not None]
    xs = _spread([math.log10(max(cost, SMALLEST_USD)) for _, _, cost in known])
    ys = _spread([quality for _, quality, _ in known])
    return [
        Dot(each.point.id, x, y, each.pareto_rank == 1, cost, quality) for (each, quality, cost), x, y in zip(known, xs, ys, strict=True)
    ]


def _spread(values: Sequence[float]) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return [0.5 if high == low else (value - low) / (high - low) for value in values]


def as_text(standings: Sequence[Standing]) -> str:
    """The plot with a letter for each member of the front and `·` for the others, and who the letters are."""
    placed = dots(standings)
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    front = [dot for dot in placed if dot.is_on_front]
    for dot in placed:
        if not dot.is_on_front:
            _put(grid, dot, "·")
    for letter, dot in zip(LETTERS, front, strict=False):
        _put(grid, dot, letter)
    top = max((dot.quality for dot in placed), default=1.0)
    bottom = min((dot.quality for dot in placed), default=0.0)
    lines = [f"{_label(row, top, bottom)}│{''.join(cells)}" for row, cells in enumerate(grid)]
    lines.append("     └" + "─" * WIDTH)
    cheapest, dearest = min((dot.cost for dot in placed), default=0.0), max((dot.cost for dot in placed), default=0.0)
    ends = f"${cheapest:.2f}", f"${dearest:.2f} per 1M tokens →"
    lines.append("      " + ends[0] + ends[1].rjust(WIDTH - len(ends[0])))
    lines += [f"  {letter}  {dot.name}  (quality {dot.quality:.2f}, ${dot.cost:.2f})" for letter, dot in zip(LETTERS, front, strict=False)]
    return "\n".join(lines)


def _put(grid: list[list[str]], dot: Dot, mark: str) -> None:
    grid[round((1 - dot.y) * (HEIGHT - 1))][round(dot.x * (WIDTH - 1))] = mark


def _label(row: int, top: float, bottom: float) -> str:
    """The quality at the edges."""
    if row == 0:
        return f"{top:5.2f}"
    return f"{bottom:5.2f}" if row == HEIGHT - 1 else " " * 5


def as_svg(standings: Sequence[Standing], title: str) -> str:
    """A whole SVG document. Names come from outside and are escaped."""
    placed = dots(standings)
    front = sorted((dot for dot in placed if dot.is_on_front), key=lambda dot: dot.x)
    path = " ".join(f"{'L' if number else 'M'}{_x(dot):.1f} {_y(dot):.1f}" for number, dot in enumerate(front))
    marks = "\n".join(_mark(dot) for dot in placed)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SVG_WIDTH} {SVG_HEIGHT}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<text x="{MARGIN}" y="32" font-size="18">{escape(title)}</text>
<path d="M{MARGIN} {MARGIN - 20}V{SVG_HEIGHT - MARGIN}H{SVG_WIDTH - MARGIN}" fill="none" stroke="#888"/>
<text x="{SVG_WIDTH // 2}" y="{SVG_HEIGHT - 24}" text-anchor="middle">USD per 1M tokens (usual mix, logarithmic)</text>
<text transform="translate(24 {SVG_HEIGHT // 2}) rotate(-90)" text-anchor="middle">quality</text>
<path d="{path}" fill="none" stroke="#0a7" stroke-width="2" stroke-dasharray="5 4"/>
{marks}
</svg>
"""


def _mark(dot: Dot) -> str:
    colour, radius = ("#0a7", 6) if dot.is_on_front else ("#bbb", 4)
    name = f'<text x="{_x(dot) + 9:.1f}" y="{_y(dot) + 4:.1f}">{escape(dot.name)}</text>' if dot.is_on_front else ""
    tip = f"<title>{escape(dot.name)}: quality {dot.quality:.3f}, ${dot.cost:.3f}</title>"
    return f'<circle cx="{_x(dot):.1f}" cy="{_y(dot):.1f}" r="{radius}" fill="{colour}">{tip}</circle>{name}'


def _x(dot: Dot) -> float:
    return MARGIN + 12 + dot.x * (SVG_WIDTH - 2 * MARGIN - 140)


def _y(dot: Dot) -> float:
    return SVG_HEIGHT - MARGIN - 12 - dot.y * (SVG_HEIGHT - 2 * MARGIN - 20)
