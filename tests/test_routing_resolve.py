"""What a model's name stands for: orders stay orders, hints are what config declares to be hints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.resolve import NAMES_THAT_STEER, UnknownModel, objective_of, resolve
from routing.types import Catalog, ModelTier, Objective, Policy, Target, TargetKind
from tests.playbook import catalog_of, replica

REPLICAS = (replica("box/qwen3:30b", "qwen3-coder-30b"), replica("cloud/gpt-6", "gpt-6"), replica("other/gpt-6", "gpt-6"))
POLICIES = {name: Policy(name) for name in ("code", "gpt-6")}
ALIASES = {"gpt-4o": "gpt-6", "gpt-5": "gpt-9", "qwen3-coder-30b": "gpt-6"}


def catalog(*rewrites: tuple[str, str], default_tier: ModelTier = ModelTier.MID) -> Catalog:
    return catalog_of(*REPLICAS, aliases=ALIASES, rewrites=rewrites, default_tier=default_tier, policies=POLICIES)


def resolved(name: str, *rewrites: tuple[str, str]) -> tuple[TargetKind, str]:
    target = resolve(name, catalog(*rewrites))
    assert isinstance(target, Target), target
    return target.kind, target.id


@pytest.mark.parametrize(
    ("name", "kind", "id_"),
    [
        ("gpt-6", TargetKind.MODEL, "gpt-6"),
        ("donut/gpt-6", TargetKind.MODEL, "gpt-6"),
        ("cloud/gpt-6", TargetKind.REPLICA, "cloud/gpt-6"),
        ("donut/cloud/gpt-6", TargetKind.REPLICA, "cloud/gpt-6"),
        ("box/qwen3:30b", TargetKind.REPLICA, "box/qwen3:30b"),
        ("auto", TargetKind.AUTO, "auto"),
        ("donut/auto", TargetKind.AUTO, "auto"),
        ("auto:quality", TargetKind.AUTO, "auto"),
        ("policy:code", TargetKind.POLICY, "code"),
        ("donut/policy:code", TargetKind.POLICY, "code"),
        ("code", TargetKind.POLICY, "code"),
        ("policy:gpt-6", TargetKind.POLICY, "gpt-6"),  # without the prefix it is the model that is served under that name
        ("frontier", TargetKind.TIER, "frontier"),
        ("donut/micro", TargetKind.TIER, "micro"),
        ("gpt-4o", TargetKind.MODEL, "gpt-6"),
        ("donut/gpt-4o", TargetKind.MODEL, "gpt-6"),
        ("qwen3-coder-30b", TargetKind.MODEL, "qwen3-coder-30b"),  # served under the name itself: the alias is not asked
    ],
)
def test_names(name: str, kind: TargetKind, id_: str) -> None:
    assert resolved(name) == (kind, id_)


def test_an_alias_says_so() -> None:
    target = resolve("gpt-4o", catalog())
    assert isinstance(target, Target)
    assert target.because == "the client named it; gpt-4o is another name of gpt-6"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("gpt-66", "gpt-6"), ("qwen3-coder-3b", "qwen3-coder-30b"), ("clud/gpt-6", "cloud/gpt-6"), ("zzzzzzzz", None), ("gpt-5", "gpt-6")],
)
def test_unknown_names_come_with_the_nearest(name: str, nearest: str | None) -> None:
    """An alias of something that nobody serves is unknown too."""
    found = resolve(name, catalog())
    assert isinstance(found, UnknownModel)
    assert found.name == name
    assert (nearest in found.nearest) if nearest else (found.nearest == ())
    assert found.served == ("gpt-6", "qwen3-coder-30b")


@pytest.mark.parametrize(
    "name", ["Auto", "auto:", "auto:nonsense", "policy:", "policy:none", "Code", "MID", "", "donut/", "gpt-6 ", "box/"]
)
def test_near_misses_are_not_guessed(name: str) -> None:
    assert isinstance(resolve(name, catalog()), UnknownModel)


class TestRewrites:
    @pytest.mark.parametrize(
        ("name", "id_"),
        [
            ("claude-opus-5", "auto"),
            ("donut/claude-opus-5", "auto"),
            ("gpt-6", "gpt-6"),
            ("haiku", "micro"),
            ("cloud/gpt-6", "box/qwen3:30b"),
        ],
    )
    def test_come_first_and_the_first_match_wins(self, name: str, id_: str) -> None:
        rewrites = (("claude-*", "auto"), ("claude-opus-*", "frontier"), ("haiku", "donut/micro"), ("cloud/*", "box/qwen3:30b"))
        assert resolved(name, *rewrites)[1] == id_

    @pytest.mark.parametrize("name", ["gpt-6", "auto", "frontier", "cloud/gpt-6", "nobody-knows"])
    def test_a_star_matches_all(self, name: str) -> None:
        assert resolved(name, ("*", "small")) == (TargetKind.TIER, "small")

    def test_they_are_not_followed_twice(self) -> None:
        assert resolved("a", ("a", "gpt-6"), ("gpt-6", "auto")) == (TargetKind.MODEL, "gpt-6")

    def test_capitals_count(self) -> None:
        assert isinstance(resolve("Claude-5", catalog(("claude-*", "auto"))), UnknownModel)

    def test_they_say_so(self) -> None:
        target = resolve("claude-5", catalog(("claude-*", "gpt-6")))
        assert isinstance(target, Target)
        assert target.because == "config rewrites claude-* to gpt-6"

    def test_into_nothing_names_what_is_missing(self) -> None:
        found = resolve("claude-5", catalog(("claude-*", "gpt-66")))
        assert isinstance(found, UnknownModel)
        assert (found.name, found.nearest[0]) == ("gpt-66", "gpt-6")


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        ("auto:cost", Objective.COST),
        ("auto:speed", Objective.SPEED),
        ("donut/auto:quality", Objective.QUALITY),
        ("auto", Objective.AUTO),
        ("auto:what", Objective.AUTO),
        ("gpt-6", Objective.AUTO),
    ],
)
def test_objectives(name: str, objective: Objective) -> None:
    assert objective_of(name) is objective


@given(st.text(max_size=30) | st.sampled_from(NAMES_THAT_STEER))
def test_any_name_is_answered(name: str) -> None:
    found = resolve(name, catalog())
    assert isinstance(found, Target | UnknownModel)
    assert isinstance(objective_of(name), Objective)


def test_with_nothing_served() -> None:
    found = resolve("gpt-6", Catalog())
    assert found == UnknownModel("gpt-6", (), ())
