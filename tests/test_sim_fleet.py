"""The simulated fleet keeps DESIGN §5: four tiers, local and cloud, with prices, latencies and quotas."""

from __future__ import annotations

from providers.sim.fleet import CLOUD_PROVIDER, FLEET, LOCAL_PROVIDER, find, simulated_models, simulated_replicas
from routing.types import TIER_ORDER, Capability, Catalog, ModelTier, UseCase


def test_every_tier_is_served_from_the_cloud_and_the_lower_three_locally() -> None:
    chat = [replica for replica in FLEET if "chat" in replica.dialects]
    assert {replica.tier for replica in chat if not replica.is_local} == set(TIER_ORDER)
    assert {replica.tier for replica in chat if replica.is_local} == {ModelTier.MICRO, ModelTier.SMALL, ModelTier.MID}


def test_local_is_free_and_unmetered_and_cloud_is_neither() -> None:
    for replica in FLEET:
        assert (replica.provider_id == LOCAL_PROVIDER) == replica.is_local
        assert (replica.price.input == 0) == replica.is_local
        assert (replica.requests_per_minute is None) == replica.is_local


def test_dearer_tiers_are_slower_to_start_and_cost_more() -> None:
    cloud = [replica for replica in FLEET if replica.provider_id == CLOUD_PROVIDER and "chat" in replica.dialects]
    assert [replica.tier for replica in cloud] == list(TIER_ORDER)
    assert [replica.ttft_s for replica in cloud] == sorted(replica.ttft_s for replica in cloud)
    assert [replica.price.output for replica in cloud] == sorted(replica.price.output or 0 for replica in cloud)
    assert all(0 < replica.ttft_s <= 0.120 for replica in FLEET)


def test_the_routers_view_has_the_same_replicas_and_a_model_for_each() -> None:
    models = {model.id: model for model in simulated_models()}
    catalog = Catalog.build(models, simulated_replicas())
    assert list(catalog.replicas) == [replica.id for replica in FLEET]
    assert set(catalog.replicas_by_model) == set(models) == {"sim-micro", "sim-small", "sim-mid", "sim-frontier", "sim-embed"}
    for replica in catalog.replicas.values():
        model = models[replica.logical_model_id]
        assert replica.tier is model.tier
        assert replica.capability_bits & ~model.capability_bits == 0
        assert (replica.context_window or 0) <= (model.context_window or 0)


def test_the_embedder_embeds_and_does_nothing_else() -> None:
    embedder = next(model for model in simulated_models() if model.id == "sim-embed")
    assert embedder.use_cases == (UseCase.EMBED,)
    assert embedder.capability_bits == Capability.EMBEDDINGS
    assert all(replica.dialects == ("embeddings",) for replica in simulated_replicas() if replica.logical_model_id == "sim-embed")


def test_find_keeps_to_a_known_provider_and_falls_back_for_a_foreign_one() -> None:
    local = find(LOCAL_PROVIDER, "sim-mid")
    foreign = find("my-own-id", "sim-frontier")
    assert local is not None
    assert local.is_local
    assert foreign is not None
    assert foreign.provider_id == CLOUD_PROVIDER
    assert find(LOCAL_PROVIDER, "sim-frontier") is None
    assert find(CLOUD_PROVIDER, "gpt-4o") is None
