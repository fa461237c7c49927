"""Bindings between conversations and replicas: what is found again, for how long, and how many there may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routing.affinity import CLIENT_BINDINGS_MOST, REBOUND_S, Affinity, Binding
from routing.facts import FailureKind
from routing.fleet import Fleet
from tests.playbook import Asked, Dispatched, Failed, Finished, Playbook

KEYS = ("strong", "weak")


def test_a_conversation_is_found_under_its_key() -> None:
    affinity = Affinity()
    affinity.bind(("a",), "box/up", None, 0.0)
    assert affinity.replica_of(("a",), 1.0) == "box/up"
    assert affinity.replica_of(("b",), 1.0) is None
    assert affinity.replica_of((), 1.0) is None


def test_the_most_specific_key_counts() -> None:
    affinity = Affinity()
    affinity.bind(("weak",), "box/up", None, 0.0)
    assert affinity.replica_of(KEYS, 1.0) == "box/up"
    affinity.bind(("strong",), "cloud/up", None, 0.0)
    assert affinity.replica_of(KEYS, 1.0) == "cloud/up"


def test_h4_conversations_that_began_alike_do_not_pull_each_other_along() -> None:
    """Both began with the same words (`weak`) and got different answers; one of them moves to another replica."""
    affinity = Affinity()
    affinity.bind(("weak",), "box/up", None, 0.0)
    affinity.bind(("one", "weak"), "cloud/up", None, 1.0)
    assert affinity.replica_of(("one", "weak"), 2.0) == "cloud/up"
    assert affinity.replica_of(("other", "weak"), 2.0) == "box/up"


def test_h4_a_binding_ends_an_hour_after_the_last_success() -> None:
    affinity = Affinity(ttl_s=3600)
    affinity.bind(("a",), "box/up", None, 0.0)
    affinity.bind(("a",), "box/up", None, 3000.0)
    assert affinity.replica_of(("a",), 6599.0) == "box/up"
    assert affinity.replica_of(("a",), 6600.0) is None


def test_h4_the_oldest_bindings_go_first() -> None:
    affinity = Affinity(most=3)
    for key in ("a", "b", "c"):
        affinity.bind((key,), "box/up", key, 0.0)
    affinity.bind(("a",), "box/up", "a", REBOUND_S)  # lately used: "b" is the oldest now
    affinity.bind(("d",), "box/up", "d", REBOUND_S + 1.0)
    assert [binding.key for binding in affinity.snapshot()] == ["c", "a", "d"]


def test_h4_a_busy_client_costs_the_others_nothing() -> None:
    affinity = Affinity(most=100, most_per_client=10)
    affinity.bind(("mine",), "box/up", "me", 0.0)
    for number in range(1000):
        affinity.bind((f"busy {number}",), "box/up", "busy", float(number) / 1000)
    assert affinity.replica_of(("mine",), 1.0) == "box/up"
    assert len(affinity) == 11
    assert affinity.replica_of(("busy 999",), 1.0) == "box/up"
    assert affinity.replica_of(("busy 989",), 1.0) is None


def test_a_client_may_not_take_more_than_its_share_by_default() -> None:
    affinity = Affinity()
    for number in range(CLIENT_BINDINGS_MOST + 5):
        affinity.bind((str(number),), "box/up", "busy", 0.0)
    assert len(affinity) == CLIENT_BINDINGS_MOST


def test_a_replica_can_be_forgotten() -> None:
    affinity = Affinity()
    affinity.bind(("a",), "box/up", None, 0.0)
    affinity.bind(("b",), "cloud/up", None, 0.0)
    affinity.forget("box/up")
    assert affinity.replica_of(("a",), 0.0) is None
    assert affinity.replica_of(("b",), 0.0) == "cloud/up"


def test_what_was_bound_before_is_taken_over_unless_it_is_old_or_known_better() -> None:
    affinity = Affinity(ttl_s=100)
    affinity.bind(("known",), "box/up", None, 0.0)
    affinity.load(
        [
            Binding("old", "cloud/up", None, -100.0),
            Binding("recent", "cloud/up", None, -99.0),
            Binding("known", "cloud/up", None, -1.0),
        ],
        0.0,
    )
    assert {binding.key: binding.replica_id for binding in affinity.snapshot()} == {"known": "box/up", "recent": "cloud/up"}


OPERATIONS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["box/up", "cloud/up"]), st.sampled_from([None, "x", "y"]), st.floats(0, 50)),
    max_size=40,
)


@given(OPERATIONS)
def test_h4_bounds_hold_whatever_is_bound_and_the_latest_binding_wins(operations: list[tuple[str, str, str | None, float]]) -> None:
    affinity = Affinity(ttl_s=1000, most=5, most_per_client=3)
    now_s = 0.0
    last: dict[str, str] = {}
    for key, replica_id, client, wait_s in operations:
        now_s += wait_s
        affinity.bind((key,), replica_id, client, now_s)
        last[key] = replica_id
        assert affinity.replica_of((key,), now_s) == replica_id
    snapshot = affinity.snapshot()
    assert len(snapshot) == len(affinity) <= 5
    assert all(sum(binding.client == client for binding in snapshot) <= 3 for client in (None, "x", "y"))
    assert all(last[binding.key] == binding.replica_id for binding in snapshot)
    again = Affinity(ttl_s=1000, most=5, most_per_client=3)
    again.load(snapshot, now_s)
    assert again.snapshot() == [binding for binding in snapshot if now_s - binding.bound_at_s < 1000]


def test_h3_only_a_success_binds() -> None:
    wants = {"affinity_keys": KEYS}
    playbook = Playbook("a", "b") >> Asked(wants=wants) << Dispatched("a") >> Failed("a", FailureKind.CONNECT)
    assert _bound(playbook.router.fleet) is None
    playbook = playbook >> Asked(tried=("a",), wants=wants) << Dispatched("b")
    assert _bound(playbook.router.fleet) is None
    assert playbook >> Finished("b")
    assert _bound(playbook.router.fleet) == "b"


def _bound(fleet: Fleet) -> str | None:
    return fleet.affinity.replica_of(KEYS, 1000.0)
