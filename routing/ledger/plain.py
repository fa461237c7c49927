"""Sheets and price conditions as plain values and back: what files, feeds and the API hold. JSON has no NaN, so a missing figure is absent.

Reading is strict about shape (`ValueError` names the place) and lenient about content: a figure that a ledger may not believe becomes an
aside with its reason, never an error, since one wrong row must not cost the other thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any

from routing.ledger.readings import Reading
from routing.ledger.sheet import Sheet, sheets_of
from routing.ledger.terms import DAYS, PriceOverride, Terms, minutes_of

_COMMON = ("source", "version", "updated_at", "licence", "confidence")
_OWN = ("updated_at", "confidence", "licence", "effort", "samples", "agreeing", "where", "refused")


def sheet_as_plain(sheet: Sheet) -> dict[str, Any]:
    """`{source, version, updated_at, licence, confidence, figures: {subject: {metric: value}}, details, asides, terms}`."""
    figures: dict[str, dict[str, float]] = {}
    for name, column in sheet.columns.items():
        for subject, value in zip(sheet.subjects, column, strict=True):
            if not isnan(value):
                figures.setdefault(subject, {})[name] = value
    asides = {subject: [_aside(reading, sheet) for reading in readings] for subject, readings in sheet.asides.items()}
    plain: dict[str, Any] = {name: getattr(sheet, name) for name in _COMMON}
    plain["figures"] = figures
    if sheet.details:
        plain["details"] = dict(sheet.details)
    if asides:
        plain["asides"] = asides
    if sheet.terms:
        plain["terms"] = {subject: terms_as_plain(terms) for subject, terms in sheet.terms.items()}
    return plain


def sheets_from_plain(plain: object) -> list[Sheet]:
    """The inverse of `sheet_as_plain`; figures are judged again. Raises ValueError when it is no sheet."""
    data = _mapping(plain, "a sheet")
    common = {name: data[name] for name in _COMMON if name in data}
    source = common.pop("source", None)
    if not isinstance(source, str) or not source:
        raise ValueError("a sheet has no source")
    readings = list(_readings(source, common, data))
    terms = {subject: terms_from_plain(value) for subject, value in _mapping(data.get("terms", {}), "terms").items()}
    return sheets_of(readings, terms)


def _readings(source: str, common: Mapping[str, Any], data: Mapping[str, Any]) -> Iterable[Reading]:
    details = _mapping(data.get("details", {}), "details")
    for subject, row in _mapping(data.get("figures", {}), "figures").items():
        own = _mapping(details.get(subject, {}), f"details of {subject}")
        for metric, value in _mapping(row, f"figures of {subject}").items():
            yield _reading(Reading(subject, metric, 0.0, source), {**common, **own.get(metric, {})}, value)
    for subject, rows in _mapping(data.get("asides", {}), "asides").items():
        for row in rows:
            aside = _mapping(row, f"asides of {subject}")
            plain = Reading(subject, str(aside.get("metric", "")), 0.0, str(aside.get("source", source)))
            yield _reading(plain, {**common, **aside}, aside.get("value"))


def _reading(reading: Reading, members: Mapping[str, Any], value: object) -> Reading:
    known = {name: members[name] for name in ("version", *_OWN) if members.get(name) is not None}
    if "agreeing" in known:
        known["agreeing"] = tuple(known["agreeing"])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return reading._replace(**{**known, "refused": known.get("refused") or f"quarantined: {str(value)[:40]!r} is no number"})
    return reading._replace(value=float(value), **known)


def _aside(reading: Reading, sheet: Sheet) -> dict[str, Any]:
    plain: dict[str, Any] = {"metric": reading.metric, "value": None if isnan(reading.value) else reading.value}
    if reading.source != sheet.source:
        plain["source"] = reading.source
    for name in _OWN:
        value = getattr(reading, name)
        if value and value != getattr(sheet, name, None):
            plain[name] = value
    return plain


def terms_as_plain(terms: Terms) -> dict[str, Any]:
    """`{overrides: [OpenRouter's shape, prices in USD per 1M tokens], lanes: {name: factor}}`."""
    return {"overrides": [override_as_plain(override) for override in terms.overrides], "lanes": dict(terms.lanes)}


def override_as_plain(override: PriceOverride) -> dict[str, Any]:
    plain: dict[str, Any] = dict(override.figures)
    if override.min_prompt_tokens is not None:
        plain["min_prompt_tokens"] = override.min_prompt_tokens
    if override.utc_start is not None and override.utc_end is not None:
        plain["utc_start"], plain["utc_end"] = _clock(override.utc_start), _clock(override.utc_end)
    if override.utc_days is not None:
        plain["utc_days"] = [DAYS[day] for day in override.utc_days]
    if override.effective_from_s is not None:
        plain["effective_from_s"] = override.effective_from_s
    return plain


def terms_from_plain(value: object) -> Terms:
    data = _mapping(value, "terms")
    lanes = _mapping(data.get("lanes", {}), "lanes")
    return Terms(
        tuple(override_from_plain(item) for item in data.get("overrides", ())), tuple((str(k), float(v)) for k, v in lanes.items())
    )


FIELDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "request", "image")


def override_from_plain(value: object) -> PriceOverride:
    """One override with prices in USD per 1M tokens. Raises ValueError."""
    data = _mapping(value, "an override")
    figures = tuple((name, _price(data[name], name)) for name in FIELDS if data.get(name) is not None)
    start, end = data.get("utc_start"), data.get("utc_end")
    days = data.get("utc_days")
    from_s = data.get("effective_from_s")
    least = data.get("min_prompt_tokens")
    return PriceOverride(
        figures,
        None if least is None else int(least),
        None if start is None else minutes_of(str(start)),
        None if end is None else minutes_of(str(end)),
        None if days is None else _days(days),
        None if from_s is None else float(from_s),
    )


def _days(names: Sequence[object]) -> tuple[int, ...]:
    found = []
    for name in names:
        if str(name).lower() not in DAYS:
            raise ValueError(f"{str(name)[:20]!r} is no day; there are {', '.join(DAYS)}")
        found.append(DAYS.index(str(name).lower()))
    return tuple(sorted(found))


def _price(value: object, name: str) -> float:
    price = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else float("nan")
    if isnan(price) or not 0 <= price <= 6000:
        raise ValueError(f"{name}: {str(value)[:40]!r} is no price in USD per 1M tokens")
    return price


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} must be a mapping, not {type(value).__name__}")
    return value


def _clock(minute: int) -> str:
    return f"{minute // 60:02}{minute % 60:02}"
