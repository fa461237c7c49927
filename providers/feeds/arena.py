"""The arena's leaderboards (people's votes between two answers), from a mirror that publishes them as JSON, a folder per day.

Elo is fitted anew every day: the day is the edition, and figures of two days are never compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.feeds import Feed, FeedError, Page, Parsed, Subjects, json_value, mapping, number, rows, text
from routing.ledger.names import spelled
from routing.ledger.readings import Reading

NAME = "arena"
LATEST = "/oolong-tea-2026/arena-ai-leaderboards/main/data/latest.json"
BOARDS = {
    "text": "arena_text_elo", "code": "arena_code_elo", "webdev": "arena_webdev_elo", "vision": "arena_vision_elo",
    "search": "arena_search_elo", "document": "arena_document_elo",
}  # fmt: skip


def paths(subjects: Subjects, has_key: bool) -> Sequence[str]:
    del subjects, has_key
    return (LATEST,)


def parse(page: Page) -> Parsed:
    data = mapping(json_value(page), "the answer")
    if page.path.endswith("/latest.json"):
        return Parsed((), more=_boards(data, page.path))
    board = page.path.rsplit("/", 1)[-1].removesuffix(".json")
    metric = BOARDS.get(board)
    if metric is None:
        raise FeedError(f"{board} is no board of ours")
    meta = mapping(data.get("meta"), "meta")
    date = (text(meta.get("last_updated")) or text(meta.get("fetched_at")) or page.path.rsplit("/", 2)[-2])[:10]
    return Parsed([reading for row in rows(data.get("models"), "models") for reading in _reading(row, metric, date, page)])


def _boards(data: Mapping[str, Any], path: str) -> Sequence[str]:
    """The pointer names a day; accepted are a date, or a path to its folder."""
    day = next((text(data.get(name)) for name in ("date", "latest", "path", "folder") if text(data.get(name))), "")
    day = day.strip("/").rsplit("/", 1)[-1]
    if len(day) != 10 or not day.replace("-", "").isdigit():
        raise FeedError("latest.json names no day")
    folder = path.removesuffix("latest.json") + day
    listed = data.get("leaderboards", data.get("boards", list(BOARDS)))
    names = [name for name in BOARDS if isinstance(listed, list | dict) and name in listed] or list(BOARDS)
    return [f"{folder}/{name}.json" for name in names]


def _reading(row: Mapping[str, Any], metric: str, date: str, page: Page) -> Iterator[Reading]:
    name = text(row.get("model"))
    model, score, votes = page.subjects.model(name), number(row.get("score")), number(row.get("votes"))
    if model is not None and score is not None:
        samples = int(votes) if votes is not None and 0 <= votes < 1e12 else None
        yield Reading(model, metric, score, NAME, date, date, effort=spelled(name).effort, samples=samples)


FEED = Feed(NAME, "https://raw.githubusercontent.com", paths, parse)
