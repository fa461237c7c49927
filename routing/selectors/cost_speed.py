"""For what is easy to get right and easy to check: tests, docs, chores. Weights from the design (issue 3, item 3)."""

from __future__ import annotations

from routing.selectors import Selector, weighing

SELECTOR = Selector("cost_speed", weighing(cost=0.45, speed=0.45, quality=0.10))
