"""The three entry points as JSON: a tier, a logical model, a replica, without a prompt. `routing.entry` makes the demand."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, TypeVar

from proxy.site import wrong
from routing.entry import call_by_tier, call_logical_model, call_replica
from routing.types import Demand, ModelTier, UseCase

TOKENS_MOST = 100_000_000

E = TypeVar("E", bound=enum.StrEnum)


def names_an_entry(data: Mapping[str, Any]) -> bool:
    return any(isinstance(data.get(name), str) for name in ("tier", "logical_model_id", "replica_id"))


def entry_demand(data: Mapping[str, Any]) -> Demand:
    """Raises PageError. A name that nobody serves is no error here: the decision is a refusal, and says so."""
    if isinstance(data.get("replica_id"), str):
        demand = call_replica(data["replica_id"])
    elif isinstance(data.get("logical_model_id"), str):
        demand = call_logical_model(data["logical_model_id"])
    else:
        demand = call_by_tier(one_of(data, "tier", ModelTier, ModelTier.MID), one_of(data, "use_case", UseCase, UseCase.CHAT))
    return demand._replace(
        input_tokens_estimated=tokens(data, "input_tokens", demand.input_tokens_estimated),
        output_tokens_estimated=tokens(data, "output_tokens", demand.output_tokens_estimated),
    )


def one_of(data: Mapping[str, Any], name: str, kind: type[E], default: E) -> E:
    value = data.get(name, default)
    try:
        return kind(value)
    except ValueError:
        raise wrong(f"{name}: one of {', '.join(kind)}, not {value!r}", name) from None


def tokens(data: Mapping[str, Any], name: str, default: int) -> int:
    value = data.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= TOKENS_MOST:
        raise wrong(f"{name}: a whole number of tokens, not {value!r}", name)
    return value
