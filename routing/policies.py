"""Which policy applies to an open request, and what it makes of it. Counterparts: `routing.types.Policy`, `config/policies.py` (the data).

A policy speaks where the client left the choice open: `auto`, a policy's name. A model or replica that a client names is asked
whatever the policies say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from routing.types import CallRole, Classification, ModelTier, Policy, Target, TargetKind, UseCase

NORMAL = "normal"
"""The policy that changes nothing: the classifier's tier, the request's own wishes."""


class Rule(NamedTuple):
    """When every given field matches, `policy` applies. Text fields are patterns: "claude-*"; None matches all."""

    policy: str
    harness: str | None = None
    key: str | None = None
    """The name of the client's key; a request without a key matches no pattern."""
    use_case: UseCase | None = None
    role: CallRole | None = None
    """A person's turn means its continuations too: one turn must not change policies half-way."""
    model: str | None = None
    """The name that the client asked for."""

    def matches(self, client: str | None, harness: str, requested_model: str, classification: Classification | None) -> bool:
        """A request that nobody classified has neither use case nor role."""
        use_case = classification.use_case if classification is not None else None
        role = classification.role if classification is not None else None
        return (
            (self.use_case is None or self.use_case is use_case)
            and (self.role is None or self.role is role or (self.role is CallRole.MAIN and role is CallRole.CONTINUATION))
            and (self.harness is None or fnmatchcase(harness, self.harness))
            and (self.key is None or (client is not None and fnmatchcase(client, self.key)))
            and (self.model is None or fnmatchcase(requested_model, self.model))
        )

    def in_words(self) -> str:
        given = [f"{name} {value}" for name, value in zip(self._fields[1:], self[1:], strict=True) if value is not None]
        return ", ".join(given) or "it matches everything"


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """All policies by name, and who gets which."""

    policies: Mapping[str, Policy] = field(default_factory=lambda: {NORMAL: Policy(NORMAL)})
    rules: tuple[Rule, ...] = ()
    """In order: the first that matches counts."""
    default: str = NORMAL
    by_client: Mapping[str, str] = field(default_factory=dict)
    """Name of a client's key → policy."""

    def select(
        self,
        *,
        named: str | None,
        client: str | None,
        harness: str,
        requested_model: str,
        classification: Classification | None,
    ) -> tuple[Policy, str]:
        """The policy that applies, and why. Order: what the request names, its key, the first rule that matches, the default.

        `named` comes from `x-donut-policy`, else from a model name `policy:NAME`. Raises KeyError when no policy has that name.
        """
        if named is not None:
            return self.policies[named], "the request named it"
        if client is not None and client in self.by_client:
            return self.policies[self.by_client[client]], f"the key {client} has it"
        for number, rule in enumerate(self.rules, 1):
            if rule.matches(client, harness, requested_model, classification):
                return self.policies[rule.policy], f"rule {number} gives it: {rule.in_words()}"
        return self.policies[self.default], "the default"


def target_of(policy: Policy, classification: Classification) -> Target:
    """What `policy` makes of a classified request: a tier for its type of task, else the policy's own stages, else the classified tier.

    The mapping comes before the stages, since it says the exception: `models: [gpt-6-astra], tiers: {title: micro}`. Embeddings
    take no stages: those name models that answer in words.
    """
    mapped = _mapped_tier(policy.tiers, classification)
    if mapped is not None:
        task, tier = mapped
        return Target(TargetKind.TIER, tier.value, f"policy {policy.name} sends {task} to {tier.value}")
    if policy.stages and classification.use_case is not UseCase.EMBED:
        return Target(TargetKind.POLICY, policy.name, f"policy {policy.name} says which models, in order")
    reasons = ", ".join(classification.reasons[:2])
    return Target(TargetKind.TIER, classification.tier.value, f"classified: {reasons}" if reasons else "classified")


def _mapped_tier(tiers: Mapping[str, ModelTier], classification: Classification) -> tuple[str, ModelTier] | None:
    """What the call is comes before what it is about; of two words for the same the narrower one counts."""
    if not tiers:
        return None
    role = classification.role
    words = [classification.chore, role.value, classification.use_case.value]
    if role is CallRole.CONTINUATION:
        # A continuation belongs to its turn: what holds for that holds for it.
        words.insert(2, CallRole.MAIN.value)
    return next(((word, tiers[word]) for word in words if word is not None and word in tiers), None)
