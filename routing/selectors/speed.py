"""The quickest one; the rest of the weight breaks ties between those of which no speed is known."""

from __future__ import annotations

from routing.selectors import Selector, weighing

SELECTOR = Selector("speed", weighing(cost=0.10, speed=0.80, quality=0.10))
