"""A price as config writes it: figures, conditions in OpenRouter's shape, lanes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.section import Amount, Section, refuse
from routing.ledger.terms import DAYS, PLAIN, PriceOverride, Terms, minutes_of
from routing.types import Price

FIELDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "request", "image")


def _time_of_day(text: str) -> str:
    try:
        minutes_of(text)
    except ValueError:
        refuse("must be a time of day in UTC, such as 0130 or 16:30")
    return text


TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class PriceFigures(Section):
    """USD per 1M tokens. A figure that is left out is unknown, which is not the same as free."""

    input: Amount | None = None
    """Prompt tokens that no cache had."""
    output: Amount | None = None
    """Answer tokens, reasoning included."""
    cache_read: Amount | None = None
    """Prompt tokens that the provider's cache had."""
    cache_write: Amount | None = None
    """Prompt tokens that were written into the provider's cache."""
    cache_write_1h: Amount | None = None
    """Those that stay there for an hour, where that costs more."""
    reasoning: Amount | None = None
    """Reasoning tokens, where they cost something else than the answer's."""
    request: Amount | None = None
    """USD per request."""
    image: Amount | None = None
    """USD per image."""

    def figures(self) -> dict[str, float]:
        """Those that are known."""
        return {name: value for name in FIELDS if (value := getattr(self, name)) is not None}


class PriceOverrideSettings(PriceFigures):
    """Other figures under conditions, all of which must hold; of several that apply the last wins, figure by figure."""

    min_prompt_tokens: int | None = Field(default=None, ge=1)
    """The prompt has at least so many tokens."""
    utc_start: TimeOfDay | None = None
    """From this time of day, HHMM in UTC …"""
    utc_end: TimeOfDay | None = None
    """… up to this one; before utc_start it is the next day's."""
    utc_days: tuple[Day, ...] | None = None
    """On these days."""
    effective_from: dt.date | None = None
    """From this day on, UTC."""

    def override(self) -> PriceOverride:
        days = None if self.utc_days is None else tuple(sorted(DAYS.index(day) for day in self.utc_days))
        since = None if self.effective_from is None else dt.datetime.combine(self.effective_from, dt.time(), dt.UTC).timestamp()
        start, end = (None if text is None else minutes_of(text) for text in (self.utc_start, self.utc_end))
        return PriceOverride(tuple(self.figures().items()), self.min_prompt_tokens, start, end, days, since)


class PriceSettings(PriceFigures):
    """What a provider takes. A figure that is left out is unknown, which is not the same as free."""

    overrides: tuple[PriceOverrideSettings, ...] = ()
    """Other figures for long prompts, hours, days, or from a date on."""
    lanes: Mapping[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Service lane (batch, flex, priority) → what the token prices are multiplied with."""


def price_from(settings: PriceSettings | None) -> Price | None:
    if settings is None:
        return None
    terms = Terms(tuple(each.override() for each in settings.overrides), tuple(settings.lanes.items()))
    figures = {name: getattr(settings, name) for name in FIELDS}
    return Price(**figures, version="config", terms=PLAIN if terms == PLAIN else terms)
