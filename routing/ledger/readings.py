"""One figure as one source gives it, and the sources in the order in which they are believed.

A *subject* is what a figure is about, written as text: a logical model (`claude-sonnet-5.5`), an entry (`anthropic/claude-sonnet-5-5`:
one provider's offering), or either of them as a harness drives it (`claude-code|claude-sonnet-5.5`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

MANUAL, LIVE, SHIPPED = "manual", "live", "shipped"
"""The three sources that are treated apart: a person's word, donut's own measurements, and what came with the package."""

TERMS_OF_USE = "terms of use"
"""The licence of sources that let their figures be used and not be passed on."""

MIN_SAMPLES = 20
"""Below it a measured median says more about luck than about the replica."""


class Source(NamedTuple):
    """Where figures come from."""

    name: str
    title: str
    confidence: float
    """How sure a figure of it is, from 0 to 1, where it says nothing itself. A judgement: how near the source is to what is measured."""
    licence: str = ""
    attribution: str = ""
    """What has to stand beside its figures wherever they are shown."""


_ALL = (
    Source(MANUAL, "manual override", 1.0),
    Source(LIVE, "measured by donut", 0.95),
    Source("helios", "Helios benchmark results", 0.9),
    Source("artificial_analysis", "Artificial Analysis", 0.9, TERMS_OF_USE, "https://artificialanalysis.ai/"),
    Source("openrouter", "OpenRouter", 0.85, TERMS_OF_USE, "https://openrouter.ai/"),
    Source("cliproxy", "CLIProxyAPI", 0.8),
    Source("litellm", "LiteLLM's price map", 0.8, "MIT", "https://github.com/BerriAI/litellm"),
    Source("genai_prices", "genai-prices", 0.8, "MIT", "https://github.com/pydantic/genai-prices"),
    Source("models_dev", "models.dev", 0.75, "MIT", "https://models.dev/"),
    Source("pi_ai", "pi-ai", 0.75, "MIT", "https://github.com/earendil-works/pi"),
    Source("epoch", "Epoch AI", 0.85, "CC-BY-4.0", "Epoch AI, 'Capabilities & benchmarking' (epoch.ai/benchmarks), CC BY 4.0"),
    Source("arena", "Arena", 0.75, "MIT mirror; arena.ai page data", "https://arena.ai/"),
    Source("aider", "Aider's polyglot leaderboard", 0.7, "Apache-2.0", "https://aider.chat/docs/leaderboards/"),
    Source("vellum", "Vellum's leaderboard", 0.5, "page data", "https://www.vellum.ai/llm-leaderboard"),
    Source("imported", "imported by hand", 0.7),
    Source(SHIPPED, "shipped with donut", 0.6, "see ATTRIBUTION.md"),
)
SOURCES: Mapping[str, Source] = {source.name: source for source in _ALL}
"""By name, in the order in which they are believed unless config says otherwise."""

PRIORITY: tuple[str, ...] = tuple(SOURCES)


def source_named(name: str) -> Source:
    """What is known of a source; a plain one for a name that nobody registered."""
    return SOURCES.get(name) or Source(name, name, 0.5)


class Reading(NamedTuple):
    """One figure. `updated_at` is an ISO date or time in UTC, empty when the source does not say."""

    subject: str
    metric: str
    value: float
    source: str
    version: str = ""
    """The edition of the source or of its scale."""
    updated_at: str = ""
    confidence: float = 0.0
    """From 0 to 1."""
    licence: str = ""
    effort: str = ""
    """The reasoning effort it was measured at."""
    samples: int | None = None
    agreeing: tuple[str, ...] = ()
    """Other places that have the same figure, where the source counted them."""
    where: str = ""
    """Address of the page or file."""
    refused: str = ""
    """Why it may not win: the reason for its quarantine, or the same source's better figure. Empty: it may."""


def entry_key(provider: str, upstream: str) -> str:
    return f"{provider}/{upstream}"


def harness_key(harness: str, subject: str) -> str:
    return f"{harness}|{subject}"


def version_order(version: str) -> tuple[tuple[int, ...], str]:
    """Sorts editions: `4.0` < `4.3` < `4.10`, `2026-04-19` < `2026-09-08`; one that says nothing comes first."""
    return tuple(int(number) for number in re.findall(r"\d{1,18}", version)), version
