"""How long an answer will be: learned per logical model and kind of call, held until the real usage is known.

A title has ten tokens and an agent's turn a thousand, of the same model. What is held is the mean and one mean deviation, as TCP holds its
timeouts (RFC 6298 takes four, for a mistake there is dear; here it is some tokens of a limit for some seconds): most answers fit, and few
hold much more than they need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from routing.types import Demand

SMOOTHING = 0.1
"""Answers differ more than latencies: ten of them outweigh the first."""

KINDS_KEPT = 4096
"""Models × kinds of calls. What is not known yet is guessed as ever when this is full."""


CallKind = tuple[str, str, bool, str | None, str | None]
"""(logical model, use case, streamed?, role, chore); the last two are None where nothing was classified."""


def kind_of_call(logical_model_id: str, demand: Demand) -> CallKind:
    seen = demand.classification
    # `_value_`: hashing an enum's member, and asking for its `value`, are calls of Python; its attribute is none.
    if seen is None:
        return (logical_model_id, demand.use_case._value_, demand.stream, None, None)
    return (logical_model_id, demand.use_case._value_, demand.stream, seen.role._value_, seen.chore)


@dataclass(slots=True)
class Learned:
    """In tokens."""

    mean: float
    deviation: float

    @property
    def expected(self) -> int:
        return math.ceil(self.mean + self.deviation)


class ExpectedOutputs:
    __slots__ = ("_learned", "most")

    def __init__(self) -> None:
        self._learned: dict[CallKind, Learned] = {}
        self.most = 0
        """Tokens: nothing was ever expected to be longer."""

    def expected(self, logical_model_id: str, demand: Demand) -> int:
        """Tokens; never more than the request allows."""
        learned = self._learned.get(kind_of_call(logical_model_id, demand))
        if learned is None:
            return demand.output_tokens_estimated
        return learned.expected if demand.output_tokens_max is None else min(learned.expected, demand.output_tokens_max)

    def learn(self, logical_model_id: str, demand: Demand, output_tokens: int) -> None:
        kind = kind_of_call(logical_model_id, demand)
        known = self._learned.get(kind)
        if known is not None:
            error = output_tokens - known.mean
            known.mean += SMOOTHING * error
            known.deviation += SMOOTHING * (abs(error) - known.deviation)
        elif len(self._learned) < KINDS_KEPT:
            known = self._learned[kind] = Learned(output_tokens, output_tokens / 2)
        else:
            return
        if known.mean + known.deviation > self.most:
            self.most = known.expected
