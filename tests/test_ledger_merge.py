"""The merge: who wins each figure, that the quick way and the explained way agree, and that nothing is lost on the way to JSON and back."""

from __future__ import annotations

import tracemalloc
from array import array
from math import inf, nan

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.ledger.book import Book
from routing.ledger.merge import Figure
from routing.ledger.metrics import METRICS, OTHER_NAMES, PRICE_FIELDS, Kind
from routing.ledger.plain import sheet_as_plain, sheets_from_plain
from routing.ledger.readings import PRIORITY, SOURCES, Reading, version_order
from routing.ledger.sheet import Sheet, sheets_of
from routing.ledger.terms import PriceOverride, Terms

MODEL = "some-model"


def reading(value: float, source: str, metric: str = "gpqa", subject: str = MODEL, **more: object) -> Reading:
    return Reading(subject, metric, value, source, **more)  # type: ignore[arg-type]


def figure(*readings: Reading, metric: str = "gpqa", priority: tuple[str, ...] = PRIORITY) -> Figure:
    book = Book(sheets_of(readings), priority)
    found = book.figure(MODEL, metric)
    assert book.value(MODEL, metric) == found.value
    return found


def test_the_order_of_the_sources_is_the_designs() -> None:
    order = ("manual", "live", "artificial_analysis", "openrouter", "arena", "shipped")
    assert [name for name in PRIORITY if name in order] == list(order)


def test_every_source_beats_those_after_it() -> None:
    readings = [reading(float(place), source, samples=99) for place, source in enumerate(PRIORITY)]
    while readings:
        found = figure(*reversed(readings))
        assert found.winner is not None
        assert (found.winner.source, found.value) == (readings[0].source, readings[0].value)
        assert len(found.candidates) == len(readings)
        assert all(readings[0].source in each.why for each in found.candidates[1:])
        readings.pop(0)


def test_config_may_rank_the_sources_otherwise() -> None:
    both = reading(80.0, "artificial_analysis"), reading(70.0, "epoch")
    assert figure(*both).value == 80.0
    assert figure(*both, priority=("epoch", "artificial_analysis")).value == 70.0
    assert figure(*both, reading(1.0, "shipped"), priority=("shipped",)).value == 80.0  # before what was shipped, whatever config forgot


def test_a_source_that_nobody_registered_comes_before_what_was_shipped() -> None:
    assert figure(reading(80.0, "somebody"), reading(70.0, "shipped")).value == 80.0


def test_too_few_samples_do_not_win() -> None:
    few = figure(reading(90.0, "live", "speed_tps", samples=19), reading(50.0, "openrouter", "speed_tps"), metric="speed_tps")
    assert few.value == 50.0
    assert [each.why for each in few.candidates if each.reading.source == "live"] == ["only 19 samples, 20 are needed"]
    assert figure(reading(90.0, "live", "speed_tps", samples=20), reading(5.0, "openrouter", "speed_tps"), metric="speed_tps").value == 90.0


def test_editions_of_a_scale_are_never_mixed() -> None:
    others = [reading(60.0, "artificial_analysis", "intelligence_index", f"m{i}", version="4.3") for i in range(4)]
    old = reading(70.0, "artificial_analysis", "intelligence_index", version="4.0")
    found = figure(*others, old, metric="intelligence_index")
    assert found.value is None
    assert "4.3 is in force" in found.candidates[0].why
    # Another source's figure of the edition in force does count, and a person's word is of no edition.
    with_router = figure(*others, old, reading(61.0, "openrouter", "intelligence_index", version="4.3"), metric="intelligence_index")
    assert with_router.value == 61.0
    assert figure(*others, old, reading(57.0, "manual", "intelligence_index"), metric="intelligence_index").value == 57.0


def test_an_edition_comes_into_force_once_it_covers_enough() -> None:
    old = [reading(60.0, "artificial_analysis", "intelligence_index", f"m{i}", version="4.3") for i in range(10)]
    new = [reading(50.0, "artificial_analysis", "intelligence_index", f"m{i}", version="9.9") for i in range(5)]
    assert Book(sheets_of([*old, *new[:4]])).value("m0", "intelligence_index") == 60.0
    assert Book(sheets_of([*old, *new])).value("m0", "intelligence_index") == 50.0
    assert Book(sheets_of([*old, *new])).value("m9", "intelligence_index") is None


def test_the_newest_date_of_a_source_counts_and_then_the_best_effort() -> None:
    found = figure(
        reading(80.0, "epoch", updated_at="2026-01-01", effort="max"),
        reading(60.0, "epoch", updated_at="2026-09-10", effort="low"),
        reading(70.0, "epoch", updated_at="2026-09-10", effort="high"),
    )
    assert found.value == 70.0
    assert {each.why for each in found.candidates[1:]} == {"the same source has 70 at effort high"}
    quick = figure(reading(2.0, "epoch", "ttft_s"), reading(1.0, "epoch", "ttft_s"), metric="ttft_s")
    assert quick.value == 1.0


@pytest.mark.parametrize("value", [nan, inf, -inf, -1.0, 1e300, 101.0])
def test_what_can_not_be_is_quarantined_and_said(value: float) -> None:
    found = figure(reading(value, "artificial_analysis"), reading(50.0, "shipped"))
    assert found.value == 50.0
    assert found.candidates[1].why.startswith("quarantined")


def test_a_metric_that_nobody_knows_is_no_figure() -> None:
    book = Book(sheets_of([reading(1.0, "manual", "gqpa")]))
    assert (book.value(MODEL, "gqpa"), book.figures(MODEL)) == (None, [])


def test_editions_sort_as_numbers() -> None:
    versions = ["4.10", "", "4.3", "2026-09-08", "4.0", "2026-04-19"]
    assert sorted(versions, key=version_order) == ["", "4.0", "4.3", "4.10", "2026-04-19", "2026-09-08"]


def test_the_vocabulary_is_wide_enough_and_closed() -> None:
    assert len(METRICS) >= 60
    assert PRICE_FIELDS.keys() <= METRICS.keys()
    assert {name for name, _ in OTHER_NAMES.values()} <= METRICS.keys()
    assert all(METRICS[name].kind is Kind.PRICE for name in PRICE_FIELDS)
    assert {
        "intelligence_index",
        "coding_index",
        "agentic_index",
        "gpqa",
        "swe_bench_verified",
        "terminal_bench",
        "aider_polyglot",
    } <= METRICS.keys()
    assert all(0 < source.confidence <= 1 for source in SOURCES.values())


def test_a_price_has_the_conditions_of_whoever_gave_its_input() -> None:
    key = "anthropic/x"
    long = Terms((PriceOverride((("input", 9.0),), 100),), (("batch", 0.5),))
    shipped = sheets_of([reading(3.0, "shipped", "price_input", key), reading(15.0, "shipped", "price_output", key)], {key: long})
    book = Book(shipped)
    price = book.price(key)
    assert price is not None
    assert (price.input, price.output, price.terms) == (3.0, 15.0, long)
    overridden = Book([*shipped, *sheets_of([reading(2.0, "manual", "price_input", key)])]).price(key)
    assert overridden is not None
    assert (overridden.input, overridden.output, overridden.terms) == (2.0, 15.0, Terms())
    assert overridden.version == "manual"
    assert book.price("nobody") is None


# The quick way and the explained way

METRIC_NAMES = ("gpqa", "intelligence_index", "price_input", "ttft_s", "speed_tps", "nonsense")
READINGS = st.builds(
    Reading,
    st.sampled_from(("a", "b", "c/d", "codex|a")),
    st.sampled_from(METRIC_NAMES),
    st.floats(-10, 300) | st.sampled_from([nan, inf]),
    st.sampled_from((*PRIORITY[:4], "epoch", "shipped", "somebody")),
    st.sampled_from(("", "4.0", "4.3")),
    st.sampled_from(("", "2026-01-01", "2026-09-10")),
    st.just(0.5),
    st.just("MIT"),
    st.sampled_from(("", "high")),
    st.none() | st.integers(0, 40),
    st.just(()),
    st.just(""),
    st.just(""),
)


@settings(max_examples=300)
@given(st.lists(READINGS, max_size=30), st.permutations(PRIORITY))
def test_every_cell_is_what_its_explanation_says(readings: list[Reading], priority: list[str]) -> None:
    book = Book(sheets_of(readings), priority)
    said = {(each.subject, each.metric) for each in readings if each.metric in METRICS}
    for subject, metric in said:
        found = book.figure(subject, metric)
        assert found.value == book.value(subject, metric)
        assert sum(each.won for each in found.candidates) == (found.value is not None)
        assert all(each.why for each in found.candidates)
        assert len(found.candidates) == sum((each.subject, each.metric) == (subject, metric) for each in readings)
        assert metric in book.metrics_of(subject)


@given(st.lists(READINGS, max_size=30))
def test_a_sheet_survives_json(readings: list[Reading]) -> None:
    sheets = sheets_of(readings)
    again = [back for sheet in sheets for back in sheets_from_plain(orjson.loads(orjson.dumps(sheet_as_plain(sheet))))]
    one, other = Book(sheets), Book(again)
    for subject in one.subjects:
        for metric in one.metrics_of(subject):
            assert other.value(subject, metric) == one.value(subject, metric)
            ours, theirs = one.figure(subject, metric), other.figure(subject, metric)
            # A NaN is no JSON: it comes back as null, which is refused as well.
            assert len(theirs.candidates) == len(ours.candidates)
            assert theirs.winner == ours.winner


@pytest.mark.parametrize("wrong", [None, [], {}, {"source": ""}, {"source": "x", "figures": []}, {"source": "x", "figures": {"a": 3}}])
def test_what_is_no_sheet_is_refused_in_words(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"sheet|figures"):
        sheets_from_plain(wrong)


def test_rows_that_two_sheets_share_are_copied_whole_and_still_right() -> None:
    subjects = [f"m{i}" for i in range(50)]
    low = Sheet("shipped", subjects, {"gpqa": array("d", range(50))})
    high = Sheet("manual", subjects[::-1], {"gpqa": array("d", [nan] * 25 + [99.0] * 25)})
    book = Book([high, low])
    assert [book.value(name, "gpqa") for name in subjects] == [99.0] * 25 + [float(i) for i in range(25, 50)]


def test_ten_thousand_entries_with_sixty_figures_stay_small() -> None:
    """Issue 6's size. 4.8 MB are the figures themselves; its times are in the report that goes with it, since a test has no clock."""
    subjects = [f"provider-{i % 20}/model-{i}" for i in range(10_000)]
    names = list(METRICS)[:60]
    low = Sheet("shipped", subjects, {name: array("d", [1.0]) * len(subjects) for name in names})
    high = Sheet("openrouter", subjects[:5000], {name: array("d", [2.0]) * 5000 for name in names})
    tracemalloc.start()
    try:
        book = Book([low, high])
        merged_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert merged_bytes + 60 * 15_000 * 8 < 30_000_000
    assert (book.value(subjects[4999], names[59]), book.value(subjects[5000], names[59])) == (2.0, 1.0)
    assert len(book) == 10_000
