"""Who asks: what the head of a request says of its demand, and what it comes to for a model that is named under it.

A client says the same in one request after the other, so its connection keeps the `Asker` (`proxy.caller`), and a body has only to add how
long it is and which conversation it belongs to: half of what a demand cost was spent on the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.dialects import Ask, BadRequestError, Dialect
from proxy.harness import in_head
from proxy.serving import Serving
from proxy.session import sender_of
from proxy.steering import Steering
from routing.resolve import UnknownModel, objective_of
from routing.types import Demand, Target, TargetKind, UseCase

EXPECTED_OUTPUT_TOKENS = 512
"""Held for an answer of unknown length, until issue 04 learns it per model: the median turn of a coding harness is shorter."""

WISHES_REMEMBERED = 16
"""Per asker. A harness has two or three; clients choose the names, so it is bounded."""

_USE_CASES = {"embeddings": UseCase.EMBED}
_NAMED = frozenset({TargetKind.MODEL, TargetKind.REPLICA})

_new = tuple.__new__
"""Every request makes a demand, and `_make` would count its fields once more."""


assert Demand._fields[-2:] == ("input_tokens_estimated", "affinity_keys")


class Wish:
    """A demand without its last two fields, which are of one request alone."""

    __slots__ = ("_standing", "is_named", "is_settled")

    def __init__(self, demand: Demand, *, is_named: bool, is_settled: bool) -> None:
        self.is_named = is_named
        """Does the client name a model or a replica? Then it is asked whatever the policies say, and nothing is classified for it."""
        self.is_settled = is_settled
        """Is there nothing to choose? Most named models have one replica."""
        self._standing = demand[:-2]

    def demand(self, input_tokens: int, keys: tuple[str, ...]) -> Demand:
        """With them: `input_tokens_estimated` and `affinity_keys`."""
        return _new(Demand, (*self._standing, input_tokens, keys))


class Asker:
    __slots__ = (
        "_wishes",
        "client",
        "deadline_s",
        "dialect",
        "harness",
        "headers",
        "is_behind",
        "sender",
        "serving",
        "steering",
        "tells_more",
    )

    def __init__(self, dialect: Dialect, headers: Mapping[bytes, bytes], client: str | None, steering: Steering, serving: Serving) -> None:
        """`client` is the name of its key."""
        self.dialect = dialect
        self.headers = headers
        self.client = client
        self.steering = steering
        self.serving = serving
        self.deadline_s = steering.deadline_s or serving.limits.deadline_s
        self.tells_more = steering.debug or serving.tells_limits
        """Do answers have more headers of donut's than the usual ones?"""
        self.harness, self.is_behind = in_head(steering.user_agent, headers)
        """The harness by the head, and whether there may be another behind it that the body tells of."""
        self.sender = sender_of(headers, client)
        self._wishes: dict[tuple[object, ...], Wish] = {}

    def wish(self, ask: Ask) -> Wish | UnknownModel:
        """What `ask` comes to, or the name that nobody serves. Raises BadRequestError where a header can not be meant."""
        said = (ask.model, ask.stream, ask.capability_bits, ask.output_tokens_max)
        found = self._wishes.get(said)
        if found is not None:
            return found
        target = self.serving.resolve(ask.model)
        if isinstance(target, UnknownModel):
            return target
        self._check_policy()
        if len(self._wishes) >= WISHES_REMEMBERED:
            self._wishes.clear()
        found = self._wishes[said] = self._wish(ask, target)
        return found

    def _check_policy(self) -> None:
        policy, known = self.steering.policy, self.serving.policies.policies
        if policy is not None and policy not in known:
            raise BadRequestError(f"x-donut-policy: {policy!r} is none of {', '.join(known)}", "x-donut-policy", "invalid_value")

    def _wish(self, ask: Ask, target: Target) -> Wish:
        name, steering, serving = self.dialect.name, self.steering, self.serving
        limit = ask.output_tokens_max
        demand = Demand(
            dialect=name,
            target=target,
            requested_model=ask.model,
            stream=ask.stream,
            capability_bits=ask.capability_bits | steering.capability_bits,
            output_tokens_estimated=EXPECTED_OUTPUT_TOKENS if limit is None else min(limit, EXPECTED_OUTPUT_TOKENS),
            harness=self.harness,
            use_case=_USE_CASES.get(name, UseCase.CHAT),
            objective=steering.objective or objective_of(ask.model),
            local_preference=steering.local or serving.local_preference,
            excluded_providers=steering.excluded,
            client=self.client,
            max_cost_usd=steering.max_cost_usd,
            translatable_to=serving.translations.get(name, frozenset()),
            output_tokens_max=limit,
        )
        demand = self.bound(demand)
        is_named = target.kind in _NAMED
        replicas = serving.router.catalog.replicas_by_model.get(target.id, ()) if target.kind is TargetKind.MODEL else ()
        is_settled = is_named and len(replicas) < 2
        return Wish(demand, is_named=is_named, is_settled=is_settled)

    def bound(self, demand: Demand) -> Demand:
        """`demand` as the client's key allows it."""
        terms = self.serving.clients.get(self.client) if self.client is not None else None
        return demand if terms is None else terms.bind(demand)
