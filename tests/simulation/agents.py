"""One session with a coding harness: turns of a person, tool results in between, sub-agents beside it, chores around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from routing.types import (
    TIER_ORDER,
    CallRole,
    Capability,
    Classification,
    Demand,
    LocalPreference,
    ModelTier,
    Objective,
    Target,
    TargetKind,
    UseCase,
)
from tests.simulation.calls import Call, Script, Stage, Status, Wait, patiently

OUTPUT_EXPECTED = 512
"""What `proxy/demand.py` holds for an answer of unknown length."""
NEEDS = ((ModelTier.MICRO, 0.08), (ModelTier.SMALL, 0.34), (ModelTier.MID, 0.36), (ModelTier.FRONTIER, 0.22))
OBJECTIVES = {
    ModelTier.MICRO: Objective.COST_SPEED,
    ModelTier.SMALL: Objective.COST_SPEED,
    ModelTier.MID: Objective.BALANCED,
    ModelTier.FRONTIER: Objective.QUALITY,
}
MISJUDGED_UP, MISJUDGED_DOWN = 0.12, 0.08
"""How often the classifier is a tier off: about what the shipped one reaches on labelled agent requests."""
COMPACTS_AT_TOKENS = 110_000
CANCELS = 0.02
"""Share of calls that the client cancels in the middle."""
PATIENCE_S = 180.0


@dataclass(frozen=True, slots=True)
class Harness:
    name: str
    opener_tokens: int
    """System prompt and tools."""
    chores_per_turn: float


class Conversation:
    def __init__(self, key: str, tokens: int, role: CallRole) -> None:
        self.key = key
        self.tokens = tokens
        self.opener_tokens = tokens
        self.role = role
        self.made_by: str | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person wants of all their requests."""

    is_private: bool = False
    """Nothing may leave the machine."""
    is_signed: bool = False
    """The turns carry encrypted reasoning: only the account that made it can go on."""
    excluded: frozenset[str] = frozenset()
    """Providers."""
    sees: bool = False
    """There are screenshots."""
    policy: str | None = None
    """What answers the turns, chores excepted."""


class Agent:
    def __init__(self, name: str, harness: Harness, chance: Random, stage: Stage, wishes: Wishes) -> None:
        self._name = name
        self._harness = harness
        self._chance = chance
        self._stage = stage
        self._wishes = wishes
        self._chores = 0
        self._children = 0

    def session(self) -> Script:
        chance = self._chance
        conversation = Conversation(self._name, self._harness.opener_tokens, CallRole.MAIN)
        self._chore("title")
        for turn in range(1 + int(chance.expovariate(1 / 3.5))):
            if turn:
                yield Wait(min(1800.0, chance.lognormvariate(4.3, 1.0)))
            if chance.random() < self._harness.chores_per_turn:
                self._chore("topic_check")
            if chance.random() < 0.15:
                self._sub_agent()
            yield from self._turn(conversation)

    def _turn(self, conversation: Conversation) -> Script:
        """A person's wish, and tool results until it is done. One classification holds for all of it."""
        chance = self._chance
        need = chance.choices([tier for tier, _ in NEEDS], [share for _, share in NEEDS])[0]
        judged = self._misjudged(need)
        conversation.tokens += int(chance.lognormvariate(4.5, 1.2))
        role = conversation.role
        for _ in range(1 + min(30, int(chance.expovariate(1 / 6.0)))):
            output_tokens = 20 + min(4000, int(chance.lognormvariate(5.0, 0.9)))
            call = self._call(conversation, role, judged, need, output_tokens)
            outcome = yield from patiently(call)
            if outcome.status is not Status.OK:
                return
            if self._wishes.is_signed:
                conversation.made_by = outcome.provider_id
            role = CallRole.CONTINUATION
            yield Wait(chance.expovariate(1 / 4.0))
            conversation.tokens += output_tokens + min(20_000, int(chance.lognormvariate(6.5, 1.3)))
            if conversation.tokens > COMPACTS_AT_TOKENS:
                conversation.tokens = conversation.opener_tokens + 5_000

    def _call(
        self,
        conversation: Conversation,
        role: CallRole,
        tier: ModelTier,
        need: ModelTier | None,
        output_tokens: int,
        chore: str | None = None,
    ) -> Call:
        chance, wishes = self._chance, self._wishes
        target = Target(TargetKind.TIER, tier.value, "the simulated classifier")
        if wishes.policy is not None and chore is None:
            target = Target(TargetKind.POLICY, wishes.policy, "the header asks for it")
        demand = Demand(
            dialect="chat",
            target=target,
            requested_model="auto",
            stream=True,
            capability_bits=0 if chore else int(Capability.TOOLS | Capability.VISION if wishes.sees else Capability.TOOLS),
            input_tokens_estimated=conversation.tokens,
            output_tokens_estimated=OUTPUT_EXPECTED,
            harness=self._harness.name,
            use_case=UseCase.CHAT if chore else UseCase.CODE,
            objective=OBJECTIVES[tier],
            local_preference=LocalPreference.REQUIRED if wishes.is_private else LocalPreference.PREFERRED,
            excluded_providers=wishes.excluded,
            client=self._name,
            policy=wishes.policy,
            classification=Classification(
                role, tier, UseCase.CODE, OBJECTIVES[tier], TIER_ORDER.index(tier) / 3, 0.8, chore, ("simulated",)
            ),
            affinity_keys=(conversation.key,),
            made_by=conversation.made_by,
        )
        leaves = chance.expovariate(1 / 5.0) if chance.random() < CANCELS else None
        return Call(conversation.key, demand, output_tokens, need, PATIENCE_S, leaves)

    def _misjudged(self, need: ModelTier) -> ModelTier:
        dice = self._chance.random()
        step = 1 if dice < MISJUDGED_UP else -1 if dice < MISJUDGED_UP + MISJUDGED_DOWN else 0
        return TIER_ORDER[max(0, min(3, TIER_ORDER.index(need) + step))]

    def _chore(self, chore: str) -> None:
        self._chores += 1
        conversation = Conversation(f"{self._name}/{chore}{self._chores}", 400 + int(self._chance.lognormvariate(6.0, 0.7)), CallRole.CHORE)
        self._stage.start(self._do_chore(conversation, chore))

    def _do_chore(self, conversation: Conversation, chore: str) -> Script:
        yield from patiently(self._call(conversation, CallRole.CHORE, ModelTier.MICRO, None, 20, chore))

    def _sub_agent(self) -> None:
        """A conversation of its own, with dice of its own: it runs beside its parent."""
        self._children += 1
        name, dice = f"{self._name}.{self._children}", Random(self._chance.getrandbits(64))
        child = Agent(name, self._harness, dice, self._stage, replace(self._wishes, is_signed=False))
        self._stage.start(child._turn(Conversation(name, self._harness.opener_tokens * 2 // 3, CallRole.SUBAGENT)))
