"""Vellum's leaderboard: a page for people, no interface. Every table on it that has a column of models and one that we know is read; a page
that has changed beyond that is an error, and what it said before stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bs4 import BeautifulSoup, Tag

from providers.feeds import Feed, FeedError, Page, Parsed, Subjects
from routing.ledger.readings import Reading

NAME = "vellum"
PATH = "/llm-leaderboard"
COLUMNS: Mapping[str, str] = {
    "gpqadiamond": "gpqa", "gpqa": "gpqa", "aime2025": "aime_2025", "aime": "aime", "swebench": "swe_bench_verified",
    "swebenchverified": "swe_bench_verified", "humanityslastexam": "hle", "hle": "hle", "arcagi2": "arc_agi_2", "mmlu": "mmlu",
    "mmlupro": "mmlu_pro", "livecodebench": "livecodebench", "aiderpolyglot": "aider_polyglot", "bfcl": "bfcl",
    "terminalbench": "terminal_bench", "speed": "speed_tps", "tokenssecond": "speed_tps", "ttft": "ttft_s", "latencyttft": "ttft_s",
}  # fmt: skip
"""Heading, letters and digits only → metric."""
MODEL_HEADINGS = frozenset({"model", "models", "modelname"})
_FIGURE = re.compile(r"-?\d+(?:[.,]\d+)?")
ROWS_MAX = 2000
"""Of one table: the page has some sixty."""


def paths(subjects: Subjects, has_key: bool) -> Sequence[str]:
    del subjects, has_key
    return (PATH,)


def parse(page: Page) -> Parsed:
    soup = BeautifulSoup(page.body, "html.parser")
    tables = soup.find_all("table")
    found = [_table(table) for table in tables]
    known = [each for each in found if each is not None]
    if not known:
        raise FeedError(f"none of its {len(tables)} tables has a column of models and one of scores that donut knows: the page has changed")
    return Parsed([reading for columns, body in known for row in body for reading in _readings(columns, row, page)])


def _table(table: Tag) -> tuple[dict[int, str], list[list[str]]] | None:
    """(column → metric, rows of text); None for a table of something else. Column of the models: -1 as metric `model`."""
    lines = [[_text(cell) for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")[: ROWS_MAX + 1]]
    if len(lines) < 2:
        return None
    headings = [re.sub(r"[^a-z0-9]", "", heading.lower()) for heading in lines[0]]
    columns = {place: COLUMNS[heading] for place, heading in enumerate(headings) if heading in COLUMNS}
    models = [place for place, heading in enumerate(headings) if heading in MODEL_HEADINGS]
    return ({**columns, models[0]: "model"}, lines[1:]) if columns and models else None


def _text(cell: Tag) -> str:
    return cell.get_text(" ", strip=True)[:200]


def _readings(columns: Mapping[int, str], row: Sequence[str], page: Page) -> Iterator[Reading]:
    place = next(place for place, metric in columns.items() if metric == "model")
    model = page.subjects.model(row[place]) if place < len(row) else None
    if model is None:
        return
    for column, metric in columns.items():
        figure = _FIGURE.search(row[column]) if column < len(row) and metric != "model" else None
        if figure is not None:
            yield Reading(model, metric, float(figure[0].replace(",", ".")), NAME, updated_at=page.today)


FEED = Feed(NAME, "https://www.vellum.ai", paths, parse, interval_s=7 * 86_400.0)
