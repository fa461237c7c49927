"""juggernaut-autonomy's question: a type of task in, the model that its policy chooses out (reference/route-endpoint-and-policies.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.dry_run import Call, demand_of, foresee
from proxy.pages._entry import tokens
from proxy.site import Site, wrong
from routing.policies import NORMAL

PROMPT_TOKENS = 2000
"""Taken for a task's prompt when nobody says its size: juggernaut itself has one figure per task, too."""


def is_task(data: Mapping[str, Any]) -> bool:
    return ("task_type" in data or "task_id" in data) and "messages" not in data and "request" not in data


def select_task(site: Site, data: Mapping[str, Any], client: str | None) -> dict[str, Any]:
    """`success` is false, and `selection` null, when nobody can take the task now; `decision` says why in either case.

    A task type is the name of a policy; any other gets the one that applies to everyone, as in juggernaut.
    """
    task_type = data.get("task_type", NORMAL)
    if not isinstance(task_type, str):
        raise wrong("task_type: must be a text", "task_type")
    serving = site.gateway.serving
    text = str(data.get("description") or data.get("prompt") or task_type)
    model = f"policy:{task_type}" if task_type in serving.policies.policies else "auto"
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    demand = demand_of(Call(site.dialects["chat"], body, len(text), [], client), serving, site.now())
    demand = demand._replace(input_tokens_estimated=tokens(data, "prompt_tokens_est", max(PROMPT_TOKENS, demand.input_tokens_estimated)))
    record = foresee(demand, serving, site.moment())
    return {
        "success": record["kind"] == "dispatch",
        "task_id": data.get("task_id"),
        "selection": _selection(site, record, demand.policy) if record["kind"] == "dispatch" else None,
        "decision": record,
    }


def _selection(site: Site, record: Mapping[str, Any], policy_name: str | None) -> dict[str, Any]:
    serving = site.gateway.serving
    policy = serving.policies.policies.get(policy_name or NORMAL)
    return {
        "model": record["logical_model_id"],
        "provider": serving.router.catalog.replicas[record["replica_id"]].provider_id,
        "replica_id": record["replica_id"],
        "policy": policy_name,
        "estimated_cost": record["estimated_cost_usd"],
        "max_tokens": policy.max_tokens if policy is not None else None,
        "temperature": policy.temperature if policy is not None else None,
    }
