"""`scripts/catalog_quality.py`: several benchmarks on one scale, without comparing lists that hold different models."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.catalog_quality import INDEX, LINKS_MIN, best_scores, link, qualities, used_sources

ELO = "arena_text_elo"


def row(model: str, metric: str, value: float, licence: str = "CC-BY-4.0", **more: Any) -> dict[str, Any]:
    return {"canonical_id": model, "metric": metric, "value": value, "licence": licence, "source": "somewhere", **more}


def described(*names: str, tier: str = "mid") -> list[dict[str, Any]]:
    return [{"id": name, "canonical_id": f"vendor/{name}", "tier": tier} for name in names]


LINKS = [item for n in range(LINKS_MIN) for item in (row(f"x/{n}", INDEX, 150 + n), row(f"x/{n}", ELO, 1400 + 20 * n))]
"""Models in both lists: 20 points of Elo are one of the index."""


@pytest.mark.parametrize("licence", ["MIT (repo); upstream: see source", "livebench.ai", "arena.ai page data via MIT mirror", ""])
def test_what_no_licence_allows_counts_for_nothing(licence: str) -> None:
    rows = [row("vendor/a", INDEX, 160, licence)]
    assert qualities(rows, described("a")) == {}
    assert used_sources(rows) == []


@pytest.mark.parametrize("licence", ["CC-BY-4.0", "Apache-2.0", "MIT mirror; arena.ai page data"])
def test_what_a_licence_allows_counts(licence: str) -> None:
    rows = [row("vendor/a", INDEX, 160, licence, date="2026-01-01")]
    assert qualities(rows, described("a")) == {"a": 0.75}
    assert used_sources(rows) == [("somewhere", "2026-01-01", licence)]


def test_a_model_without_a_figure_has_no_quality() -> None:
    assert qualities([row("vendor/a", INDEX, 160)], described("a", "b")).keys() == {"a"}


def test_the_best_effort_counts_under_any_dated_name() -> None:
    rows = [row("vendor/a-2026-01-02", INDEX, 150), row("vendor/a", INDEX, 155), row("vendor/a-preview", INDEX, 152)]
    assert best_scores(rows, {"vendor/a": "a"}) == {"a": {INDEX: 155}}


def test_another_list_is_laid_onto_the_index() -> None:
    linked = link(best_scores([*LINKS, row("vendor/a", ELO, 1440)], {"vendor/a": "a"}))
    assert linked["a"][ELO] == pytest.approx(152)


def test_a_list_that_shares_too_few_models_or_disagrees_is_left_out() -> None:
    few = LINKS[:-1]
    contrary = [row(f"x/{n}", INDEX, 150 + n) for n in range(9)] + [row(f"x/{n}", ELO, 1400 + 10 * (n % 3)) for n in range(9)]
    for rows in (few, contrary):
        assert qualities([*rows, row("vendor/a", ELO, 1440)], described("a")) == {}


def test_a_single_score_is_drawn_half_the_way_to_its_tier_and_the_index_a_quarter() -> None:
    rows = [*LINKS, row("vendor/a", ELO, 1480), row("vendor/b", INDEX, 150)]
    # On the index: a has 154, b 150, their tier 152.
    assert qualities(rows, described("a", "b")) == {
        "a": pytest.approx((153 - 130) / 40, abs=1e-3),
        "b": pytest.approx((150.5 - 130) / 40, abs=1e-3),
    }


@settings(deadline=None)
@given(st.lists(st.floats(1, 300), min_size=1, max_size=8))
def test_it_keeps_the_order_of_the_index_within_a_tier(values: list[float]) -> None:
    names = [f"m{number}" for number in range(len(values))]
    found = qualities([row(f"vendor/{name}", INDEX, value) for name, value in zip(names, values, strict=True)], described(*names))
    assert all(0 <= quality <= 1 for quality in found.values())
    for one, low in zip(names, values, strict=True):
        for other, high in zip(names, values, strict=True):
            assert low > high or found[one] <= found[other]
