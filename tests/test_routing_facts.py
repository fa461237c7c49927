"""The one table of failure kinds, held against the design's (STYLE.md, "Failure kinds")."""

from __future__ import annotations

import pytest

from routing.facts import FAILURES, Failure, FailureKind

TABLE = {
    # kind: (try elsewhere before commit, blame the replica, what the client sees; None: the upstream's own status)
    FailureKind.CONNECT: (True, True, 502),
    FailureKind.OVERLOADED: (True, True, 503),
    FailureKind.RATE_LIMITED: (True, False, 429),
    FailureKind.UNAUTHORIZED: (True, True, 502),
    FailureKind.BAD_REQUEST: (False, False, None),
    FailureKind.CONTEXT_TOO_LONG: (True, False, None),
    FailureKind.STALLED: (True, True, 504),
    FailureKind.CUT: (True, True, 502),
    FailureKind.CLIENT_GONE: (False, False, 499),
    # Not in the design's table: a wrong entry of ours, and an answer that is none.
    FailureKind.NOT_FOUND: (True, True, 404),
    FailureKind.UNSPOKEN: (True, False, 404),
    FailureKind.PROTOCOL: (True, True, 502),
    # No money, no plan: as a refused key. What is refused for its content is refused; what is too large for one account may fit another.
    FailureKind.QUOTA_EXHAUSTED: (True, True, 502),
    FailureKind.CONTENT_POLICY: (False, False, None),
    FailureKind.REQUEST_TOO_LARGE: (True, False, 413),
    # Another replica may speak the client's own dialect.
    FailureKind.UNTRANSLATABLE: (True, False, 400),
}


@pytest.mark.parametrize("kind", FailureKind)
def test_the_table_is_the_designs(kind: FailureKind) -> None:
    policy = FAILURES[kind]
    assert (policy.try_elsewhere, policy.blames_replica, policy.client_status) == TABLE[kind]
    assert Failure(kind, "why").policy is policy


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [policy.error_code for policy in FAILURES.values()]
    assert len(set(codes)) == len(codes) == len(FailureKind)
    assert all(code.replace("_", "").isalpha() for code in codes)
