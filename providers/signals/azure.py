"""Azure OpenAI: OpenAI's headers, of one deployment, with resets in whole seconds. Both figures are per minute here.

https://learn.microsoft.com/azure/ai-foundry/openai/how-to/quota
"""

from __future__ import annotations

from providers.signals import Signals
from providers.signals._values import MINUTE_S, marks_of, reader
from providers.signals.openai import ROWS

_ROWS = tuple(row._replace(window_s=MINUTE_S) for row in ROWS)

SIGNALS = Signals("azure", marks_of(_ROWS), reader(_ROWS))
