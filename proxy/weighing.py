"""Is it worth it for a conversation to go to another tier? Prices from the catalog, sizes from the request, rule in `routing.switching`."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from routing.switching import Move, cost_usd, gain_usd
from routing.turns import Verdict
from routing.types import Catalog, ModelReplica, ModelTier, Price


class Scales(NamedTuple):
    """One request, ready to be weighed: `weigh` is a `routing.turns.Weigh`."""

    catalog: Catalog
    dialects: Collection[str]
    """The client's own, and those that a translation leads to."""
    replica_id: str | None
    """The replica that the conversation is with."""
    made_by: str | None
    """The provider whose reasoning it carries."""
    input_tokens: int
    output_tokens: int

    def weigh(self, from_tier: ModelTier, to_tier: ModelTier, calls_expected: int) -> Verdict:
        choices = [
            replica
            for replica in self.catalog.replicas_by_tier.get(to_tier, ())
            if any(dialect in self.dialects for dialect in replica.dialects)
        ]
        if self.made_by is not None:
            choices = [replica for replica in choices if replica.provider_id == self.made_by]
            if not choices:
                return Verdict(False, f"only {self.made_by} can read its reasoning, and serves no {to_tier}")
        here = self.catalog.replicas.get(self.replica_id) if self.replica_id is not None else None
        move = Move(
            from_tier,
            to_tier,
            here.price if here is not None else None,
            _cheapest(choices),
            self.input_tokens,
            self.output_tokens,
            calls_expected,
        )
        cost, gain = cost_usd(move), gain_usd(move)
        words = f"the prompt read anew costs ${cost:.4f}, the gain is ${gain:.4f}"
        return Verdict(gain >= cost, words)


def _cheapest(choices: list[ModelReplica]) -> Price | None:
    """By what a fresh prompt costs; None when no price is known."""
    prices = [replica.price for replica in choices if replica.price is not None and replica.price.input is not None]
    return min(prices, key=lambda price: (price.input or 0.0, price.output or 0.0), default=None)
