"""From what a client asked, in body and headers, to a `Demand`: what the router decides on.

Order: the name that was asked for; for what it leaves open the conversation, the classifier and the policies; the headers that steer last.
A model that a client names is asked whatever the policies say, and nothing is classified for it. Nothing is remembered here: a dry run
comes this way, too. Whoever sends the request calls `remember`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from providers.dialects import Ask, BadRequestError, Dialect
from proxy.agent_hints import agent_policy
from proxy.harness import recognise
from proxy.serving import Serving
from proxy.session import chore_keys, keys_of
from proxy.steering import Steering
from proxy.ties import Tie, tie_of
from proxy.weighing import Scales
from routing.classify.marks import HINT_HEADERS
from routing.classify.steps import adjust
from routing.conversations import Turn
from routing.policies import NORMAL, target_of
from routing.resolve import UnknownModel, objective_of
from routing.turns import Reading, read_call
from routing.types import CallRole, Catalog, Classification, Demand, ModelTier, Objective, Policy, Target, TargetKind, UseCase

EXPECTED_OUTPUT_TOKENS = 512
"""Held for an answer of unknown length, until issue 04 learns it per model: the median turn of a coding harness is shorter."""

_USE_CASES = {"embeddings": UseCase.EMBED}
_NAMED = frozenset({TargetKind.MODEL, TargetKind.REPLICA})
_HINTS = tuple((name.encode(), name) for name in HINT_HEADERS)


class Request(NamedTuple):
    """What a client sent, read by its dialect."""

    dialect: Dialect
    data: dict[str, Any]
    ask: Ask
    headers: Mapping[bytes, bytes]
    client: str | None
    """The name of its key."""


class _Call(NamedTuple):
    """All that is known when the demand is made."""

    request: Request
    steering: Steering
    serving: Serving
    keys: tuple[str, ...]
    tie: Tie
    now_s: float


class Understood(NamedTuple):
    demand: Demand
    turn: Turn | None = None
    """Of its conversation, as of this call."""
    is_stripped: bool = False
    """Is reasoning to be taken out that nobody served can read?"""


def demand_for(request: Request, steering: Steering, serving: Serving, now_s: float) -> Understood | UnknownModel:
    """The demand, or the name that nobody serves. Raises BadRequestError where the request can not be what its headers or its past say.

    Sets on `request.ask` what `Dialect.prepare` is to change because of it.
    """
    target = serving.resolve(request.ask.model)
    if isinstance(target, UnknownModel):
        return target
    if steering.policy is not None and steering.policy not in serving.policies.policies:
        names = ", ".join(serving.policies.policies)
        raise BadRequestError(f"x-donut-policy: {steering.policy!r} is none of {names}", "x-donut-policy", "invalid_value")
    keys = _keys(request, target, serving.router.catalog)
    tie = tie_of(request.ask, target, keys, serving, now_s)
    request.ask.drop_sealed = tie.is_stripped
    call = _Call(request, steering, serving, keys, tie, now_s)
    demand = _plain(call, target)
    understood = Understood(demand, None, tie.is_stripped) if target.kind in _NAMED else _opened(call, demand)
    terms = serving.clients.get(request.client) if request.client is not None else None
    return understood if terms is None else understood._replace(demand=terms.bind(understood.demand))


def remember(understood: Understood, serving: Serving, now_s: float) -> None:
    """Take note that the request is on its way. What its success teaches, the router learns by itself."""
    keys, memory = understood.demand.affinity_keys, serving.memory
    if understood.turn is not None:
        memory.conversations.remember(keys, understood.turn, now_s)
    if understood.is_stripped and keys:
        memory.stripped.put(keys[0], True, now_s)


def _keys(request: Request, target: Target, catalog: Catalog) -> tuple[str, ...]:
    """None where there is nothing to choose, and nothing that only one account could read: most named models have one replica."""
    is_settled = target.kind is TargetKind.REPLICA or (
        target.kind is TargetKind.MODEL and len(catalog.replicas_by_model.get(target.id, ())) < 2
    )
    if is_settled and not request.ask.has_sealed_reasoning:
        return ()
    opening = request.dialect.opening(request.data)
    return keys_of(opening, request.headers, request.client) if opening is not None else ()


def _plain(call: _Call, target: Target) -> Demand:
    """The demand as far as it needs no reading between the lines."""
    request, steering, ask = call.request, call.steering, call.request.ask
    return Demand(
        dialect=request.dialect.name,
        target=target,
        requested_model=ask.model,
        stream=ask.stream,
        capability_bits=ask.capability_bits | steering.capability_bits,
        input_tokens_estimated=ask.input_tokens_estimated,
        output_tokens_estimated=EXPECTED_OUTPUT_TOKENS
        if ask.output_tokens_max is None
        else min(ask.output_tokens_max, EXPECTED_OUTPUT_TOKENS),
        harness=recognise(steering.user_agent, request.headers, request.data),
        use_case=_USE_CASES.get(request.dialect.name, UseCase.CHAT),
        objective=steering.objective or objective_of(ask.model),
        local_preference=steering.local or call.serving.local_preference,
        excluded_providers=steering.excluded,
        client=request.client,
        affinity_keys=call.keys,
        made_by=call.tie.made_by,
        max_cost_usd=steering.max_cost_usd,
        notes=call.tie.notes,
        translatable_to=call.serving.translations.get(request.dialect.name, frozenset()),
        output_tokens_max=ask.output_tokens_max,
    )


def _opened(call: _Call, demand: Demand) -> Understood:
    """What the conversation, the classifier and the policies make of a demand that leaves the model open."""
    request, steering, serving = call.request, call.steering, call.serving
    reading = _read(call, demand)
    classification = reading.classification if reading is not None else None
    policy, why = serving.policies.select(
        named=steering.policy
        or (demand.target.id if demand.target.kind is TargetKind.POLICY else None)
        or agent_policy(request.data, serving.policies.policies),
        client=request.client,
        harness=demand.harness,
        requested_model=request.ask.model,
        classification=classification,
    )
    request.ask.defaults = _defaults(policy)
    keys = call.keys
    if classification is not None and classification.role is CallRole.CHORE:
        keys = chore_keys(keys)
    demand = demand._replace(
        target=_within_reach(call, _target(call, demand, policy, why, classification)),
        use_case=classification.use_case if classification is not None else demand.use_case,
        objective=_objective(demand.objective, policy, serving, classification),
        local_preference=steering.local or policy.local_preference or serving.local_preference,
        policy=policy.name,
        classification=classification,
        affinity_keys=keys,
        max_cost_usd=_lower(demand.max_cost_usd, policy.max_cost_usd),
    )
    return Understood(demand, reading.turn if reading is not None else None, call.tie.is_stripped)


def _read(call: _Call, demand: Demand) -> Reading | None:
    request, serving = call.request, call.serving
    if serving.classifier is None:
        return None
    hints = {name: value.decode("latin-1") for key, name in _HINTS if (value := request.headers.get(key)) is not None}
    excerpt = request.dialect.excerpt(request.data, demand.harness, hints)
    known = serving.memory.conversations.turn_of(call.keys, call.now_s)
    scales = Scales(
        serving.router.catalog,
        {demand.dialect, *demand.translatable_to},
        serving.router.fleet.affinity.replica_of(call.keys, call.now_s),
        call.tie.made_by,
        demand.input_tokens_estimated,
        demand.output_tokens_estimated,
    )
    return read_call(excerpt, known, serving.classifier, adjust, scales.weigh)


def _target(call: _Call, demand: Demand, policy: Policy, why: str, classification: Classification | None) -> Target:
    """The header wins over the name, a name over the policy, and the policy over the classifier."""
    asked = demand.target
    if call.steering.tier is not None:
        return Target(TargetKind.TIER, call.steering.tier.value, "x-donut-tier asked for it")
    if asked.kind is TargetKind.TIER:
        return asked
    if classification is not None:
        found = target_of(policy, classification)
    elif policy.stages and demand.use_case is not UseCase.EMBED:
        found = Target(TargetKind.POLICY, policy.name, f"policy {policy.name} says which models, in order")
    else:
        tier = call.serving.router.catalog.default_tier
        found = Target(TargetKind.TIER, tier.value, "nothing classified it, so the default tier answers")
    words = [asked.because, found.because]
    if policy.name != NORMAL:
        words.append(f"policy {policy.name}: {why}")
    return found._replace(because="; ".join(words))


def _within_reach(call: _Call, target: Target) -> Target:
    """`target`, or the tier that the conversation is in where the account that made its reasoning has nothing in `target`."""
    catalog, made_by, replica_id = call.serving.router.catalog, call.tie.made_by, call.tie.replica_id
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
