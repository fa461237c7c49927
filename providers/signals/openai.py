"""OpenAI's six headers, which many copied. https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers

Tokens are counted per minute, requests per minute or per day, by model and tier: that window's length is not said, only when it is whole
again.
"""

from __future__ import annotations

from providers.signals import Signals
from providers.signals._values import MINUTE_S, Row, marks_of, reader
from routing.headroom.types import Unit

ROWS = (
    Row("requests", Unit.REQUESTS, b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests"),
    Row("tokens", Unit.TOKENS, b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens", MINUTE_S),
)

SIGNALS = Signals("openai", marks_of(ROWS), reader(ROWS))
