"""What the configuration limits, as the router counts it: ceilings of providers, budgets, and what client keys may use.

One `Limit` per figure. A ceiling or a key's limit refuses; a budget does what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from config.limit_settings import UNITS, BudgetSettings, Figures, KeyTerms
from config.settings import Settings
from routing.headroom.limits import ANY, Limit, Limits, OnExceed, Scope
from routing.headroom.types import Unit, Window


class NamedKey(NamedTuple):
    """A client key's terms, and where a person finds them."""

    terms: KeyTerms
    source: str


def limits_of(settings: Settings, keys: Iterable[NamedKey] = ()) -> Limits:
    """All limits in force: those of the settings, and those of `keys`."""
    found = [*_of_providers(settings), *_of_keys(keys)]
    for index, budget in enumerate(settings.budgets):
        found += _of_budget(budget, f"budgets[{index}]")
    return Limits(tuple(found), {provider.id: provider.reserve for provider in settings.providers if provider.reserve})


def webhooks_of(settings: Settings) -> Mapping[str, str]:
    """`Limit.source` → the URL that is told of it. Secrets: they are never shown."""
    return {
        limit.source: budget.webhook.get_secret_value()
        for index, budget in enumerate(settings.budgets)
        if budget.webhook is not None
        for limit in _of_budget(budget, f"budgets[{index}]")
    }


def _of_providers(settings: Settings) -> Iterator[Limit]:
    for index, provider in enumerate(settings.providers):
        for window, ceiling in provider.headroom.items():
            source = f"providers[{index}].headroom.{window}"
            for unit, most in _figures(ceiling):
                yield Limit(
                    Scope.PROVIDER,
                    provider.id,
                    unit,
                    Window(window),
                    most,
                    f"{source}.{unit}",
                    spare=provider.reserve,
                    calendar=ceiling.calendar,
                    pace=ceiling.pace,
                )


def _of_keys(keys: Iterable[NamedKey]) -> Iterator[Limit]:
    for terms, source in keys:
        for window, ceiling in terms.limits.items():
            for unit, most in _figures(ceiling):
                yield Limit(
                    Scope.CLIENT,
                    terms.name,
                    unit,
                    Window(window),
                    most,
                    f"{source}.limits.{window}.{unit}",
                    calendar=ceiling.calendar,
                    pace=ceiling.pace,
                )


def _of_budget(budget: BudgetSettings, source: str) -> Iterator[Limit]:
    scope, _, name = budget.scope.partition(":")
    for unit, most in _figures(budget):
        yield Limit(
            Scope(scope),
            name or ANY,
            unit,
            Window(budget.window),
            most,
            f"{source}.{unit}",
            OnExceed(budget.on_exceed),
            calendar=budget.calendar,
            pace=budget.pace,
            alert_at=tuple(sorted(budget.alert_at)),
            allows_unpriced=budget.unpriced == "allow",
        )


def _figures(figures: Figures) -> Iterator[tuple[Unit, float]]:
    for name in UNITS:
        most: float | None = getattr(figures, name)
        if most is not None:
            yield Unit(name), most
