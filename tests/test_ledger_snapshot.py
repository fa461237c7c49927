"""The shipped snapshot: small, quick, licensed, and equal to the facts it was built from."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import config
from config.catalog import load_catalog, shipped_book
from config.ledger.snapshot import load_snapshot, parse_snapshot
from routing.ledger.terms import PriceOverride
from scripts import ledger_build

ROOT = Path(__file__).parent.parent
FACTS = ROOT.parent / "shared" / "catalog"
DATA = Path(config.__file__).parent / "data"
HAS_FACTS = pytest.mark.skipif(not FACTS.is_dir(), reason="the facts lie beside the checkout of the authors only")
BOOK = shipped_book()


def load_script() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("build_ledger", str(ROOT / "scripts" / "build-ledger"))
    spec = importlib.util.spec_from_loader("build_ledger", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def facts() -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = json.loads((FACTS / "models.json").read_text())["models"]
    return models


def test_it_is_small_and_knows_every_entry() -> None:
    assert (DATA / "ledger.json").stat().st_size <= 1024 * 1024
    snapshot = load_snapshot()
    assert len(snapshot.entries) == 2184
    assert load_snapshot() is snapshot
    assert {entry.billing for entry in snapshot.entries.values()} == {"metered", "subscription", "local"}
    assert {sheet.source for sheet in snapshot.sheets} == {"shipped", "epoch", "arena", "aider"}
    assert all(sheet.version or sheet.updated_at for sheet in snapshot.sheets), "whoever reads a figure must see how old it is"


def test_every_score_has_a_licence_that_lets_it_be_shipped() -> None:
    attribution = (DATA / "ATTRIBUTION.md").read_text()
    for sheet in load_snapshot().sheets:
        assert sheet.licence in {*ledger_build.SHIPPED_LICENCES, "MIT", "derived by donut from CC-BY-4.0 and MIT sources"}
    assert "ledger.json" in attribution
    assert all(word in attribution for word in ("CC BY 4.0", "Apache-2.0", "MIT", "aider"))
    assert "artificialanalysis" not in (DATA / "ledger.json").read_text().lower()


def test_every_model_of_the_catalog_is_served_by_an_entry_and_every_offering_has_one() -> None:
    entries, catalog = load_snapshot().entries, load_catalog()
    for provider in ("openai", "anthropic", "google", "openrouter", "groq", "azure"):
        for offering in catalog.offerings(provider):
            entry = entries[f"{provider}/{offering.upstream_model}"]
            assert (entry.model, entry.is_primary, entry.is_retired) == (offering.logical_model_id, True, False)


@HAS_FACTS
def test_prices_are_those_of_the_facts() -> None:
    """Far more than fifty: every entry of which a price is known."""
    compared = 0
    for fact in facts():
        stated = fact["price_per_mtok_usd"]
        price = BOOK.price(f"{fact['provider']}/{fact['model_id']}")
        if price is None:
            assert not stated["input"], fact["model_id"]
            continue
        found = (price.input, price.output, price.cache_read, price.cache_write)
        assert found == tuple(stated[name] for name in ("input", "output", "cache_read", "cache_write")), fact["model_id"]
        tiers = [override for override in price.terms.overrides if override.min_prompt_tokens is not None]
        assert [each.min_prompt_tokens for each in tiers] == [tier["above_input_tokens"] + 1 for tier in stated["tiers"] or ()]
        compared += 1
    assert compared > 1500


@HAS_FACTS
def test_every_conflict_of_the_facts_is_kept_and_resolved_by_their_rule() -> None:
    conflicts = 0
    for fact in facts():
        for name, said in (fact["conflicts"] or {}).items():
            found = BOOK.figure(f"{fact['provider']}/{fact['model_id']}", f"price_{name}")
            if found.value is None:
                continue
            conflicts += 1
            assert found.value == fact["price_per_mtok_usd"][name]
            losers = {each.reading.source: each.reading.value for each in found.candidates if not each.won}
            assert losers == {source.replace("-", "_").replace(".", "_"): value for source, value in said.items() if value != found.value}
            assert found.winner is not None
            assert set(found.winner.agreeing) == {source for source, value in said.items() if value == found.value}
    assert conflicts > 300


def test_the_windows_of_an_off_peak_price() -> None:
    price = BOOK.price("deepseek/deepseek-v4-pro")
    assert price is not None
    assert price.terms.overrides[2] == PriceOverride(
        (("input", 0.66), ("output", 1.98), ("cache_read", 0.022)), None, 600, 0, (0, 1, 2, 3, 4)
    )
    assert price.version == "catalog:2026-11-20"


def test_what_is_no_snapshot_is_refused() -> None:
    with pytest.raises(KeyError):
        parse_snapshot({})


@HAS_FACTS
def test_the_shipped_file_is_what_the_script_builds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = load_script()
    (tmp_path / "config" / "data").mkdir(parents=True)
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    assert script.main([str(FACTS)]) == 0
    assert (tmp_path / "config" / "data" / "ledger.json").read_bytes() == (DATA / "ledger.json").read_bytes()
