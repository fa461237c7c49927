"""Cerebras: the window stands in the name, resets are seconds with a fraction. https://inference-docs.cerebras.ai/support/rate-limits

It charges `max_completion_tokens` when a request begins: a large ceiling meets the limit although the answer would have been short.
"""

from __future__ import annotations

from providers.signals import Signals
from providers.signals._values import DAY_S, MINUTE_S, Row, marks_of, reader
from routing.headroom.types import Unit

_ROWS = (
    Row(
        "requests-day",
        Unit.REQUESTS,
        b"x-ratelimit-limit-requests-day",
        b"x-ratelimit-remaining-requests-day",
        b"x-ratelimit-reset-requests-day",
        DAY_S,
    ),
    Row(
        "tokens-minute",
        Unit.TOKENS,
        b"x-ratelimit-limit-tokens-minute",
        b"x-ratelimit-remaining-tokens-minute",
        b"x-ratelimit-reset-tokens-minute",
        MINUTE_S,
    ),
)

SIGNALS = Signals("cerebras", marks_of(_ROWS), reader(_ROWS), charges_asked_output=True)
