"""curl. https://curl.se"""

from __future__ import annotations

from proxy.harnesses import ONLY_BYTES, Harness, Temper

HARNESS = Harness(name="curl", title="curl", user_agents=("curl/",), temper=Temper(patience=ONLY_BYTES))
