"""A vendor's word on its limits inside a stream: it goes through untouched, is no content, and the scanner keeps it for who asks."""

from __future__ import annotations

import json

import pytest

from providers.dialects import Ask, StreamScanner, responses
from providers.signals import codex
from routing.headroom.types import ReportedLimit, ReportedScope, Unit
from tests.limits import NOON_EPOCH_S, rounded

LIMITS: dict[str, object] = {
    "type": "codex.rate_limits",
    "plan_type": "plus",
    "rate_limits": {
        "allowed": True,
        "limit_reached": False,
        "primary": {"used_percent": 42.5, "window_minutes": 300, "reset_at": NOON_EPOCH_S + 3600},
        "secondary": None,
    },
}
CREATED: dict[str, object] = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
DELTA: dict[str, object] = {"type": "response.output_text.delta", "item_id": "m", "delta": "Hello"}
COMPLETED: dict[str, object] = {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "usage": None}}
READ = (ReportedLimit("primary", Unit.SHARE, ReportedScope.ACCOUNT, 18000, None, None, 0.575, 3600),)


def frame(event: dict[str, object]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def new_scanner() -> StreamScanner:
    return responses.DIALECT.new_scanner(Ask("m", stream=True))


@pytest.mark.parametrize("before", [(), (CREATED,)])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_it_is_kept_however_the_bytes_are_cut(before: tuple[dict[str, object], ...], size: int) -> None:
    stream = b"".join(map(frame, (*before, LIMITS, DELTA, COMPLETED)))
    scanner = new_scanner()
    out = b"".join(scanner.feed(stream[at : at + size]) for at in range(0, len(stream), size)) + scanner.finish()
    assert out == stream
    assert scanner.aside == LIMITS
    assert scanner.is_finished
    assert scanner.content_events == 1
    assert rounded(codex.SIGNALS.read_event(scanner.aside or {}, NOON_EPOCH_S)) == READ


def test_it_is_no_content_so_a_failure_behind_it_can_still_go_elsewhere() -> None:
    scanner = new_scanner()
    scanner.feed(frame(LIMITS))
    assert not scanner.has_content


def test_without_it_there_is_nothing_aside() -> None:
    scanner = new_scanner()
    scanner.feed(frame(CREATED) + frame(DELTA))
    assert scanner.aside is None
