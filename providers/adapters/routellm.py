"""RouteLLM-style routers (Orxaq's fast and strong ones, and whoever copied them): what they would choose, as an external opinion.

Never asked while a request waits. The prompt is not sent unless the caller has it and says so: a router of this kind can judge by
difficulty and size alone. Both shapes of the answer count (`model` or `selected_model`; `ok: true` or `status: "ok"`).
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import httpx

from providers.adapters import Adapter
from providers.adapters._fields import FormatError, mapping, number, parsed, text

LIMIT_S = 2.0
"""For the whole question (the reference's own `timeout_sec`)."""
ANSWER_BYTES = 256 * 1024


class Question(NamedTuple):
    requested_model: str
    difficulty: float | None = None
    """From 0 to 1."""
    input_tokens: int | None = None
    objective: str = "auto"
    provider: str = ""
    prompt: str = ""

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"requested_model": self.requested_model, "objective": self.objective, "optimization_target": self.objective}
        if self.difficulty is not None:
            told["prompt_difficulty_score"] = round(self.difficulty * 100, 1)
        if self.input_tokens is not None:
            told["prompt_tokens_est"] = self.input_tokens
        if self.provider:
            told["provider"] = self.provider
        if self.prompt:
            told["prompt"] = told["description"] = self.prompt
        return told


class Opinion(NamedTuple):
    model: str
    reason: str = ""
    strategy: str = ""
    objective: str = ""
    estimated_cost_usd: float | None = None
    router: str = ""
    """Which one it was, as it says."""


def read_opinion(document: object) -> Opinion | None:
    """None when the answer names no model."""
    data = mapping(document)
    model = text(data.get("selected_model")) or text(data.get("model"))
    if not model:
        return None
    return Opinion(
        model,
        text(data.get("reason"), 1024),
        text(data.get("strategy")) or text(data.get("source")),
        text(data.get("objective")),
        number(data.get("estimated_prompt_cost_usd")),
        text(data.get("router_version")) or text(data.get("router_profile")),
    )


def is_healthy(document: object) -> bool:
    data = mapping(document)
    return data.get("ok") is True or data.get("status") == "ok"


class NoOpinionError(Exception):
    """The router did not say anything useful in time. `str()` says why."""


async def ask(client: httpx.AsyncClient, url: str, question: Question, limit_s: float = LIMIT_S) -> Opinion:
    """`url` is the router's `/route`. Raises NoOpinionError, after `limit_s` at the latest."""
    try:
        # httpx's own timeouts are per step: the limit is for all of it.
        async with asyncio.timeout(limit_s), client.stream("POST", url, json=question.as_json(), timeout=limit_s) as answer:
            if answer.status_code != 200:
                raise NoOpinionError(f"it answers {answer.status_code}")
            opinion = read_opinion(parsed(await _body(answer)))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise NoOpinionError(f"{type(error).__name__} {error}".rstrip()) from error
    except FormatError as error:
        raise NoOpinionError(str(error)) from error
    if opinion is None:
        raise NoOpinionError("its answer names no model")
    return opinion


async def _body(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES:
            raise FormatError("its answer is too long for an opinion")
    return bytes(body)


ADAPTER = Adapter(name="routellm", title="RouteLLM-style router")
