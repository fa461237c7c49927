"""`POST /api/opinion`: `/route`'s question asked twice, of donut and of an external router, side by side. A dry run: no model is asked.

The prompt goes to that router as well, for whoever asks here has it and wants to know. The router has two seconds (`adapters.routellm`).
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from providers.adapters.routellm import NoOpinionError, Question
from proxy.downstream import CLIENT
from proxy.pages.route import Wish, read_wish, routed
from proxy.site import Pages, Site, as_json, json_body, post


async def opinion(site: Site, request: Request) -> Response:
    data, _ = await json_body(site, request)
    wish = read_wish(data)
    own = routed(site, wish, request.scope[CLIENT])
    return as_json({"donut": own, **await _external(site, wish, own)})


async def _external(site: Site, wish: Wish, own: dict[str, Any]) -> dict[str, Any]:
    """`agrees` is null where there is no opinion; `problem` then says why."""
    difficulty = None if own["difficulty"] is None else own["difficulty"] / 100
    objective, tokens = str(own["objective"]), own["prompt_tokens_est"]
    question = Question(wish.requested_model or "auto", difficulty, tokens, objective, wish.provider or "", wish.prompt)
    try:
        if site.opinion is None:
            raise NoOpinionError("this donut asks nobody")
        said = await site.opinion(question)
    except NoOpinionError as error:
        return {"external": None, "agrees": None, "problem": str(error)}
    aliases = site.gateway.serving.router.catalog.aliases
    return {"external": said._asdict(), "agrees": aliases.get(said.model, said.model) == own["model"], "problem": None}


PAGES = Pages((post("/api/opinion", opinion),))
