"""However many exchanges begin before the first one ends: none gets a dictionary of its own."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.downstream import Downstream
from proxy.exchange import Exchange
from proxy.journal.records import AttemptRecord, ExchangeRecord
from proxy.layout import laid_out
from proxy.relay import Relay, Relayed
from proxy.server import _WholeRequest


def has_dictionary(made: object) -> bool:
    return any(type(each) is dict for each in gc.get_referents(made))


class Plain:
    late: int | None = None
    later: int | None = None


@laid_out
class Laid(Plain):
    latest = 0

    @property
    def asked(self) -> int:
        return 1


def crowd(make: Callable[[], Any]) -> list[Any]:
    return [make() for _ in range(100)]


def test_what_it_is_for() -> None:
    """Where this fails Python has become better, and `laid_out` is not needed any more."""
    for made in crowd(Plain):
        made.late, made.later = 1, 2
    assert has_dictionary(made)


def test_what_is_set_late_stays_in_the_layout() -> None:
    for made in crowd(Laid):
        made.late, made.later, made.latest = 1, 2, 3
        assert not has_dictionary(made)
        assert vars(made) == {"late": 1, "later": 2, "latest": 3}
    assert vars(Laid()) == {}


@pytest.mark.parametrize("cls", [Exchange, Attempt, Downstream, _WholeRequest, Relay, Relayed, ExchangeRecord, AttemptRecord])
def test_the_hot_classes_are_laid_out(cls: type[Any]) -> None:
    names = {name for each in cls.__mro__ for name in vars(each).get("__annotations__", ())}
    for made in crowd(lambda: object.__new__(cls)):
        for name in names:
            setattr(made, name, 1)
        assert not has_dictionary(made)
