"""The gates, factors and selectors that there are: every file in their folders."""

from __future__ import annotations

import routing.factors
import routing.gates
import routing.selectors
from config.discovery import discover
from routing.criteria import Criteria
from routing.factors import Factor
from routing.gates import Gate
from routing.selectors import Selector


def discover_criteria() -> Criteria:
    """Raises TypeError as `discovery.load_one`."""
    return Criteria(
        tuple(discover(routing.gates, "GATE", Gate).values()),
        tuple(discover(routing.factors, "FACTOR", Factor).values()),
        tuple(discover(routing.selectors, "SELECTOR", Selector).values()),
    )
