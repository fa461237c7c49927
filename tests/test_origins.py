"""Which provider made a response that a later request names."""

from __future__ import annotations

from routing.origins import Origins
from routing.recent import Recent


def test_d6_a_response_is_known_to_the_client_that_asked_for_it() -> None:
    origins = Origins(ttl_s=100)
    origins.remember("resp_1", "box", "me", 0.0)
    assert origins.provider_of("resp_1", "me", 99.0) == "box"
    assert origins.provider_of("resp_1", "somebody else", 99.0) is None
    assert origins.provider_of("resp_2", "me", 99.0) is None
    assert origins.provider_of("resp_1", "me", 100.0) is None


def test_the_oldest_entries_go_first_and_one_put_again_is_young() -> None:
    recent: Recent[str, int] = Recent(2, 100)
    recent.put("a", 1, 0.0)
    recent.put("b", 2, 0.0)
    recent.put("a", 3, 1.0)
    recent.put("c", 4, 2.0)
    assert (recent.get("a", 2.0), recent.get("b", 2.0), recent.get("c", 2.0), len(recent)) == (3, None, 4, 2)
    recent.drop("a")
    recent.drop("a")
    assert len(recent) == 1
