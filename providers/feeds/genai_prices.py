"""genai-prices, if that Python package is installed: its prices are read from it, and nobody is asked.

Base prices only; a tiered one counts by its base. A price that begins on a later date is left out.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.feeds import Feed, FeedError, Page, Parsed, Subjects, priced
from routing.ledger.readings import Reading

NAME = "genai_prices"
PACKAGE = "genai_prices"
PROVIDERS: Mapping[str, str] = {
    "together": "togetherai", "fireworks": "fireworks-ai", "aws": "amazon-bedrock", "x-ai": "xai", "moonshotai": "moonshotai",
}  # fmt: skip
FIELDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


def paths(subjects: Subjects, has_key: bool) -> Sequence[str]:
    del subjects, has_key
    return ()


def parse(page: Page) -> Parsed:
    del page
    raise FeedError("this feed asks nobody")


def read_package(page: Page) -> Parsed:
    """Raises FeedError when the package is not there, or is another than the one we know."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise FeedError("the package genai-prices is not installed: pip install genai-prices")
    data = importlib.import_module(f"{PACKAGE}.data")
    providers = getattr(data, "providers", None)
    if not isinstance(providers, list):
        raise FeedError("the installed genai-prices has another shape than donut knows")
    version = importlib.metadata.version("genai-prices")
    return Parsed([reading._replace(where=f"genai-prices {version}") for each in providers for reading in _provider(each, page)])


def _provider(provider: Any, page: Page) -> Iterator[Reading]:
    name = PROVIDERS.get(str(getattr(provider, "id", "")), str(getattr(provider, "id", "")))
    for model in getattr(provider, "models", ()):
        entry = page.subjects.entry(name, str(getattr(model, "id", "")))
        if entry is not None:
            figures = {f"price_{field}": _figure(_plain(getattr(model, "prices", None)), field) for field in FIELDS}
            yield from priced(entry, figures, NAME, page.today)


def _plain(prices: Any) -> Any:
    """A list holds conditional prices: the last without a condition is the plain one."""
    if not isinstance(prices, list):
        return prices
    plain = [item for item in prices if getattr(item, "constraint", None) is None]
    return getattr(plain[-1], "prices", None) if plain else None


def _figure(prices: Any, field: str) -> float | None:
    value = getattr(prices, f"{field}_mtok", None)
    base = getattr(value, "base", value)
    try:
        return None if base is None else float(base)
    except (TypeError, ValueError):
        return None


FEED = Feed(NAME, "package:genai-prices", paths, parse, local=read_package)
