"""The limits that are about who asks: everybody, a client's key, a policy, a harness, a conversation.

Which of them bind a demand does not depend on who answers it, so they are looked up once per demand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from routing.headroom.counters import Ceiling
from routing.headroom.limits import ANY, Limit, Scope
from routing.types import Demand

VALUES_KEPT = 4096
"""Of one scope, before what is known of them is looked up anew. Sessions come and go."""

CHORE = "chore:"
"""A conversation's housekeeping is charged to it (proxy/session.py sets the mark)."""

MakeCeilings = Callable[[Limit, str], Sequence[Ceiling]]


def session_of(demand: Demand) -> str | None:
    return demand.affinity_keys[0].removeprefix(CHORE) if demand.affinity_keys else None


ID_OF: dict[Scope, Callable[[Demand], str | None]] = {
    Scope.ALL: lambda demand: ANY,
    Scope.CLIENT: lambda demand: demand.client,
    Scope.POLICY: lambda demand: demand.policy,
    Scope.HARNESS: lambda demand: demand.harness,
    Scope.SESSION: session_of,
}


class Group:
    """The limits of one scope."""

    __slots__ = ("_any", "_make", "_named", "_values", "id_of")

    def __init__(self, scope: Scope, limits: tuple[Limit, ...], make: MakeCeilings) -> None:
        self.id_of = ID_OF[scope]
        self._any = tuple(limit for limit in limits if limit.id == ANY or scope is Scope.ALL)
        self._named: dict[str, list[Limit]] = {}
        for limit in limits:
            if limit not in self._any:
                self._named.setdefault(limit.id, []).append(limit)
        self._make = make
        self._values: dict[str, tuple[Ceiling, ...]] = {}

    def open(self) -> None:
        """Make those that are known by name: they are shown before anybody has used them."""
        for id_ in self._named or ((ANY,) if self.id_of is ID_OF[Scope.ALL] else ()):
            self.ceilings(id_)

    def ceilings(self, id_: str) -> tuple[Ceiling, ...]:
        found = self._values.get(id_)
        if found is None:
            if len(self._values) >= VALUES_KEPT:
                self._forget()
            found = tuple(each for limit in (*self._any, *self._named.get(id_, ())) for each in self._make(limit, id_))
            self._values[id_] = found
        return found

    def all(self) -> list[Ceiling]:
        return [ceiling for ceilings in self._values.values() for ceiling in ceilings]

    def _forget(self) -> None:
        """The counters stay where they are; who comes back finds them."""
        for ceiling in self.all():
            ceiling.counter.ceilings.remove(ceiling)
        self._values.clear()


class People:
    def __init__(self, limits: tuple[Limit, ...], make: MakeCeilings) -> None:
        by_scope: dict[Scope, list[Limit]] = {}
        for limit in limits:
            if limit.scope in ID_OF:
                by_scope.setdefault(limit.scope, []).append(limit)
        self._groups = tuple(Group(scope, tuple(found), make) for scope, found in by_scope.items())
        for group in self._groups:
            group.open()

    @property
    def is_empty(self) -> bool:
        return not self._groups

    def ceilings(self, demand: Demand) -> tuple[Ceiling, ...]:
        """All that bind `demand`."""
        found: tuple[Ceiling, ...] = ()
        for group in self._groups:
            id_ = group.id_of(demand)
            if id_ is not None:
                found += group.ceilings(id_)
        return found

    def all(self) -> list[Ceiling]:
        """Of every value seen so far."""
        return [ceiling for group in self._groups for ceiling in group.all()]
