"""Is one of several equal replicas asked much more often than the others?

Rankings prefer the best, and among equals small things decide, the same way every time: one account of three does all the work until
its limit is near. So what went where is counted, and who got clearly more than an even part is preferred a little less
(routing/factors/skew.py).

Equal are replicas of one model that cost the same and are as near: to send traffic away from the cheaper one would be no correction. Where
none of them has a limit nothing is to be gained by it, and a prompt cache to be lost.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from routing.headroom.standing import Standing
from routing.types import ModelReplica

HALF_LIFE_S = 120.0
"""Of the traffic that counts: long enough for some requests, short beside the windows of limits."""

EVEN = 0.2
"""A part that differs from the even one by less is chance (selfagency/agentsy's figure)."""

ENOUGH = 4.0
"""Attempts, faded. Of fewer nothing can be said."""


class Traffic(Protocol):
    recent: float
    skew: float
    standing: Standing


class Twins:
    """Groups of equal replicas."""

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: list[list[str]] = []

    def serve(self, replicas: Collection[ModelReplica]) -> None:
        groups: dict[object, list[str]] = {}
        for each in replicas:
            groups.setdefault((each.logical_model_id, each.is_local, each.price), []).append(each.id)
        self._groups = [ids for ids in groups.values() if len(ids) > 1]

    def weigh(self, states: Mapping[str, Traffic], seconds: float) -> Iterator[str]:
        """Let the counts fade by `seconds`; yields the ids of those whose skew is another now."""
        fading = 0.5 ** (seconds / HALF_LIFE_S)
        for ids in self._groups:
            known = [(id_, states[id_]) for id_ in ids if id_ in states]
            total = math.fsum(state.recent for _, state in known)  # the same in whatever order they are served
            is_worth_it = total >= ENOUGH and any(state.standing.windows for _, state in known)
            for id_, state in known:
                skew = round(state.recent / total - 1 / len(ids), 1) if is_worth_it else 0.0
                skew = skew if abs(skew) >= EVEN else 0.0
                state.recent *= fading
                if skew != state.skew:
                    state.skew = skew
                    yield id_
