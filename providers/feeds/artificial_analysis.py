"""Artificial Analysis: indices, evaluations, speeds and prices of some 670 models. Needs a key; its terms want attribution wherever figures
are shown, and no passing on: they are kept on this machine.

Both generations of its API are read: `/api/v2/language/models/free?page=N`, which every key may ask, and the older
`/api/v2/data/llms/models`, whose indices are of an edition that it does not tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.feeds import DAY_S, Feed, FeedError, Page, Parsed, Subjects, json_value, mapping, number, rows, text, words
from routing.ledger.names import spelled
from routing.ledger.readings import Reading

NAME = "artificial_analysis"
FREE, OLD = "/api/v2/language/models/free", "/api/v2/data/llms/models"

INDICES = {
    "artificial_analysis_intelligence_index": "intelligence_index",
    "artificial_analysis_coding_index": "coding_index",
    "artificial_analysis_agentic_index": "agentic_index",
    "artificial_analysis_math_index": "math_index",
}
SHARES = {
    "mmlu_pro": "mmlu_pro", "gpqa": "gpqa", "hle": "hle", "livecodebench": "livecodebench", "scicode": "scicode",
    "math_500": "math_500", "aime": "aime", "aime_25": "aime_2025", "ifbench": "ifbench", "lcr": "long_context_reasoning",
    "terminalbench_hard": "terminal_bench_hard", "tau2": "tau2_bench",
}  # fmt: skip
"""Shares of 1 → percent."""
SPEEDS = {
    "median_output_tokens_per_second": "speed_tps",
    "median_time_to_first_token_seconds": "ttft_s",
    "median_time_to_first_answer_token_seconds": "first_answer_s",
    "median_time_to_first_answer_token": "first_answer_s",
    "median_end_to_end_response_time_seconds": "end_to_end_s",
}
PRICES = {
    "price_1m_input_tokens": "price_input",
    "price_1m_output_tokens": "price_output",
    "price_1m_cache_hit_tokens": "price_cache_read",
    "price_1m_cache_write_tokens": "price_cache_write",
}


def paths(subjects: Subjects, has_key: bool) -> Sequence[str]:
    del subjects, has_key
    return (f"{FREE}?page=1",)


def parse(page: Page) -> Parsed:
    data = mapping(json_value(page), "the answer")
    if "error" in data and "data" not in data:
        raise FeedError(f"it says: {words(data['error'])}")
    about = data.get("meta") if isinstance(data.get("meta"), Mapping) else data
    assert isinstance(about, Mapping)
    edition = about.get("intelligence_index_version", data.get("intelligence_index_version"))
    version = "" if edition is None else str(edition)[:20]
    readings = [reading for row in rows(data.get("data"), "data") for reading in _readings(row, version, page)]
    return Parsed(readings, more=_next(about, page.path))


def _next(about: Mapping[str, Any], path: str) -> Sequence[str]:
    """The next page, if there is one and it is the next."""
    pagination = about.get("pagination")
    if not isinstance(pagination, Mapping) or pagination.get("has_more") is not True:
        return ()
    number_of_page = pagination.get("page")
    if not isinstance(number_of_page, int) or isinstance(number_of_page, bool):
        raise FeedError("pagination without a page number")
    base = path.partition("?")[0]
    return (f"{base}?page={number_of_page + 1}",)


def _readings(row: Mapping[str, Any], version: str, page: Page) -> Iterator[Reading]:
    slug = text(row.get("slug")) or text(row.get("name"))
    model = page.subjects.model(slug) or page.subjects.model(text(row.get("name")))
    if model is None:
        return
    effort = spelled(slug).effort or spelled(text(row.get("name"))).effort
    figures = row.get("evaluations")
    groups: list[tuple[Mapping[str, str], object, float]] = [(INDICES, figures, 1.0), (SHARES, figures, 100.0)]
    groups += [(SPEEDS, row.get("performance"), 1.0), (SPEEDS, row, 1.0), (PRICES, row.get("pricing"), 1.0)]
    for names, holder, factor in groups:
        held: Mapping[str, Any] = holder if isinstance(holder, Mapping) else {}
        for theirs, metric in names.items():
            value = number(held.get(theirs))
            # Zero in a price or a speed is how the older generation writes "not measured".
            if value is not None and (value != 0 or names in (INDICES, SHARES)):
                yield Reading(
                    model, metric, value * factor, NAME, version, page.today, effort=effort, where="https://artificialanalysis.ai/"
                )


FEED = Feed(
    NAME,
    "https://artificialanalysis.ai",
    paths,
    parse,
    interval_s=DAY_S,
    key_variable="AA_API_KEY",
    needs_key=True,
    auth=lambda key: {"x-api-key": key},
    pause_s=1.0,
    instead={FREE: OLD},
)
