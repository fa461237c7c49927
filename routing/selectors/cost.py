"""The cheapest one that is good enough: the tier's quality floor and the gates say what that is, the rest of the weight breaks ties.

Among free local models every cost is the same, so the other axes must still have a say.
"""

from __future__ import annotations

from routing.selectors import Selector, weighing

SELECTOR = Selector("cost", weighing(cost=0.80, speed=0.10, quality=0.10))
