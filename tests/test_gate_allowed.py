"""A key that is for some models: nobody else answers it, however it asks, and no plan that is kept for one key serves another."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from routing.types import Dispatch, ModelTier, Refusal, RejectReason, Target
from tests.playbook import catalog_of, demand_for, for_model, for_replica, for_tier, replica, router_for

FLEET = [
    replica("box/a", "qwen3-30b", tier=ModelTier.SMALL, is_local=True),
    replica("cloud/a", "qwen3-30b", tier=ModelTier.SMALL),
    replica("cloud/b", "gpt-6", tier=ModelTier.MID),
    replica("other/c", "opus-6", tier=ModelTier.FRONTIER),
]
PATTERNS = st.lists(st.sampled_from(["qwen3-*", "gpt-6", "box/*", "cloud/b", "*", "nobody", "GPT-6"]), max_size=3, unique=True).map(tuple)
TARGETS = st.sampled_from([*map(for_tier, ModelTier), for_model("gpt-6"), for_model("qwen3-30b"), for_replica("other/c")])


def may(patterns: tuple[str, ...]) -> set[str]:
    names = {each.id: (each.id, each.logical_model_id) for each in FLEET}
    return {id_ for id_, both in names.items() if not patterns or any(fnmatchcase(name, each) for name in both for each in patterns)}


@given(st.lists(st.tuples(TARGETS, PATTERNS), min_size=1, max_size=6))
def test_whoever_answers_is_allowed(asked: list[tuple[Target, tuple[str, ...]]]) -> None:
    router = router_for(catalog_of(*FLEET))
    for target, patterns in asked:
        decision = router.preview(demand_for(target, models_allowed=patterns), 0.0)
        if isinstance(decision, Dispatch):
            assert decision.replica.id in may(patterns)
        else:
            assert isinstance(decision, Refusal)
            assert decision.reason is RejectReason.NOT_ALLOWED
            stopped = {reject.replica_id for reject in decision.evidence.rejected}
            assert stopped
            assert not stopped & may(patterns)
