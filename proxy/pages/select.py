"""`POST /api/routing/select`: what would be decided for a request, and nothing is sent. `donut route` is the same on the command line.

Bodies that it takes:
- a request as it would be sent, with its steering headers on this request;
- `{"request": {...}, "dialect": "chat", "headers": {"x-donut-tier": "small"}}`, which a program can store;
- an entry point: `{"tier": "small", "use_case": "code"}`, `{"logical_model_id": ...}` or `{"replica_id": ...}`, with `input_tokens` and
  `output_tokens` to size it;
- juggernaut's `{"task_id", "task_type"}`, answered in its shape (reference/route-endpoint-and-policies.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from providers.dialects import Dialect
from providers.transport.port import Headers
from proxy.downstream import CLIENT
from proxy.dry_run import Call, demand_of, foresee
from proxy.pages._entry import entry_demand, names_an_entry
from proxy.pages._task import is_task, select_task
from proxy.site import Pages, Site, as_json, json_body, post, wrong

MARKS: tuple[tuple[str, str], ...] = (("messages", "chat"), ("contents", "gemini"), ("prompt", "completions"), ("input", "embeddings"))
"""A member that only bodies of one dialect have, for bodies that come without saying theirs."""


async def select(site: Site, request: Request) -> Response:
    data, size = await json_body(site, request)
    if is_task(data):
        return as_json(select_task(site, data, request.scope[CLIENT]))
    demand = entry_demand(data) if names_an_entry(data) else demand_of(_call(site, request, data, size), site.gateway.serving, site.now())
    return as_json(foresee(demand, site.gateway.serving, site.moment()))


def _call(site: Site, request: Request, data: dict[str, Any], size: int) -> Call:
    own: Headers = request.scope["headers"]
    client: str | None = request.scope[CLIENT]
    inner = data.get("request")
    if inner is None:
        return Call(dialect_of(site, request.query_params.get("dialect"), data), data, size, own, client)
    if not isinstance(inner, dict):
        raise wrong("request: must be the request's body, an object", "request")
    given = headers_of(data.get("headers"))
    names = {name for name, _ in given}
    headers = [*given, *(pair for pair in own if pair[0] not in names)]
    # The estimate of tokens begins with the body's size: the wrapping is no part of it.
    return Call(dialect_of(site, data.get("dialect"), inner), inner, len(orjson.dumps(inner)), headers, client)


def dialect_of(site: Site, name: object, data: Mapping[str, Any]) -> Dialect:
    """The named dialect, else the one whose bodies look like this."""
    found = name if name is not None else next((dialect for mark, dialect in MARKS if mark in data), "chat")
    if not isinstance(found, str) or found not in site.dialects:
        raise wrong(f"dialect: one of {', '.join(site.dialects)}, not {found!r}", "dialect")
    return site.dialects[found]


def headers_of(given: object) -> Headers:
    """A JSON object of headers as a request carries them."""
    if given is None:
        return []
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise wrong("headers: must be an object of texts", "headers")
    return [(name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in given.items()]


PAGES = Pages((post("/api/routing/select", select),))
