"""Sooner is better: time to first token, min-max normalised over the candidates that have been measured.

A replica without a measurement scores in the middle: it is tried now and then, yet never preferred to one known to be fast.
"""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.factors import Factor

UNKNOWN = 0.5


def score(candidates: Candidates, question: Question) -> list[float]:
    del question
    times = [state.ttft_s_ewma for state in candidates.states]
    known = [time for time in times if time is not None]
    if not known:
        return [UNKNOWN] * len(times)
    fastest = min(known)
    span = max(known) - fastest
    if span <= 0.0:
        return [UNKNOWN if time is None else 1.0 for time in times]
    return [UNKNOWN if time is None else 1.0 - (time - fastest) / span for time in times]


FACTOR = Factor(name="latency", weight=0.5, score=score)
