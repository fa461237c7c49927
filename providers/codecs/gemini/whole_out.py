"""Events → a whole Google answer, for a client that did not ask for a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from providers.codecs import Frame
from providers.codecs.events import Event, Failed, Finished, FinishReason, Started, UsageSeen
from providers.codecs.gemini.answer_out import Block, PartTeller, finish_reason
from providers.codecs.gemini.failures import error_object, status_of
from providers.codecs.gemini.logprobs import logprobs_result
from providers.codecs.gemini.usage import usage_object
from routing.types import Usage


def encode_answer(events: Sequence[Event], frame: Frame) -> dict[str, Any]:
    """The answer; an error body where it failed."""
    teller, parts = PartTeller(frame), list[Block]()
    usage: Usage | None = None
    finished = Finished(FinishReason.STOP)
    for event in events:
        match event:
            case Failed(failure=failure):
                return error_object(status_of(failure), failure.policy.error_code, failure.message, failure.retry_after_s)
            case Started() | UsageSeen():
                usage = event.usage or usage
            case Finished():
                finished = event
            case _:
                _add(parts, teller.tell(event))
    _add(parts, teller.close())
    candidate: dict[str, Any] = {
        "content": {"parts": parts, "role": "model"},
        "finishReason": finish_reason(finished),
        "index": 0,
        **teller.about_candidate,
    }
    if teller.probabilities:
        candidate["logprobsResult"] = logprobs_result(teller.probabilities)
    return {
        "candidates": [candidate],
        **({} if usage is None else {"usageMetadata": usage_object(usage)}),
        "modelVersion": frame.model,
        "responseId": frame.answer_id,
    }


def _add(parts: list[Block], more: Sequence[Block]) -> None:
    """Neighbouring pieces of the same text are one part."""
    for part in more:
        last = parts[-1] if parts else {}
        if "text" in part and "text" in last and last.keys() == part.keys():
            last["text"] += part["text"]
        else:
            parts.append(part)
