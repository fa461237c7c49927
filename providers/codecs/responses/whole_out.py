"""Events → a whole Responses answer, for a client that did not ask for a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from providers.codecs import Frame
from providers.codecs.events import Event, Failed, Finished, FinishReason
from providers.codecs.responses.failures import error_member
from providers.codecs.responses.stream_out import Encoder


def encode_answer(events: Sequence[Event], frame: Frame) -> dict[str, Any]:
    """What a stream of the same events would have ended with; an error body where the answer failed."""
    for event in events:
        if isinstance(event, Failed):
            failure = event.failure
            return {"error": error_member(failure.kind, failure.message, failure.policy.error_code)}
    encoder = Encoder(frame)
    encoder.encode(events)
    if encoder.response is None:
        encoder.encode([Finished(FinishReason.STOP)])
    assert encoder.response is not None
    return encoder.response
