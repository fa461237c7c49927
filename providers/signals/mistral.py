"""Mistral: amounts per minute, and no word on when they reset."""

from __future__ import annotations

from providers.signals import Signals
from providers.signals._values import MINUTE_S, Row, marks_of, reader
from routing.headroom.types import Unit

_ROWS = (
    Row(
        "tokens-minute",
        Unit.TOKENS,
        b"x-ratelimit-limit-tokens-minute",
        b"x-ratelimit-remaining-tokens-minute",
        window_s=MINUTE_S,
    ),
    Row("req-minute", Unit.REQUESTS, b"x-ratelimit-limit-req-minute", b"x-ratelimit-remaining-req-minute", window_s=MINUTE_S),
)

SIGNALS = Signals("mistral", marks_of(_ROWS), reader(_ROWS))
