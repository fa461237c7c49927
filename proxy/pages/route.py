"""`POST /route`: RouteLLM-style routers, as their clients call them. Nothing is sent: the client asks its model itself.

One answer for both shapes that are about (reference/route-endpoint-and-policies.md): "local-intelligent-v2" with its scores and costs, and
the shim `{description|prompt}` → `{model, source, complexity, …}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from providers.dialects import ErrorReply
from proxy.downstream import CLIENT
from proxy.dry_run import Call, demand_of, foresee
from proxy.pages._axes import axis_weights
from proxy.pages._entry import one_of, tokens
from proxy.site import PageError, Pages, Site, as_json, json_body, post, wrong
from routing.pricing import blended_price
from routing.resolve import UnknownModel
from routing.types import TIER_ORDER, Demand, ModelReplica, ModelTier, Objective, Target, TargetKind

SCORES_SHOWN = 6
"""What the reference's router shows."""

HARD, EASY = 0.70, 0.30
MANY_TOKENS, FEW_TOKENS = 9000, 4000
"""From which difficulty and size on that router asks for quality, and up to which it saves."""


class Wish(NamedTuple):
    """What the client says, read and checked."""

    prompt: str
    requested_model: str | None
    provider: str | None
    difficulty: float | None
    """0 to 1; the wire has 0 to 100."""
    input_tokens: int | None
    objective: Objective


async def route(site: Site, request: Request) -> Response:
    data, _ = await json_body(site, request)
    return as_json(routed(site, read_wish(data), request.scope[CLIENT]))


def routed(site: Site, wish: Wish, client: str | None) -> dict[str, Any]:
    """What donut would take, as `/route` says it. Raises PageError."""
    serving = site.gateway.serving
    named = _served(site, wish.requested_model)
    prompt = wish.prompt or "(no prompt was given)"
    body = {"model": named or "auto", "messages": [{"role": "user", "content": prompt}]}
    demand = demand_of(Call(site.dialects["chat"], body, len(prompt.encode()), [], client), serving, site.now())
    demand = adjusted(demand, wish, profile=site.profile())
    record = foresee(demand, serving, site.moment())
    if record["kind"] == "refusal":
        words = "; ".join(f"{reject['id']} {reject['reason']}" for reject in record["rejected_candidates"][:SCORES_SHOWN])
        message = f"No model can take this now: {words or record['reason']}."
        raise PageError(ErrorReply(503, "no_route", message, None, record["retry_after_s"]))
    return answer_of(site, wish, demand, record, is_named=named is not None)


def read_wish(data: Mapping[str, Any]) -> Wish:
    """Raises PageError. Both names of the objective are in use, and both of the prompt."""
    texts = {name: data.get(name) for name in ("prompt", "description", "requested_model", "provider")}
    for name, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise wrong(f"{name}: must be a text", name)
    objective_name = "optimization_target" if "optimization_target" in data else "objective"
    size = tokens(data, "prompt_tokens_est", 0)
    return Wish(
        texts["prompt"] or texts["description"] or "",
        texts["requested_model"] or None,
        texts["provider"],
        _difficulty(data.get("prompt_difficulty_score")),
        size or None,
        one_of(data, objective_name, Objective, Objective.AUTO),
    )


def _difficulty(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise wrong(f"prompt_difficulty_score: from 0 to 100, not {value!r}", "prompt_difficulty_score")
    return value / 100


def _served(site: Site, name: str | None) -> str | None:
    """`name`, if it is a name that stands for something here. A hint that nobody serves is no error: the client wants a model."""
    if name is None or isinstance(site.gateway.serving.resolve(name), UnknownModel):
        return None
    return name


def adjusted(demand: Demand, wish: Wish, *, profile: str) -> Demand:
    """The demand with what the client knows better: its size, its difficulty, what to optimise for.

    Without a prompt there is nothing to classify: then the tier follows from the client's own difficulty, a quarter of the scale each.
    """
    size = wish.input_tokens or demand.input_tokens_estimated
    demand = demand._replace(input_tokens_estimated=size)
    objective = wish.objective
    if objective is Objective.AUTO and wish.difficulty is not None:
        objective = objective_for(wish.difficulty, size, profile=profile)
    if objective is not Objective.AUTO:
        demand = demand._replace(objective=objective)
    if wish.difficulty is None or wish.prompt or demand.target.kind in (TargetKind.MODEL, TargetKind.REPLICA):
        return demand
    tier = tier_for(wish.difficulty)
    return demand._replace(target=Target(TargetKind.TIER, tier.value, f"the client's difficulty is {wish.difficulty * 100:g} of 100"))


def objective_for(difficulty: float, input_tokens: int, *, profile: str) -> Objective:
    """The reference router's rule for objective `auto`."""
    if difficulty >= HARD or input_tokens >= MANY_TOKENS:
        return Objective.BALANCED if profile == "fast" else Objective.QUALITY
    if difficulty <= EASY and input_tokens <= FEW_TOKENS:
        return Objective.COST_SPEED
    return Objective.BALANCED


def tier_for(difficulty: float) -> ModelTier:
    return TIER_ORDER[min(int(difficulty * len(TIER_ORDER)), len(TIER_ORDER) - 1)]


def answer_of(site: Site, wish: Wish, demand: Demand, record: Mapping[str, Any], *, is_named: bool) -> dict[str, Any]:
    """Everything that either shape has; what is not known is null."""
    serving = site.gateway.serving
    replica = serving.router.catalog.replicas[record["replica_id"]]
    objective, profile = record["demand"]["objective"], site.profile()
    is_fallback = bool(record["panic"] or record["spilled_from"])
    strategy = "fallback" if is_fallback else "requested_model_allowed" if is_named else f"intelligent_{objective}"
    models = [candidate["logical_model_id"] for candidate in record["candidates"]]
    others = [model for model in models if model != replica.logical_model_id]
    difficulty = demand.classification.difficulty if demand.classification is not None else wish.difficulty
    scaled = None if difficulty is None else round(difficulty * 100, 1)
    return {
        "model": replica.logical_model_id,
        "selected_model": replica.logical_model_id,
        "replica_id": replica.id,
        "strategy": strategy,
        "provider": replica.provider_id,
        "requested_provider": wish.provider,
        "objective": objective,
        "weights": axis_weights(site.selectors.get(objective), profile),
        "requested_model": wish.requested_model,
        "requested_model_allowed": is_named,
        "allowed_models": sorted(set(models)),
        "fallback_model": others[0] if others else None,
        "fallback_used": is_fallback,
        "reason": "; ".join(record["selected_because"]),
        "difficulty": scaled,
        "complexity": scaled,
        "prompt_tokens_est": demand.input_tokens_estimated,
        **_costs(replica, demand),
        "estimated_speed_tps": _speed(site, replica),
        "candidate_count": len(record["candidates"]),
        "candidate_scores": [candidate_score(site, demand, candidate) for candidate in record["candidates"][:SCORES_SHOWN]],
        "router_profile": profile,
        "router_version": f"donut {site.version}",
        "source": "donut",
        "routellm_available": False,
        "timestamp": datetime.fromtimestamp(site.gateway.wall(), UTC).isoformat(timespec="seconds"),
    }


def candidate_score(site: Site, demand: Demand, candidate: Mapping[str, Any]) -> dict[str, Any]:
    replica = site.gateway.serving.router.catalog.replicas[candidate["replica_id"]]
    said = {"model": replica.logical_model_id, "replica_id": replica.id, "provider": replica.provider_id, "score": candidate["score"]}
    return said | _costs(replica, demand) | {"estimated_speed_tps": _speed(site, replica), "factors": candidate["factors"]}


def _costs(replica: ModelReplica, demand: Demand) -> dict[str, float | None]:
    """USD. The reference calls the price of the prompt alone the prompt's cost."""
    price = replica.price
    input_price = price.input if price is not None else None
    prompt = None if input_price is None else demand.input_tokens_estimated * input_price / 1_000_000
    return {
        "estimated_cost_per_million": blended_price(price),
        "estimated_input_cost_per_million": input_price,
        "estimated_output_cost_per_million": price.output if price is not None else None,
        "estimated_prompt_cost_usd": prompt,
    }


def _speed(site: Site, replica: ModelReplica) -> float | None:
    """Tokens per second: as measured, else as its usual hosts reach them, where the catalog knows it."""
    router = site.gateway.serving.router
    measured = router.fleet.state(replica.id).timing.tokens_per_s_ewma
    model = router.catalog.models.get(replica.logical_model_id)
    return measured if measured is not None or model is None else model.output_tokens_per_s


PAGES = Pages((post("/route", route),))
