"""The policies in force: the shipped ones (`data/policies.yaml`), with what config adds or changes, as `routing.policies` takes them."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from config.document import read_document
from config.routing_settings import PolicySettings, RuleSettings
from config.settings import Settings
from routing.policies import PolicyBook, Rule
from routing.resolve import PREFIX
from routing.types import ModelTier, Policy, Target, TargetKind

_TIERS = frozenset(tier.value for tier in ModelTier)


@dataclass(frozen=True, slots=True)
class Names:
    """What a policy's `models` may mean at this moment."""

    models: Collection[str] = ()
    """Logical models that are served."""
    replicas: Collection[str] = ()
    aliases: Mapping[str, str] | None = None
    """Other names of logical models."""


@functools.cache
def shipped_policies() -> Mapping[str, PolicySettings]:
    """Name → policy, of the file in the package, in its order."""
    text = importlib.resources.files("config").joinpath("data", "policies.yaml").read_text(encoding="utf-8")
    document = read_document(text, "policies.yaml", {})
    return {item.name: item for item in map(PolicySettings.model_validate, document.data["policies"])}


def policies_in_force(settings: Settings) -> dict[str, PolicySettings]:
    """Shipped ones first. A policy of config with a shipped name replaces only the fields that it gives."""
    policies = dict(shipped_policies())
    for item in settings.policies:
        base = policies.get(item.name)
        given = {name: getattr(item, name) for name in item.model_fields_set}
        policies[item.name] = item if base is None else base.model_copy(update=given)
    return policies


def policy_book(settings: Settings, names: Names | None = None) -> PolicyBook:
    """`names` are those served now: a policy's `models` are resolved against them, as a client's model name would be.

    A name that nothing serves stays a logical model: discovery may yet find it. Assumes settings that `config.references` has judged.
    """
    known = names or Names()
    return PolicyBook(
        policies={name: _policy(item, known) for name, item in policies_in_force(settings).items()},
        rules=tuple(map(_rule, settings.routing.rules)),
        default=settings.routing.policy,
        by_client={key.name: key.policy for key in settings.server.api_keys if key.policy is not None},
    )


def with_clients(book: PolicyBook, policies: Mapping[str, str]) -> PolicyBook:
    """`book`, with the policies that keys have which the settings do not know. One whose policy is gone has the others' default."""
    known = {name: policy for name, policy in policies.items() if policy in book.policies}
    return replace(book, by_client={**known, **book.by_client}) if known else book


def _policy(item: PolicySettings, names: Names) -> Policy:
    return Policy(
        name=item.name,
        stages=tuple(_stage(name.removeprefix(PREFIX), item.name, names) for name in item.models),
        tiers=dict(item.tiers),
        objective=item.objective,
        local_preference=item.local_preference,
        max_cost_usd=item.max_cost,
        max_tokens=item.max_tokens,
        temperature=item.temperature,
    )


def _stage(name: str, policy: str, names: Names) -> Target:
    because = f"policy {policy} names it"
    if name in _TIERS:
        return Target(TargetKind.TIER, name, because)
    if name in names.replicas:
        return Target(TargetKind.REPLICA, name, because)
    if name not in names.models:
        name = (names.aliases or {}).get(name, name)
    return Target(TargetKind.MODEL, name, because)


def _rule(item: RuleSettings) -> Rule:
    return Rule(item.policy, item.harness, item.key, item.use_case, item.role, item.model)
