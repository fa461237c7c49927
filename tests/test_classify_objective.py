"""Issue 3, item 3: the objective follows from the task's shape."""

from __future__ import annotations

import pytest

from routing.classify.objective import objective_of
from routing.classify.words import grams_of, tokens_of
from routing.types import CallRole, ModelTier, Objective, UseCase


@pytest.mark.parametrize(
    ("text", "tier", "difficulty", "objective"),
    [
        ("Add docstrings to this file", ModelTier.SMALL, 0.5, Objective.COST_SPEED),
        ("Write unit tests for the parser", ModelTier.MID, 0.5, Objective.COST_SPEED),
        ("为这个函数写文档", ModelTier.SMALL, 0.5, Objective.COST_SPEED),
        ("Add a button to the page", ModelTier.SMALL, 0.2, Objective.COST_SPEED),
        ("Add a button to the page", ModelTier.MID, 0.5, Objective.BALANCED),
        ("Write tests for the payment service", ModelTier.SMALL, 0.5, Objective.BALANCED),
        ("Review the security of this login", ModelTier.MID, 0.4, Objective.QUALITY),
        ("Plan the migration of our production database", ModelTier.SMALL, 0.4, Objective.QUALITY),
        ("设计一个系统架构", ModelTier.MID, 0.4, Objective.QUALITY),
        ("Do it", ModelTier.FRONTIER, 0.1, Objective.QUALITY),
        ("Do it", ModelTier.MID, 0.9, Objective.QUALITY),
        ("Hello", ModelTier.MICRO, 0.9, Objective.COST_SPEED),
    ],
)
def test_a_persons_turn(text: str, tier: ModelTier, difficulty: float, objective: Objective) -> None:
    assert objective_of(CallRole.MAIN, tier, UseCase.CHAT, difficulty, grams_of(tokens_of(text))) is objective


def test_housekeeping_and_embeddings_are_low_risk_by_nature() -> None:
    careful = grams_of(tokens_of("security architecture production"))
    assert objective_of(CallRole.CHORE, ModelTier.SMALL, UseCase.CHAT, 0.9, careful) is Objective.COST_SPEED
    assert objective_of(CallRole.MAIN, ModelTier.MID, UseCase.EMBED, 0.9, careful) is Objective.COST_SPEED
