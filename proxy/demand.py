"""From what a client asked, in body and headers, to a `Demand`: what the router decides on.

Order: the name that was asked for; for what it leaves open the conversation, the classifier and the policies; the headers that steer last.
A model that a client names is asked whatever the policies say, and nothing is classified for it. Nothing is remembered here: a dry run
comes this way, too. Whoever sends the request calls `remember`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from providers.dialects import Ask
from proxy.agent_hints import agent_policy
from proxy.asker import Asker
from proxy.harness import BODY_MEMBERS, in_body
from proxy.serving import Serving
from proxy.session import chore_keys, keys_of
from proxy.ties import UNTIED, Tie, tie_of
from proxy.weighing import Scales
from routing.classify.marks import HINT_HEADERS
from routing.classify.steps import adjust
from routing.conversations import Turn
from routing.policies import NORMAL, target_of
from routing.resolve import UnknownModel
from routing.turns import Reading, read_call
from routing.types import CallRole, Classification, Demand, ModelTier, Objective, Policy, Target, TargetKind, UseCase

_HINTS = tuple((name.encode(), name) for name in HINT_HEADERS)


class _Call(NamedTuple):
    """A request that leaves the model open, and all that is known of it."""

    asker: Asker
    ask: Ask
    data: dict[str, Any]
    demand: Demand
    """As far as it needs no reading between the lines."""
    tie: Tie
    now_s: float


class Understood(NamedTuple):
    """A demand of which something is to be remembered."""

    demand: Demand
    turn: Turn | None = None
    """Of its conversation, as of this call."""
    is_stripped: bool = False
    """Is reasoning to be taken out that nobody served can read?"""


def demand_for(asker: Asker, ask: Ask, data: dict[str, Any], now_s: float) -> Demand | Understood | UnknownModel:
    """The demand of `data`, read as `ask`: by itself where there is nothing to remember of it (nearly always where a model is named), or
    the name that nobody serves. Raises BadRequestError where the request can not be what its headers or its past say.

    Sets on `ask` what `Dialect.prepare` is to change because of it.
    """
    wish = asker.wish(ask)
    if isinstance(wish, UnknownModel):
        return wish
    keys: tuple[str, ...] = ()
    # Where there is nothing to choose, and nothing that only one account could read, nobody asks which conversation it is.
    if not wish.is_settled or ask.has_sealed_reasoning:
        opening = asker.dialect.opening(data)
        if opening is not None:
            keys = keys_of(opening, asker.sender)
    demand = wish.demand(ask.input_tokens_estimated, keys)
    if asker.is_behind and not BODY_MEMBERS.isdisjoint(data):
        demand = demand._replace(harness=in_body(data) or asker.harness)
    if wish.is_named and not ask.has_sealed_reasoning:
        return demand
    tie = UNTIED
    if ask.has_sealed_reasoning:
        tie = tie_of(ask, demand.target, keys, asker.serving, now_s)
        ask.drop_sealed = tie.is_stripped
        demand = demand._replace(made_by=tie.made_by, notes=tie.notes)
    if wish.is_named:
        return Understood(demand, None, tie.is_stripped)
    return _opened(_Call(asker, ask, data, demand, tie, now_s))


def remember(understood: Understood, serving: Serving, now_s: float) -> None:
    """Take note that the request is on its way. What its success teaches, the router learns by itself."""
    keys, memory = understood.demand.affinity_keys, serving.memory
    if understood.turn is not None:
        memory.conversations.remember(keys, understood.turn, now_s)
    if understood.is_stripped and keys:
        memory.stripped.put(keys[0], True, now_s)


def _opened(call: _Call) -> Understood:
    """What the conversation, the classifier and the policies make of a demand that leaves the model open."""
    asker, demand, steering, serving = call.asker, call.demand, call.asker.steering, call.asker.serving
    reading = _read(call)
    classification = reading.classification if reading is not None else None
    policy, why = serving.policies.select(
        named=steering.policy
        or (demand.target.id if demand.target.kind is TargetKind.POLICY else None)
        or agent_policy(call.data, serving.policies.policies),
        client=asker.client,
        harness=demand.harness,
        requested_model=call.ask.model,
        classification=classification,
    )
    call.ask.defaults = _defaults(policy)
    keys = demand.affinity_keys
    if classification is not None and classification.role is CallRole.CHORE:
        keys = chore_keys(keys)
    demand = demand._replace(
        target=_within_reach(call, _target(call, policy, why, classification)),
        use_case=classification.use_case if classification is not None else demand.use_case,
        objective=_objective(demand.objective, policy, serving, classification),
        local_preference=steering.local or policy.local_preference or serving.local_preference,
        policy=policy.name,
        classification=classification,
        affinity_keys=keys,
        max_cost_usd=_lower(demand.max_cost_usd, policy.max_cost_usd),
    )
    return Understood(asker.bound(demand), reading.turn if reading is not None else None, call.tie.is_stripped)


def _read(call: _Call) -> Reading | None:
    asker, demand, serving = call.asker, call.demand, call.asker.serving
    if serving.classifier is None:
        return None
    hints = {name: value.decode("latin-1") for key, name in _HINTS if (value := asker.headers.get(key)) is not None}
    excerpt = asker.dialect.excerpt(call.data, demand.harness, hints)
    known = serving.memory.conversations.turn_of(demand.affinity_keys, call.now_s)
    scales = Scales(
        serving.router.catalog,
        {demand.dialect, *demand.translatable_to},
        serving.router.fleet.affinity.replica_of(demand.affinity_keys, call.now_s),
        call.tie.made_by,
        demand.input_tokens_estimated,
        demand.output_tokens_estimated,
    )
    return read_call(excerpt, known, serving.classifier, adjust, scales.weigh)


def _target(call: _Call, policy: Policy, why: str, classification: Classification | None) -> Target:
    """The header wins over the name, a name over the policy, and the policy over the classifier."""
    asked, tier_wanted = call.demand.target, call.asker.steering.tier
    if tier_wanted is not None:
        return Target(TargetKind.TIER, tier_wanted.value, "x-donut-tier asked for it")
    if asked.kind is TargetKind.TIER:
        return asked
    if classification is not None:
        found = target_of(policy, classification)
    elif policy.stages and call.demand.use_case is not UseCase.EMBED:
        found = Target(TargetKind.POLICY, policy.name, f"policy {policy.name} says which models, in order")
    else:
        tier = call.asker.serving.router.catalog.default_tier
        found = Target(TargetKind.TIER, tier.value, "nothing classified it, so the default tier answers")
    words = [asked.because, found.because]
    if policy.name != NORMAL:
        words.append(f"policy {policy.name}: {why}")
    return found._replace(because="; ".join(words))


def _within_reach(call: _Call, target: Target) -> Target:
    """`target`, or the tier that the conversation is in where the account that made its reasoning has nothing in `target`."""
    catalog, made_by, replica_id = call.asker.serving.router.catalog, call.tie.made_by, call.tie.replica_id
    bound = catalog.replicas.get(replica_id) if made_by is not None and replica_id is not None else None
    if bound is None or target.kind is not TargetKind.TIER:
        return target
    if any(replica.provider_id == made_by for replica in catalog.replicas_by_tier.get(ModelTier(target.id), ())):
        return target
    return Target(TargetKind.TIER, bound.tier.value, f"{target.because}; only {made_by} can read the conversation's reasoning")


def _objective(asked: Objective, policy: Policy, serving: Serving, classification: Classification | None) -> Objective:
    """What the request says, its policy, the config, the task's shape: the first that has an opinion."""
    wishes = (asked, policy.objective, serving.objective, classification.objective if classification is not None else None)
    return next((wish for wish in wishes if wish is not None and wish is not Objective.AUTO), Objective.AUTO)


def _lower(one: float | None, other: float | None) -> float | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


def _defaults(policy: Policy) -> dict[str, int | float]:
    wishes = {"output_tokens": policy.max_tokens, "temperature": policy.temperature}
    return {name: value for name, value in wishes.items() if value is not None}
