"""OpenAI embeddings. Never streamed. https://platform.openai.com/docs/api-reference/embeddings"""

from __future__ import annotations

from typing import Any

from providers.dialects import AnswerFacts, Ask, BadRequestError, Dialect, _openai
from providers.dialects.excerpts import embeddings_excerpt
from providers.pieces import Body
from providers.splice import set_model
from routing.calibration import tokens_from_bytes
from routing.types import Capability

EMBEDDINGS = int(Capability.EMBEDDINGS)


def read(data: dict[str, Any], size: int) -> Ask:
    model = _openai.read_model(data)
    wanted = "`input` must be a string, an array of strings or an array of token numbers"
    if not isinstance(data.get("input"), str | list):
        raise BadRequestError(wanted, "input", "invalid_type" if "input" in data else "missing_required_parameter")
    if not data["input"]:
        raise BadRequestError(f"{wanted}, and not empty", "input", "invalid_value")
    # Vectors are not tokens, and nothing is to be reserved for them.
    return Ask(model, False, EMBEDDINGS, tokens_from_bytes(size), output_tokens_max=0)


def prepare(body: bytes, data: dict[str, Any], ask: Ask, upstream_model: str) -> Body:
    if ask.model == upstream_model and not _openai.may_name_another(body):
        return body
    return set_model(body, data, upstream_model)


def read_answer(body: bytes) -> AnswerFacts:
    facts = _openai.read_answer(body, lambda _data: 0)
    facts.output_tokens_estimated = 0  # vectors are not tokens
    return facts


DIALECT = Dialect(
    name="embeddings",
    paths=("/v1/embeddings", "/embeddings"),
    read=read,
    prepare=prepare,
    new_scanner=lambda ask: _openai.ChoiceScanner(ask, lambda _choice: True),
    read_answer=read_answer,
    read_large_answer=lambda tail, _size: AnswerFacts(usage=_openai.usage_in_tail(tail)),
    error_body=_openai.error_body,
    error_events=_openai.error_events,
    end_events=_openai.END_EVENTS,
    excerpt=lambda data, harness, hints: embeddings_excerpt(data, harness=harness, hints=hints),
)
