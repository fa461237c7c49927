"""A Responses event stream, or a whole answer → events. https://platform.openai.com/docs/api-reference/responses-streaming"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.event_stream import EventDecoder
from providers.codecs.events import Event
from providers.codecs.responses.answer_in import AnswerReader


def new_decoder() -> EventDecoder:
    return EventDecoder(AnswerReader())


def decode_answer(data: Mapping[str, Any]) -> list[Event]:
    """A whole answer as the events that a stream of it would have been."""
    reader = AnswerReader()
    return reader.read({"error": data["error"]}) if data.get("error") and "output" not in data else reader.whole(data)
