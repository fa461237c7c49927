"""For mixed work. Weights from the design (issue 3, item 3)."""

from __future__ import annotations

from routing.selectors import Selector, weighing

SELECTOR = Selector("balanced", weighing(cost=0.30, speed=0.30, quality=0.40))
