"""`scripts/build-catalog` over small facts: what is mapped, what is inferred, what is left out. And the shipped file is its output."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import config
from config.catalog import parse_catalog
from routing.types import Capability, ModelTier, UseCase

ROOT = Path(config.__file__).parent.parent
FACTS = ROOT.parent / "shared" / "catalog"


def load_script() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("build_catalog", str(ROOT / "scripts" / "build-catalog"))
    spec = importlib.util.spec_from_loader("build_catalog", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


BUILD = load_script()


def entry(provider: str, model_id: str, price: Mapping[str, float | None] | None = None, **more: Any) -> dict[str, Any]:
    """A row of models.json."""
    figures: Mapping[str, float | None] = {"input": 1.0, "output": 2.0, "cache_read": None, "cache_write": None} if price is None else price
    row: dict[str, Any] = {"provider": provider, "model_id": model_id, "canonical_id": None, "kind": "chat", "price_per_mtok_usd": figures}
    row |= {"context_window": 1000, "max_output": 100, "modalities": {"input": ["text"]}, "tool_call": True, "reasoning": False}
    return row | {"structured_output": None, "status": None, "deprecation_date": None} | more


def described(model_id: str, canonical: str, offers: list[tuple[str, str]], **more: Any) -> dict[str, Any]:
    """A row of logical-models.json."""
    row: dict[str, Any] = {"id": model_id, "canonical_id": canonical, "tier": "mid", "use_cases": ["coding"], "reason": "because"}
    row |= {"context_window": 2000, "open_weights": False, "tool_call": True, "reasoning": True, "input_modalities": ["text", "image"]}
    row |= {"providers": [{"provider": name, "model_id": upstream, "max_output": 50} for name, upstream in offers], "local_names": None}
    return row | more


def build(entries: list[dict[str, Any]], logical: list[dict[str, Any]]) -> Any:
    catalog = BUILD.build({"generated": "2026-01-01", "models": entries}, {"models": logical})
    return parse_catalog(json.loads(BUILD.dump(catalog)))


def test_a_described_model_and_its_offerings() -> None:
    names = ["big", "big-fast", "big-latest"]
    catalog = build([entry("openai", name) for name in names], [described("big", "openai/big", [("openai", name) for name in names])])
    model = catalog.models["big"]
    assert (model.tier, model.context_window, model.max_output) == (ModelTier.MID, 2000, 50)
    assert model.use_cases == (UseCase.CHAT, UseCase.CODE, UseCase.VISION)
    assert model.capability_bits == Capability.JSON | Capability.TOOLS | Capability.REASONING | Capability.VISION
    assert [offering.upstream_model for offering in catalog.offerings("openai")] == ["big"]
    assert catalog.aliases == {"openai/big": "big", "big-latest": "big"}


@pytest.mark.parametrize(
    ("name", "price", "tier"),
    [
        ("cheap", (0.05, 0.4), ModelTier.MICRO),
        ("fair", (0.25, 2.0), ModelTier.SMALL),
        ("good", (2.0, 10.0), ModelTier.MID),
        ("dear", (10.0, 50.0), ModelTier.FRONTIER),
        ("sized-8b", (10.0, 50.0), ModelTier.SMALL),
    ],
)
def test_a_model_that_nobody_describes_gets_its_tier_from_size_or_price(name: str, price: tuple[float, float], tier: ModelTier) -> None:
    catalog = build([entry("openai", name, {"input": price[0], "output": price[1]})], [])
    assert catalog.models[name].tier is tier
    assert not catalog.curated


def test_what_is_left_out() -> None:
    names = ["ft:gpt", "together-ai-up-to-4b", "whisper-1", "llama-guard-3-8b", "gpt-4o-audio-preview"]
    entries = [*(entry("openai", name) for name in names), entry("openrouter", "nobody/described"), entry("elsewhere", "x")]
    catalog = build([*entries, entry("openai", "picture", kind="multimodal-out")], [])
    assert catalog.models == {}
    assert catalog.offerings("elsewhere") == []


def test_retired_offerings_are_not_offered() -> None:
    entries = [entry("openai", "old", status="deprecated"), entry("openai", "gone", deprecation_date="2025-12-31")]
    catalog = build([*entries, entry("openai", "later", deprecation_date="2026-12-31")], [])
    assert [offering.upstream_model for offering in catalog.offerings("openai")] == ["later"]


def test_old_names_lead_to_their_successors() -> None:
    old = described("gpt-4o", "openai/gpt-4o", [], reason="seed design: mid. $2.5/$10 - route to new-2 unless pinned")
    catalog = build([], [old, described("new-2", "openai/new-2", [])])
    assert catalog.aliases["gpt-4o"] == "new-2"


def test_only_open_models_have_local_names() -> None:
    closed = described("closed-8b", "v/closed-8b", [])
    opened = described("open-8b", "v/open-8b", [], open_weights=True, local_names={"ollama": "open:8b"})
    assert build([], [closed, opened]).local_names == {"open-8b": "open-8b"}


@pytest.mark.skipif(not FACTS.is_dir(), reason="the facts lie beside the checkout of the authors only")
def test_the_shipped_file_is_what_the_script_builds() -> None:
    entries = json.loads((FACTS / "models.json").read_text())
    logical = json.loads((FACTS / "logical-models.json").read_text())
    benchmarks = BUILD.read_benchmarks(FACTS)
    built = BUILD.dump(BUILD.build(entries, logical, benchmarks))
    assert built == (ROOT / "config" / "data" / "catalog.json").read_bytes()
    assert BUILD.attribution(entries, benchmarks) == (ROOT / "config" / "data" / "ATTRIBUTION.md").read_text()
