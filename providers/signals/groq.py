"""Groq: OpenAI's names with other windows. Requests are counted per *day*, tokens per minute, both for the whole organisation.

https://console.groq.com/docs/rate-limits
"""

from __future__ import annotations

from providers.signals import Signals
from providers.signals._values import DAY_S, marks_of, reader
from providers.signals.openai import ROWS

_REQUESTS, _TOKENS = ROWS
_ROWS = (_REQUESTS._replace(window_s=DAY_S), _TOKENS)

SIGNALS = Signals("groq", marks_of(_ROWS), reader(_ROWS))
