"""Which one of those who may answer: the highest score, except that a model which failed is given its next replica first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set

from routing.types import NO_DEVIATIONS, Place, Ranking, scores_of

NOBODY: frozenset[int] = frozenset()
NO_MODELS: frozenset[str] = frozenset()


def best(
    ranking: Ranking,
    weights: Mapping[str, float],
    deviations: Mapping[str, Mapping[int, float]] = NO_DEVIATIONS,
    out: Set[int] = NOBODY,
    failed_models: Set[str] = NO_MODELS,
) -> Place:
    """The winner's place. There must be someone who is not out.

    The replicas of `failed_models` come first: the same model elsewhere is nearer to what was chosen than another model.
    """
    ids = ranking.figures.ids
    scores = ranking.totals
    if deviations or out:
        scores = reached = scores_of(ranking, weights, deviations)
        for i in out:
            reached[i] = -math.inf
    top = max(scores)
    if failed_models:
        model_ids = ranking.figures.logical_model_ids
        siblings = [i for i, model_id in enumerate(model_ids) if model_id in failed_models and i not in out]
        if siblings:
            position = siblings[_highest([scores[i] for i in siblings], [ids[i] for i in siblings])]
            return Place(position, scores[position], top)
    position = scores.index(top) if scores.count(top) == 1 else _highest(scores, ids)
    return tuple.__new__(Place, (position, top, top))  # not by a call of Python: one is made for every decision


def _highest(scores: Sequence[float], ids: Sequence[str]) -> int:
    """Among equals the smallest id, so that the order of the candidates never matters."""
    top = max(scores)
    return min((i for i, score in enumerate(scores) if score == top), key=ids.__getitem__)
