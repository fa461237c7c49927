"""The shipped catalog: complete enough to serve, small enough to ship, and never a wrong price."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import orjson
import pytest

import config
from config.catalog import load_catalog, parse_catalog, shipped_models
from routing.naming import match_logical, parameters_from_name
from routing.types import Capability, ModelTier, UseCase

CATALOG = load_catalog()
DATA = Path(config.__file__).parent / "data"
PROVIDERS = ("openai", "openrouter", "groq", "mistral", "deepseek", "xai", "togetherai", "fireworks-ai", "cerebras", "azure")


def test_size_and_attribution() -> None:
    assert (DATA / "catalog.json").stat().st_size <= 200 * 1024
    attribution = (DATA / "ATTRIBUTION.md").read_text()
    assert all(source in attribution for source in ("models.dev", "litellm", "genai-prices", "pi-ai"))
    assert attribution.count("MIT") >= 4
    assert "ATTRIBUTION.md" in orjson.loads((DATA / "catalog.json").read_bytes())["licence"]


def test_it_is_read_once() -> None:
    assert load_catalog() is CATALOG
    assert shipped_models() is CATALOG.models


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("gpt-6.1-sol", ModelTier.FRONTIER),
        ("claude-sonnet-5.5", ModelTier.MID),
        ("qwen3-coder-30b", ModelTier.SMALL),
        ("gpt-oss-20b", ModelTier.MICRO),
        ("apple-foundationmodel", ModelTier.MICRO),
    ],
)
def test_tiers_are_those_of_the_facts(model: str, tier: ModelTier) -> None:
    assert CATALOG.models[model].tier is tier
    assert model in CATALOG.curated


def test_every_model_is_well_formed() -> None:
    assert len(CATALOG.curated) == 69
    for name, model in CATALOG.models.items():
        assert model.id == name
        assert model.use_cases
        assert model.context_window is None or model.context_window > 0
        is_embedding = model.capability_bits == Capability.EMBEDDINGS
        assert is_embedding == (model.use_cases == (UseCase.EMBED,))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_offerings(provider: str) -> None:
    offerings = CATALOG.offerings(provider)
    assert offerings
    assert offerings == sorted(offerings, key=lambda offering: not offering.curated)
    names = [offering.logical_model_id for offering in offerings]
    assert len(names) == len(set(names)), "one name per model: the others only have prices"
    for offering in offerings:
        assert offering.logical_model_id in CATALOG.models
        assert offering.curated == (offering.logical_model_id in CATALOG.curated)
        # Two names for one model must not hide two sizes.
        sizes = {parameters_from_name(name) for name in (offering.upstream_model, offering.logical_model_id)} - {None}
        assert len(sizes) < 2 or "qwen3.8-max" in offering.logical_model_id


def test_a_resold_model_is_offered_only_if_it_is_described() -> None:
    assert all(offering.curated for offering in CATALOG.offerings("openrouter"))


def test_prices() -> None:
    astra = CATALOG.price("openai", "gpt-6-astra")
    assert astra is not None
    assert (astra.input, astra.output, astra.cache_read, astra.version) == (10.0, 50.0, 1.0, "catalog:2026-11-20")
    assert CATALOG.price("openai", "gpt-nonsense") is None
    assert CATALOG.price("nobody", "gpt-6-astra") is None
    # Retired names and special lanes keep their prices, though they are no longer offered.
    assert CATALOG.price("openrouter", "x-ai/grok-4.6") is not None
    assert "x-ai/grok-4.6" not in {offering.upstream_model for offering in CATALOG.offerings("openrouter")}


def test_an_unknown_price_is_none_and_never_zero() -> None:
    for provider in PROVIDERS:
        for offering in CATALOG.offerings(provider):
            price = CATALOG.price(provider, offering.upstream_model)
            assert price is None or price.input != 0 or price.output != 0 or offering.upstream_model.endswith(":free"), offering


def test_aliases() -> None:
    for alias, model in CATALOG.aliases.items():
        assert model in CATALOG.models, alias
    assert CATALOG.aliases["gpt-4o"] == "gpt-6.1-terra"
    assert CATALOG.aliases["o1"] == "gpt-6.1-sol"
    assert CATALOG.aliases["claude-sonnet-4"] == "claude-sonnet-5.5"
    assert CATALOG.aliases["claude-sonnet-5-5"] == "claude-sonnet-5.5"
    assert CATALOG.aliases["openai/gpt-6-astra"] == "gpt-6-astra"


@pytest.mark.parametrize(
    ("name", "logical"),
    [
        ("qwen3-coder:30b", "qwen3-coder-30b"),
        ("qwen/qwen3-coder-30b", "qwen3-coder-30b"),
        ("Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf", "qwen3-coder-30b"),
        ("gpt-oss:20b", "gpt-oss-20b"),
        ("gemma4:e4b", "gemma-4-e4b"),
        ("apple-foundationmodel", "apple-foundationmodel"),
        ("qwen3.8:27b-mlx", "qwen3.8-27b"),
        ("gpt-4o", None),
        ("claude-sonnet-5.5", None),
    ],
)
def test_local_names(name: str, logical: str | None) -> None:
    assert match_logical(name, CATALOG.local_names) == logical


def test_what_is_no_catalog_is_refused() -> None:
    with pytest.raises(KeyError):
        parse_catalog({})
    with pytest.raises(ValueError, match="enormous"):
        parse_catalog({"version": "1", "quality": "1", "models": {"a": {"tier": "enormous", "use_cases": [], "bits": 0}}, "offerings": {}})


def test_no_single_score_of_a_benchmark_is_shipped() -> None:
    """One derived figure per model is; the sources that forbid even that are not among them."""
    data = orjson.loads((DATA / "catalog.json").read_bytes())
    keys = {key for row in data["models"].values() for key in row}
    assert keys == {"tier", "use_cases", "bits", "window", "output", "curated", "quality"}
    attribution = (DATA / "ATTRIBUTION.md").read_text()
    assert "CC BY 4.0" in attribution
    assert "artificialanalysis" not in attribution.replace(" ", "").lower()


def test_quality_orders_the_tiers() -> None:
    """Not every model: a cheap new one may beat a dear old one. The tiers' means do rise, and unmeasured is not zero."""
    known = {name: model.quality for name, model in CATALOG.models.items() if model.quality is not None}
    assert known.keys() <= CATALOG.curated
    assert all(0 < quality < 1 for quality in known.values())
    assert len(known) >= 20
    means = {tier: [quality for name, quality in known.items() if CATALOG.models[name].tier is tier] for tier in ModelTier}
    assert fmean(means[ModelTier.SMALL]) < fmean(means[ModelTier.MID]) < fmean(means[ModelTier.FRONTIER])
    assert CATALOG.models["qwen3-8b"].quality is None
    assert CATALOG.quality_version == f"1:{CATALOG.version}"


def test_no_speed_is_shipped_because_no_source_licenses_one() -> None:
    assert all(model.output_tokens_per_s is None for model in CATALOG.models.values())
