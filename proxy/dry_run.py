"""What would be decided: a whole request goes the way of a real one up to the decision, and stops there. Nothing is sent, reserved,
remembered or journaled.

The whole body counts (H5 of reference/reliability-requirements.md): judged by its last message alone, a long conversation looks small and
cheap.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from providers.dialects import BadRequestError, Dialect, ErrorReply
from providers.transport.port import Headers
from proxy import errors
from proxy.access_log import date_rejects
from proxy.asker import Asker
from proxy.demand import demand_for
from proxy.serving import Serving
from proxy.steering import read_steering
from routing import explain
from routing.pricing import demand_cost_usd
from routing.resolve import UnknownModel
from routing.types import Demand


class Call(NamedTuple):
    """A request as a client would send it."""

    dialect: Dialect
    data: dict[str, Any]
    size: int
    """Bytes of its body."""
    headers: Headers = []  # noqa: RUF012 - a NamedTuple's default; nobody changes it
    client: str | None = None
    """The name of the key that it comes with."""


class Moment(NamedTuple):
    """Now, on the router's clock and on the wall."""

    now_s: float
    epoch_s: float


class NotDecidableError(Exception):
    """The request would be refused before any decision. `reply` is what its client would be told."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.message)
        self.reply = reply


def demand_of(call: Call, serving: Serving, now_s: float) -> Demand:
    """What the request is taken for. Raises NotDecidableError where there is nothing to take."""
    try:
        ask = call.dialect.read(call.data, call.size)
        asker = Asker(call.dialect, dict(call.headers), call.client, read_steering(call.headers), serving)
        understood = demand_for(asker, ask, call.data, now_s)
    except BadRequestError as error:
        raise NotDecidableError(errors.bad_request(error)) from error
    if isinstance(understood, UnknownModel):
        raise NotDecidableError(errors.unknown_model(understood))
    return understood if isinstance(understood, Demand) else understood.demand


def foresee(demand: Demand, serving: Serving, moment: Moment) -> dict[str, Any]:
    """The decision as `routing.explain.told` has it, with `dry_run` and `estimated_cost_usd` (null: refused, or no price is known)."""
    record = explain.as_record(serving.router.preview(demand, moment.now_s))
    date_rejects(record, moment.epoch_s - moment.now_s)
    return explain.told(record) | {"dry_run": True, "estimated_cost_usd": estimated_cost(record.get("replica_id"), demand, serving)}


def estimated_cost(replica_id: str | None, demand: Demand, serving: Serving) -> float | None:
    """USD for `demand` on a replica, as the gates and factors reckon it; None when nobody was chosen or no price is known."""
    replica = serving.router.catalog.replicas.get(replica_id) if replica_id is not None else None
    return None if replica is None else demand_cost_usd(demand, replica.price)
