"""Who is asked when nobody passes all gates: what stands against them may be set aside, and the decision says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from routing.candidates import Candidates
from routing.plans import Post
from routing.reasons import reject_in_words
from routing.types import Reject, RejectReason

PANIC_REASONS = frozenset({RejectReason.EJECTED, RejectReason.PROBING})
"""What the least bad choice may ignore. Never a rate limit: that upstream has said no, and until when."""

Found = tuple[Post, Candidates]


def lifted(rejects: Sequence[Reject], eligible: Candidates, why: str) -> tuple[str, ...]:
    """What stands against the candidates that are asked all the same."""
    return tuple(f"{reject_in_words(reject)}, asked anyway: {why}" for reject in rejects if reject.replica_id in eligible.positions)


def shortest_queue(posts: Sequence[Post], doubted: Sequence[Reject]) -> Found | None:
    """Of those whom nothing but their queue keeps out (routing/gates/queue.py), the one whose turn comes first."""
    return _first(posts, {reject.replica_id: reject.until_s or 0.0 for reject in doubted if reject.reason is RejectReason.NO_HEADROOM})


def least_bad(posts: Sequence[Post], rejects: Sequence[Reject]) -> Found | None:
    """Of all candidates that only ill health keeps out, the one whose ejection ends first."""
    ill = {reject.replica_id for reject in rejects if reject.reason in PANIC_REASONS}
    states = (
        {replica.id: state for post in posts for replica, state in zip(post.everyone.replicas, post.everyone.states, strict=True)}
        if ill
        else {}
    )
    return _first(posts, {id_: states[id_].health.ejected_until_s for id_ in ill})


def _first(posts: Sequence[Post], until_s: Mapping[str, float]) -> Found | None:
    """The one of those in `until_s` with the smallest value; among equals of the first stage, then the smallest id."""
    choices = [
        (until_s[replica.id], number, replica.id)
        for number, post in enumerate(posts)
        for replica in post.everyone.replicas
        if replica.id in until_s
    ]
    if not choices:
        return None
    _, number, replica_id = min(choices)
    everyone = posts[number].everyone
    return posts[number], everyone.only([everyone.positions[replica_id]])
