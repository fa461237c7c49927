"""`GET|POST /api/routing/policies`: the named ways to answer. They live in the config file; a posted one lasts as long as the process.

Rule: with more than one client key nobody may post. A policy concerns everybody's requests (a posted `local_preference` could send another
client's prompts off the machine), and no client key is above the others.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from providers.dialects import ErrorReply
from proxy.pages import _query as query
from proxy.site import PageError, Pages, Site, as_json, get, json_body, post
from routing.policies import Rule
from routing.types import Policy


async def policies(site: Site, request: Request) -> Response:
    query.known_only(request, ())
    book = site.gateway.serving.policies
    return as_json(
        {
            "object": "list",
            "policies": [_row(policy) for policy in book.policies.values()],
            "default": book.default,
            "rules": [_rule(rule) for rule in book.rules],
        }
    )


async def put(site: Site, request: Request) -> Response:
    """Keys as in the config file: `{"name": "code", "models": ["mid"], "objective": "quality", …}`. Only the given ones change."""
    if len(site.gateway.serving.keys) > 1:
        message = "Several clients share this donut, and a policy concerns them all: change policies in its config file."
        raise PageError(ErrorReply(403, "policies_are_configured", message))
    data, _ = await json_body(site, request)
    try:
        text = site.put_policy(data)
    except ValueError as error:
        raise PageError(ErrorReply(400, "invalid_policy", str(error))) from error
    policy = site.gateway.serving.policies.policies[data["name"]]
    why = "This policy is in force until donut stops. To keep it, add `config` to the configuration file."
    return as_json({"success": True, "policy": _row(policy), "persisted": False, "note": why, "config": text})


def _row(policy: Policy) -> dict[str, Any]:
    """As the config file writes it; `models` by the names that they resolved to."""
    return {
        "name": policy.name,
        "models": [stage.id for stage in policy.stages],
        "tiers": {task: tier.value for task, tier in policy.tiers.items()},
        "objective": policy.objective,
        "local_preference": policy.local_preference,
        "max_cost": policy.max_cost_usd,
        "max_tokens": policy.max_tokens,
        "temperature": policy.temperature,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {name: value for name, value in rule._asdict().items() if value is not None}


PAGES = Pages((get("/api/routing/policies", policies), post("/api/routing/policies", put)))
