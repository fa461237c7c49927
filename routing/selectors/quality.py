"""For architecture, security and whatever is hard. Weights from the design (issue 3, item 3)."""

from __future__ import annotations

from routing.selectors import Selector, weighing

SELECTOR = Selector("quality", weighing(cost=0.10, speed=0.20, quality=0.70))
