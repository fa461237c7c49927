"""Which one of those who may answer: the highest score, except that a model which failed is given its next replica first."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set

from routing.types import Evidence, scores_of


def best(evidence: Evidence, failed_models: Set[str] = frozenset()) -> int:
    """The position of the winner in the ranking. There must be someone who is not out.

    The replicas of `failed_models` come first: the same model elsewhere is nearer to what was chosen than another model.
    """
    ranking, out = evidence.ranked.ranking(), evidence.out
    if not out and not evidence.deviations and not failed_models:
        return _highest(ranking.totals, ranking.ids)
    scores = scores_of(evidence)
    for i in out:
        scores[i] = -math.inf
    if failed_models:
        siblings = [i for i, model_id in enumerate(ranking.logical_model_ids) if model_id in failed_models and i not in out]
        if siblings:
            return siblings[_highest([scores[i] for i in siblings], [ranking.ids[i] for i in siblings])]
    return _highest(scores, ranking.ids)


def _highest(scores: Sequence[float], ids: Sequence[str]) -> int:
    """Among equals the smallest id, so that the order of the candidates never matters."""
    top = max(scores)
    if scores.count(top) == 1:
        return scores.index(top)
    return min((i for i, score in enumerate(scores) if score == top), key=ids.__getitem__)
