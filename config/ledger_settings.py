"""The ledger's part of the configuration: `sources`, `overrides` and `ledger`. The first two may stand in a `benchmarks.yaml` as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

import providers.feeds
from config.discovery import module_names
from config.field_types import OptionalKey, OptionalUrl
from config.section import Section, refuse, refuse_name
from routing.ledger.metrics import METRICS, OTHER_NAMES
from routing.ledger.readings import SOURCES

SOURCE_NAMES = tuple(module_names(providers.feeds))
"""Those that can be asked: a feed's module is named after its source. Nothing is imported for this."""
METRIC_NAMES = (*METRICS, *OTHER_NAMES)


def _metric(name: str) -> str:
    if name not in METRIC_NAMES:
        refuse_name(sorted(METRIC_NAMES))
    return name


def _source(name: str) -> str:
    if name not in SOURCE_NAMES:
        refuse_name(sorted(SOURCE_NAMES))
    return name


def _ranked(name: str) -> str:
    if name not in SOURCES:
        refuse_name(sorted(SOURCES))
    return name


MetricName = Annotated[str, AfterValidator(_metric)]
SourceName = Annotated[str, AfterValidator(_source)]
RankedName = Annotated[str, AfterValidator(_ranked)]
Overrides = Mapping[str, Mapping[MetricName, float]]


class SourceSettings(Section):
    """A source of figures that donut may ask."""

    enabled: bool = True
    """Ask it, now and then. Sources that are not listed here are asked by `donut ledger refresh` only."""
    api_key: OptionalKey = None
    """The key it wants, if it wants one; best written as ${NAME}."""
    interval_hours: float | None = Field(default=None, ge=0.25)
    """How often to ask; empty = the source's own pace."""
    url: OptionalUrl = None
    """A mirror to ask instead."""


class LedgerSettings(Section):
    """How the figures about models are merged."""

    priority: tuple[RankedName, ...] = ()
    """Sources in the order in which they are believed; those left out follow in donut's own order."""

    @property
    def full_priority(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.priority, *SOURCES]))


class BenchmarksFile(Section):
    """What `benchmarks.yaml` beside the config file may say."""

    sources: Mapping[SourceName, SourceSettings] = Field(default_factory=dict)
    overrides: Overrides = Field(default_factory=dict)

    @field_validator("overrides")
    @classmethod
    def _can_be(cls, value: Overrides) -> Overrides:
        return check_overrides(value)


def check_overrides(overrides: Overrides) -> Overrides:
    """Refuses a figure that can not be, such as a share of 57. Raises through `refuse`."""
    for subject, figures in overrides.items():
        for name, value in figures.items():
            metric, factor = OTHER_NAMES.get(name, (name, 1.0))
            known = METRICS[metric]
            if not known.accepts(value * factor):
                refuse(f"{subject}: {name} must be between {known.low / factor:g} and {known.high / factor:g}")
    return overrides
