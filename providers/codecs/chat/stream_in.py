"""A chat stream → events. https://platform.openai.com/docs/api-reference/chat-streaming"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.chat.answer_in import AnswerReader
from providers.codecs.event_stream import EventDecoder
from providers.codecs.events import Event


def new_decoder() -> EventDecoder:
    return EventDecoder(AnswerReader())


def decode_answer(data: Mapping[str, Any]) -> list[Event]:
    """A whole answer as the events that a stream of it would have been."""
    return AnswerReader().whole(data)
