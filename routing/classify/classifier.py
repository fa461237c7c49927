"""From an excerpt to a `Classification`: structure first, then words, then what an agent's steps have shown.

1. What the endpoint or an image settles.
2. The role of the call (`roles`): a chore stays a chore, however long its input.
3. One linear model over the words and the shape of the human turn, and over its meaning where an embedding model is configured:
   difficulty, tier, use case.
4. In an agent's loop its steps raise or lower the tier (`steps`).

Nothing here is wrong by an exception: a request without signals gets the stated default.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import NamedTuple

from routing.classify.embedder import BY_MEANING, Embedder
from routing.classify.excerpt import Excerpt
from routing.classify.objective import objective_of
from routing.classify.profile import BALANCED, Profile
from routing.classify.reasons import NAMEABLE, reasons_for
from routing.classify.roles import DIFFICULTY, RoleFinding, role_of
from routing.classify.shape import Family, Shape, family_of, shape_of
from routing.classify.steps import adjust
from routing.classify.weights import HEADS, Weights
from routing.classify.words import grams_of, tokens_of, window
from routing.types import TIER_ORDER, CallRole, Classification, ModelTier, Objective, UseCase

DEFAULT_TIER, DEFAULT_USE_CASE, DEFAULT_DIFFICULTY, DEFAULT_CONFIDENCE = ModelTier.MID, UseCase.CHAT, 0.5, 0.2
"""What a request without a known word is taken for: a person who sends one is not to be disappointed, and mid disappoints rarely."""
NO_SIGNALS = "nothing to judge by, so the default: mid, chat"

_TIER_HEADS = slice(HEADS.index("tier.micro"), HEADS.index("tier.frontier") + 1)
_USE_HEADS = slice(HEADS.index("use.chat"), len(HEADS))
_USES = tuple(UseCase(head.partition(".")[2]) for head in HEADS[_USE_HEADS])

_SEARCH_TOOLS = ("search", "browse", "browser", "web", "fetch")
_ACTING_TOOLS = ("bash", "shell", "terminal", "exec", "run", "edit", "write", "patch", "replace", "apply")
"""Parts of tool names. Tools that only look things up on the web make a search; beside tools that act they are an agent's equipment."""


class Classifier:
    """Classifies by `weights`, and by `embedder` where there is one: the two must have been trained together. Immutable, and cheap to
    make: one per profile."""

    def __init__(self, weights: Weights, profile: Profile = BALANCED, embedder: Embedder | None = None) -> None:
        self._weights = weights
        self._embedder = embedder
        self._leans = tuple(weights.leans[profile] * rank for rank in range(len(TIER_ORDER)))

    def classify(self, excerpt: Excerpt) -> Classification:
        """What the request asks for. Costs the same for any body: only windows of the excerpt are read."""
        if excerpt.endpoint == "embeddings":
            return _embedding()
        finding = role_of(excerpt)
        if finding.tier is not None and finding.difficulty is not None and finding.use_case is not None:
            use_case = UseCase.VISION if excerpt.has_images else finding.use_case
            objective = objective_of(finding.role, finding.tier, use_case, finding.difficulty, set())
            return Classification(
                finding.role, finding.tier, use_case, objective, finding.difficulty, finding.confidence, finding.chore, finding.reasons
            )
        return self._judged(excerpt, finding)

    def _judged(self, excerpt: Excerpt, finding: RoleFinding) -> Classification:
        """What structure left open, by words; then by steps."""
        view = _view(excerpt)
        opinion = self._opinion(view)
        use_case, use_because = _use_case(excerpt, finding, view.family, opinion)
        tier, difficulty = finding.tier or opinion.tier, opinion.difficulty if finding.difficulty is None else finding.difficulty
        turn_tier = tier
        step_because: tuple[str, ...] = ()
        if finding.tier is None:
            tier, difficulty, step_because = adjust(excerpt, tier, difficulty)
        return Classification(
            role=finding.role,
            tier=tier,
            use_case=use_case,
            objective=objective_of(finding.role, tier, use_case, difficulty, view.telling),
            difficulty=difficulty,
            confidence=opinion.confidence if finding.tier is None else finding.confidence,
            chore=finding.chore,
            reasons=(*finding.reasons, *step_because, *use_because, *(opinion.reasons if finding.tier is None else ())),
            turn_tier=None if tier is turn_tier else turn_tier,
        )

    def _opinion(self, view: _View) -> _Opinion:
        outputs, known = self._weights.sums(view.grams, view.shape, view.family)
        meaning = self._embedder.outputs(view.text) if self._embedder is not None else None
        if meaning is not None:
            outputs = list(map(operator.add, outputs, meaning))
        elif not known:
            return _Opinion(DEFAULT_TIER, DEFAULT_USE_CASE, DEFAULT_DIFFICULTY, DEFAULT_CONFIDENCE, (NO_SIGNALS,))
        logits = [logit + lean for logit, lean in zip(outputs[_TIER_HEADS], self._leans, strict=True)]
        rank = _highest(logits)
        uses = outputs[_USE_HEADS]
        uses[0] += self._weights.chat_lean
        reasons = reasons_for(self._weights, _TIER_HEADS.start + rank, view.telling, view.shape, view.family)
        return _Opinion(
            tier=TIER_ORDER[rank],
            use_case=_USES[_highest(uses)],
            difficulty=self._difficulty(outputs[0]),
            confidence=_share(logits, rank),
            reasons=reasons if meaning is None else (*reasons, BY_MEANING),
        )

    def _difficulty(self, score: float) -> float:
        """The score on a scale from 0 to 1; the middle of the training data is 0.5. Strictly rising: it ranks as the score does."""
        return 1.0 / (1.0 + math.exp(-(score - self._weights.score_centre) / self._weights.score_spread))


class _View(NamedTuple):
    """The human turn, taken apart."""

    text: str
    """The window of it that is weighed."""
    grams: set[str]
    telling: set[str]
    """Those of them that a list in the source names: three consumers look for a few words each, and one intersection serves them all."""
    shape: Shape
    family: Family


class _Opinion(NamedTuple):
    """What the linear model says."""

    tier: ModelTier
    use_case: UseCase
    difficulty: float
    confidence: float
    reasons: tuple[str, ...]


def _view(excerpt: Excerpt) -> _View:
    text = window(excerpt.human)
    tokens = tokens_of(text)
    grams = grams_of(tokens)
    telling = grams & NAMEABLE
    shape = shape_of(text, excerpt.human_chars, tokens, telling)
    return _View(text, grams, telling, shape, family_of(shape))


def _embedding() -> Classification:
    tier = ModelTier.MICRO
    reasons = ("the embeddings endpoint",)
    return Classification(CallRole.MAIN, tier, UseCase.EMBED, Objective.COST_SPEED, DIFFICULTY[tier], 1.0, None, reasons)


def _use_case(excerpt: Excerpt, finding: RoleFinding, family: Family, opinion: _Opinion) -> tuple[UseCase, tuple[str, ...]]:
    """Images, then what the role settled, then code that is only to be gone on with, then tools, then words."""
    if excerpt.has_images:
        return UseCase.VISION, ("it shows an image",)
    if finding.use_case is not None:
        return finding.use_case, ()
    if excerpt.endpoint == "completions" and family is Family.CODE:
        return UseCase.CODE, ("code to go on with",)
    names = [name.lower() for name in excerpt.tool_names]
    if any(_has(name, _ACTING_TOOLS) for name in names):
        # An agent with hands: words decide, for it also answers questions, but it is not a search engine.
        return (UseCase.CODE if opinion.use_case is UseCase.SEARCH else opinion.use_case), ()
    if any(_has(name, _SEARCH_TOOLS) for name in names):
        return UseCase.SEARCH, ("its tools look things up on the web",)
    return opinion.use_case, ()


def _has(name: str, parts: tuple[str, ...]) -> bool:
    return any(part in name for part in parts)


def _highest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _share(logits: Sequence[float], rank: int) -> float:
    """The chance of the kind at `rank`, by the softmax of `logits`."""
    return 1.0 / sum([math.exp(min(logit - logits[rank], 50.0)) for logit in logits])
