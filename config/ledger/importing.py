"""Files of other systems as sheets, and the ledger as files that others read.

Formats are the adapters' (`providers/adapters`); donut's own export is one more. Names are matched to the ledger's, and one that nothing
matches keeps its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

import providers.adapters
from config.adapting._learning import Names, resolved
from config.discovery import discover
from providers.adapters import Adapter, FileFormat, read_file
from providers.adapters._fields import FormatError
from providers.adapters.thegent import TABLES, benchmarks_document
from providers.adapters.tokenledger import RATES, pricing_document, pricing_of
from routing.ledger.plain import sheet_as_plain, sheets_from_plain
from routing.ledger.readings import TERMS_OF_USE, Reading, source_named
from routing.ledger.resolver import Resolver
from routing.ledger.sheet import Sheet, sheets_of

FILE_BYTES = 64 * 1024 * 1024
FILES_MAX = 2000
"""Of one folder: a benchmark's results are some hundred."""


@dataclass(frozen=True, slots=True)
class Imported:
    sheets: Sequence[Sheet]
    problems: Sequence[str] = field(default_factory=tuple)
    files: int = 0

    @property
    def figures(self) -> int:
        return sum(sheet.size for sheet in self.sheets)


def formats(system: str | None) -> list[FileFormat]:
    """The formats of one system, or of all. Raises FormatError on a system that has none."""
    adapters = discover(providers.adapters, "ADAPTER", Adapter).values()
    found = [each for adapter in adapters if system in (None, adapter.name) for each in adapter.formats]
    if not found:
        raise FormatError(f"no files of `{system}`; there are {', '.join(adapter.name for adapter in adapters if adapter.formats)}")
    return found


def read_import(path: Path, system: str | None, renamed: Mapping[str, str], names: Names) -> Imported:
    """A file, or all JSON files of a folder. `renamed`: what a file calls a model → what it is. Raises FormatError or OSError."""
    known = formats(system)
    if path.is_file():
        own = None if system is not None else _own_export(_bytes(path))
        if own is not None:
            return Imported(own, files=1)
        found = read_file(_bytes(path), known, renamed)
        return Imported(sheets_of(resolved(found.readings, names)), found.problems, 1)
    readings: list[Reading] = []
    problems: list[str] = []
    count = 0
    for each in sorted(path.rglob("*.json*"))[:FILES_MAX]:
        try:
            found = read_file(_bytes(each), known, renamed)
        except FormatError as error:
            problems.append(f"{each.name}: {error}")
            continue
        count += 1
        readings += found.readings
        problems += [f"{each.name}: {problem}" for problem in found.problems]
    if not count:
        raise FormatError(f"no file in {path} is one of {', '.join(each.name for each in known)}")
    return Imported(sheets_of(resolved(readings, names)), problems, count)


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > FILE_BYTES:
        raise FormatError(f"{path.name} is larger than {FILE_BYTES // 1024 // 1024} MiB")
    return path.read_bytes()


def _own_export(raw: bytes) -> list[Sheet] | None:
    """The sheets of `donut ledger export`, or a single sheet; None for anything else."""
    try:
        data = orjson.loads(raw)
        if isinstance(data, dict) and isinstance(data.get("sheets"), list):
            return [sheet for plain in data["sheets"] for sheet in sheets_from_plain(plain)]
        return sheets_from_plain(data) if isinstance(data, dict) and {"source", "figures"} <= data.keys() else None
    except orjson.JSONDecodeError:
        return None
    except ValueError as error:
        raise FormatError(str(error)) from error


def as_export(sheets: Iterable[Sheet], *, restricted: bool = False) -> dict[str, Any]:
    """`restricted`: with the figures of sources whose terms allow no passing on, for a machine of one's own."""
    allowed = [sheet for sheet in sheets if restricted or source_named(sheet.source).licence != TERMS_OF_USE]
    return {"donut_ledger": 1, "sheets": [sheet_as_plain(sheet) for sheet in allowed]}


def as_tokenledger_pricing(resolver: Resolver, updated_at: str) -> dict[str, Any]:
    """tokenledger's pricing.json, of every entry in use."""
    book = resolver.book
    rows = []
    for entry in resolver.entries.values():
        figures = {metric: value for metric in RATES.values() if (value := book.value(entry.key, metric)) is not None}
        if figures and not entry.is_retired:
            rows.append((entry.provider, entry.upstream, figures))
    return pricing_document(pricing_of(rows, {"source": "donut", "updated_at": updated_at}))


def as_thegent_benchmarks(resolver: Resolver, published: str) -> dict[str, Any]:
    """thegent's benchmarks.json, schema 2."""
    book = resolver.book
    models = dict.fromkeys(entry.model for entry in resolver.entries.values())
    scores = {
        metric: {model: value for model in models if (value := book.value(model, metric)) is not None} for metric in set(TABLES.values())
    }
    return benchmarks_document(scores, "donut", published)


_BENCHMARK_FIGURES = ("intelligence_index", "coding_index", "agentic_index", "speed_tps")
_THEIR_WORDS: Mapping[str, str] = {"manual": "manual_override", "openrouter": "open_router", "artificial_analysis": "artificial_analysis"}


def as_tokenledger_benchmarks(resolver: Resolver) -> list[dict[str, Any]]:
    """tokenledger's benchmark entries, one per logical model of which any such figure is known."""
    book = resolver.book
    rows = []
    for model in dict.fromkeys(entry.model for entry in resolver.entries.values()):
        figures = {name: book.value(model, name) for name in _BENCHMARK_FIGURES}
        for name, metric in (("latency_ttft_ms", "ttft_s"), ("latency_e2e_ms", "end_to_end_s")):
            seconds = book.value(model, metric)
            figures[name] = None if seconds is None else seconds * 1000
        found = {name: value for name, value in figures.items() if value is not None}
        if not found:
            continue
        winner = next((each.winner for name in _BENCHMARK_FIGURES if name in found and (each := book.figure(model, name)).winner), None)
        source = "web_scrape" if winner is None else _THEIR_WORDS.get(winner.source, "web_scrape")
        about = {} if winner is None else {"confidence": winner.confidence, "updated_at": winner.updated_at}
        rows.append({"model_id": model, **found, "source": source, **about})
    return rows
