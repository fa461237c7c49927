"""Equal replicas with limits share the work; where there is no limit, nothing is moved."""

from __future__ import annotations

from collections import Counter

from routing.facts import AttemptFinished
from routing.headroom.limits import ANY, NO_LIMITS, Limit, Limits, Scope
from routing.headroom.types import Unit, Window
from routing.types import Dispatch, ModelReplica, Price, Usage
from tests.playbook import catalog_of, demand_for, replica, router_for

LIMITED = Limits((Limit(Scope.PROVIDER, ANY, Unit.TOKENS, Window.MONTH, 10**9, "limit"),))


def spread(replicas: list[ModelReplica], limits: Limits) -> Counter[str]:
    """Where 400 requests went that came one after the other, two seconds apart."""
    router, found = router_for(catalog_of(*replicas), limits=limits), Counter[str]()
    for i in range(400):
        now_s = 1000.0 + 2 * i
        decision = router.decide(demand_for(input_tokens_estimated=100), now_s)
        assert isinstance(decision, Dispatch)
        found[decision.replica.id] += 1
        router.observe(AttemptFinished(decision.reservation, Usage(100, output=10)), now_s + 1.0)
    return found


def test_three_equal_accounts_share_the_work() -> None:
    found = spread([replica("a/m"), replica("b/m"), replica("c/m")], LIMITED)
    assert all(0.15 <= found[id_] / 400 <= 0.55 for id_ in ("a/m", "b/m", "c/m")), found


def test_without_limits_there_is_nothing_to_share() -> None:
    assert spread([replica("a/m"), replica("b/m")], NO_LIMITS) == {"a/m": 400}


def test_the_cheaper_one_is_not_skew() -> None:
    found = spread([replica("a/m", price=Price(1.0, 1.0)), replica("b/m", price=Price(3.0, 3.0))], LIMITED)
    assert found == {"a/m": 400}
