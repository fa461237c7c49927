"""Anthropic's event stream → events. https://docs.anthropic.com/en/docs/build-with-claude/streaming"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.event_stream import EventDecoder
from providers.codecs.events import Event
from providers.codecs.messages.answer_in import AnswerReader


def new_decoder() -> EventDecoder:
    return EventDecoder(AnswerReader())


def decode_answer(data: Mapping[str, Any]) -> list[Event]:
    """A whole answer as the events that a stream of it would have been."""
    reader = AnswerReader()
    return reader.read(data) if data.get("type") == "error" or "error" in data else reader.whole(data)
