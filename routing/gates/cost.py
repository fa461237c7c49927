"""The estimate for this request must not exceed its ceiling. A price that nobody knows can not be shown to keep it."""

from __future__ import annotations

from routing.candidates import Candidates, Occasion, Question
from routing.gates import Gate
from routing.pricing import demand_cost_usd
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    demand = question.demand
    ceiling = demand.max_cost_usd
    if ceiling is None:
        return []
    rejects: list[Reject] = []
    for replica in candidates.replicas:
        cost = demand_cost_usd(demand, replica.price)
        if cost is None:
            rejects.append(Reject(replica.id, RejectReason.OVER_COST, f"its price is not known, the ceiling is ${ceiling:g}"))
        elif cost > ceiling:
            rejects.append(Reject(replica.id, RejectReason.OVER_COST, f"about ${cost:.2g}, the ceiling is ${ceiling:g}"))
    return rejects


GATE = Gate(name="cost", order=55, check=check, occasions=Occasion.COST)
