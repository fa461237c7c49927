"""Anthropic with an API key: four limits per minute and class of models, with the moment at which each is whole again.

https://docs.anthropic.com/en/api/rate-limits#response-headers
"""

from __future__ import annotations

from providers.signals import Signals
from providers.signals._values import MINUTE_S, Row, marks_of, reader, rfc3339
from routing.headroom.types import Unit

_PREFIX = b"anthropic-ratelimit-"


def _row(name: bytes, unit: Unit) -> Row:
    stem = _PREFIX + name
    return Row(name.decode(), unit, stem + b"-limit", stem + b"-remaining", stem + b"-reset", MINUTE_S, until=rfc3339)


ROWS = (
    _row(b"requests", Unit.REQUESTS),
    _row(b"tokens", Unit.TOKENS),
    _row(b"input-tokens", Unit.INPUT_TOKENS),
    _row(b"output-tokens", Unit.OUTPUT_TOKENS),
)

SIGNALS = Signals("anthropic_api", marks_of(ROWS), reader(ROWS))
