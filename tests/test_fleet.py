"""From a name at an upstream to a replica: logical model, tier, window, price, dialects, and what is local."""

from __future__ import annotations

import pytest

import providers.kinds
from config.catalog import load_catalog
from config.discovery import discover
from config.environment import providers_from_environment
from config.fleet import FREE, Account, Served, local_fleet, offered_fleet, replicas_for
from providers.local.found import Found, judge
from providers.local.registry import load_backends
from providers.ports import ProviderKind
from routing.types import Capability, LogicalModel, ModelReplica, ModelTier, Price, UseCase
from tests.local_servers import APFEL, LLAMA_SERVER, LOCALAI, OLLAMA, Pages, seen

KINDS = {kind.name: kind for kind in discover(providers.kinds, "KIND", ProviderKind).values()}
CATALOG = load_catalog()


def find(pages: Pages, port: int) -> Found:
    found = judge(seen(pages, port), f"http://127.0.0.1:{port}", load_backends())
    assert found is not None
    return found


def fleet_of(pages: Pages, port: int) -> dict[str, ModelReplica]:
    _, replicas = local_fleet(find(pages, port), KINDS, CATALOG)
    return {replica.id: replica for replica in replicas}


def test_an_ollama() -> None:
    fleet = fleet_of(OLLAMA, 11434)
    coder = fleet["ollama/qwen3-coder:30b"]
    assert (coder.logical_model_id, coder.tier, coder.is_local, coder.price) == ("qwen3-coder-30b", ModelTier.SMALL, True, FREE)
    assert (coder.context_window, coder.declared) == (32768, False)
    assert coder.dialects == ("chat", "responses", "messages", "completions")
    small = fleet["ollama/llama3.2:latest"]
    assert (small.logical_model_id, small.tier) == ("llama-3.2-3b", ModelTier.MICRO)
    assert small.context_window is None, "the catalog's window is not the one Ollama will load it with"


def test_a_cloud_model_behind_a_local_server_is_neither_local_nor_free() -> None:
    cloud = fleet_of(OLLAMA, 11434)["ollama/gpt-oss:120b-cloud"]
    assert (cloud.is_local, cloud.price, cloud.logical_model_id) == (False, None, "gpt-oss-120b")


def test_an_embedding_model_embeds_and_nothing_else() -> None:
    embedder = fleet_of(OLLAMA, 11434)["ollama/nomic-embed-text:latest"]
    assert (embedder.dialects, embedder.capability_bits) == (("embeddings",), Capability.EMBEDDINGS)
    models, _ = local_fleet(find(OLLAMA, 11434), KINDS, CATALOG)
    assert [model.use_cases for model in models if model.id.startswith("nomic")] == [(UseCase.EMBED,)]
    # Jan has no embeddings endpoint: a model that nothing could ask is not served.
    jan = Account("jan", KINDS["jan"], is_local=True)
    assert replicas_for(jan, [Served("nomic-embed-text")], CATALOG) == ([], [])


def test_a_llama_server_on_another_port_has_a_name_of_its_own() -> None:
    assert list(fleet_of(LLAMA_SERVER, 8080)) == ["llamacpp/tiny"]
    assert list(fleet_of(LLAMA_SERVER, 9001)) == ["llamacpp-9001/tiny"]
    assert fleet_of(LLAMA_SERVER, 8080)["llamacpp/tiny"].context_window == 2048


def test_apfel() -> None:
    (replica,) = fleet_of(APFEL, 11434).values()
    assert (replica.logical_model_id, replica.context_window, replica.dialects) == ("apple-foundationmodel", 4096, ("chat",))


def test_a_local_model_under_a_borrowed_name_is_not_the_original() -> None:
    (replica,) = fleet_of(LOCALAI, 8080).values()
    assert (replica.upstream_model, replica.logical_model_id) == ("gpt-4o", "localai/gpt-4o")
    assert replica.tier is ModelTier.SMALL


def test_an_account_offers_what_the_catalog_lists() -> None:
    (openai,) = providers_from_environment({"OPENAI_API_KEY": "k"}, KINDS)
    models, replicas = offered_fleet(openai, CATALOG)
    by_id = {replica.id: replica for replica in replicas}
    astra = by_id["openai/gpt-6-astra"]
    assert (astra.is_local, astra.tier, astra.context_window) == (False, ModelTier.FRONTIER, 1_050_000)
    assert astra.price is not None
    assert astra.price.version == "catalog:2026-11-20"
    assert by_id["openai/text-embedding-3-small"].dialects == ("embeddings",)
    assert {replica.logical_model_id for replica in replicas} == {model.id for model in models}


def test_an_address_that_is_not_the_vendors_offers_nothing_by_itself() -> None:
    (gateway,) = providers_from_environment({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "https://gw.example.com/v1"}, KINDS)
    assert offered_fleet(gateway, CATALOG) == ([], [])


def test_what_a_person_declares_counts() -> None:
    account = Account("box", KINDS["openai"], is_local=True, dialects=("chat",), declared=True)
    price = Price(1.0, 2.0)
    served = [
        Served("up-model", "qwen3-coder-30b", price=price),
        Served("mine", tier=ModelTier.FRONTIER, context_window=1000, capability_bits=0),
        Served("up-model", "something-else"),
    ]
    models, (declared, mine) = replicas_for(account, served, CATALOG)
    assert (declared.id, declared.price, declared.declared, declared.dialects) == ("box/up-model", price, True, ("chat",))
    assert declared.context_window == CATALOG.models["qwen3-coder-30b"].context_window
    assert (mine.tier, mine.context_window, mine.capability_bits, mine.price) == (ModelTier.FRONTIER, 1000, 0, FREE)
    assert [model.id for model in models] == ["qwen3-coder-30b", "mine"]


def test_an_unknown_price_stays_unknown() -> None:
    account = Account("far", KINDS["openai"], is_local=False, declared=True)
    _, (replica,) = replicas_for(account, [Served("gpt-6-astra")], CATALOG)
    assert replica.price is None
    vendor = Account("far", KINDS["openai"], is_local=False, catalog_id="openai", declared=True)
    _, (priced,) = replicas_for(vendor, [Served("gpt-6-astra")], CATALOG)
    assert priced.price is not None


def test_models_of_the_config_override_the_catalog() -> None:
    account = Account("far", KINDS["openai"], is_local=False, declared=True)
    known = {"gpt-6-astra": LogicalModel("gpt-6-astra", ModelTier.MICRO)}
    _, (replica,) = replicas_for(account, [Served("gpt-6-astra")], CATALOG, known)
    assert replica.tier is ModelTier.MICRO


@pytest.mark.parametrize(("name", "logical"), [("openai/gpt-6-astra", "gpt-6-astra"), ("gpt-4o", "gpt-4o"), ("own-thing", "own-thing")])
def test_hosted_names(name: str, logical: str) -> None:
    _, (replica,) = replicas_for(Account("far", KINDS["openai"], is_local=False), [Served(name)], CATALOG)
    assert replica.logical_model_id == logical


def test_a_model_that_is_called_by_its_file_is_asked_for_by_a_plain_name() -> None:
    account = Account("llamacpp", KINDS["llamacpp"], is_local=True)
    models, replicas = replicas_for(account, [Served("/models/my-own.gguf"), Served("dir/gpt-4o.gguf")], CATALOG)
    assert [model.id for model in models] == ["my-own", "llamacpp/dir/gpt-4o.gguf"]
    assert [replica.upstream_model for replica in replicas] == ["/models/my-own.gguf", "dir/gpt-4o.gguf"]


@pytest.mark.parametrize(
    ("served", "tier"),
    [
        (Served("qwen3:8b-abliterated"), ModelTier.MICRO),  # its base's tier, which is the catalog's judgement
        (Served("somebody-8b"), ModelTier.SMALL),
        (Served("somebody:latest", parameters_b=70.6), ModelTier.MID),
        (Served("up", "somebody-1b"), ModelTier.MICRO),  # config's name tells what the upstream's does not
        (Served("up-70b", "somebody-1b"), ModelTier.MID),
        (Served("llama-13b"), ModelTier.SMALL),
    ],
)
def test_a_model_that_nobody_describes_is_judged_by_family_and_size(served: Served, tier: ModelTier) -> None:
    _, (replica,) = replicas_for(Account("box", KINDS["ollama"], is_local=True), [served], CATALOG)
    assert replica.tier is tier
