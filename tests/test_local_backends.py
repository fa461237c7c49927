"""Every local backend against recorded pages: recognised as itself, by nobody else, and with the models it really has."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import providers.kinds
from config.discovery import discover as discover_extensions
from providers.local.found import judge
from providers.local.port import LocalBackend, LocalModel, Response, Responses
from providers.local.registry import load_backends
from providers.ports import ProviderKind
from routing.types import Capability
from tests.local_servers import APFEL, LEMONADE, LLAMA_SERVER, LM_STUDIO, OLLAMA, SERVERS, Pages, page, recording, seen

BACKENDS = {backend.name: backend for backend in load_backends()}
KINDS = {kind.name: kind for kind in discover_extensions(providers.kinds, "KIND", ProviderKind).values()}
EVERY_BACKEND = pytest.mark.parametrize("backend", BACKENDS.values(), ids=list(BACKENDS))


def recognised(pages: Pages, port: int = 1) -> str | None:
    found = judge(seen(pages, port), f"http://127.0.0.1:{port}", load_backends())
    return found.backend if found else None


def models_of(name: str) -> dict[str, LocalModel]:
    return {model.name: model for model in BACKENDS[name].models(seen(SERVERS[name]))}


@EVERY_BACKEND
def test_a_backend_is_well_formed(backend: LocalBackend) -> None:
    assert backend.kind in KINDS
    assert backend.ports
    assert backend.requests
    assert all(path.startswith("/") for path in (*backend.requests, backend.base_path))
    assert all(variable.isupper() for variable in (*backend.key_env, *backend.host_env))
    assert backend.start
    # A vendor's key must never be named for a server on this machine.
    assert not set(backend.key_env) & {name for kind in KINDS.values() if not kind.is_local for name in kind.key_env}


# Reasons: generating, loading and unloading pages must never be asked during discovery.
@EVERY_BACKEND
def test_a_backend_asks_for_nothing_that_works_hard(backend: LocalBackend) -> None:
    assert not [path for path in backend.requests if any(word in path for word in ("generate", "load", "chat", "completion", "show"))]


@pytest.mark.parametrize("name", SERVERS)
def test_each_server_is_recognised_as_itself_on_any_port(name: str) -> None:
    assert recognised(SERVERS[name]) == name
    for port in (1234, 1337, 8000, 8080, 11434):
        assert recognised(SERVERS[name], port) == name


def test_specific_fingerprints_are_asked_before_those_that_others_emulate() -> None:
    order = [backend.name for backend in load_backends()]
    assert order.index("ollama") > max(order.index(name) for name in ("docker", "lemonade", "koboldcpp", "localai", "apfel", "llamacpp"))
    assert order[-1] == "jan"


def test_jan_is_known_by_its_port_alone() -> None:
    pages = {"/v1/models": page({"data": [{"id": "qwen3-8b", "owned_by": "user"}, {"id": "gpt-6-luna", "owned_by": "openai"}]})}
    assert recognised(pages, 1337) == "jan"
    assert recognised(pages, 9999) == "unknown"
    local = {model.name: model.is_remote for model in BACKENDS["jan"].models(seen(pages, 1337))}
    assert local == {"qwen3-8b": False, "gpt-6-luna": True}


def test_a_web_application_is_no_model_server() -> None:
    assert recognised({"/": page("<html>hello</html>"), "/v1/models": page("<html>hello</html>")}) is None
    assert recognised({"/v1/models": page("<html>log in</html>", 403)}, 8080) is None
    assert recognised({}) is None


def test_donut_does_not_find_itself() -> None:
    own = {"/healthz": page({"status": "ok", "service": "donut"}), **LLAMA_SERVER}
    assert recognised(own) is None


def test_ollama_tells_windows_loaded_models_and_clouds() -> None:
    models = models_of("ollama")
    coder = models["qwen3-coder:30b"]
    assert (coder.context_window, coder.loaded, coder.is_remote, coder.parameters_b) == (32768, True, False, 30.5)
    assert coder.capability_bits == Capability.TOOLS | Capability.JSON
    # Not loaded: nobody knows with which window it will run, and a wrong guess truncates prompts without a word.
    assert (models["llama3.2:latest"].context_window, models["llama3.2:latest"].loaded) == (None, False)
    assert models["gpt-oss:120b-cloud"].is_remote
    assert models["nomic-embed-text:latest"].capability_bits == Capability.EMBEDDINGS
    assert models["nomic-embed-text:latest"].parameters_b == pytest.approx(0.137)


@pytest.mark.parametrize(
    "row",
    [
        {"name": "qwen3-coder:480b-cloud"},
        {"name": "glm-5:cloud"},
        {"name": "innocent:8b", "remote_host": "https://ollama.com:443"},
        {"name": "innocent:8b", "remote_model": "glm-5"},
    ],
)
def test_a_cloud_model_behind_ollama_is_not_local(row: dict[str, str]) -> None:
    pages = {**OLLAMA, "/api/tags": page({"models": [row]})}
    assert [model.is_remote for model in BACKENDS["ollama"].models(seen(pages))] == [True]


def test_apfel_without_apple_intelligence_has_no_model() -> None:
    off = {**APFEL, "/health": page({"model_available": False, "context_window": 4096})}
    assert BACKENDS["apfel"].recognise(seen(off))
    assert BACKENDS["apfel"].models(seen(off)) == []
    assert [(model.name, model.context_window) for model in models_of("apfel").values()] == [("apple-foundationmodel", 4096)]


def test_llama_server_window_is_that_of_one_slot() -> None:
    tiny = models_of("llamacpp")["tiny"]
    assert (tiny.context_window, tiny.loaded, tiny.is_remote) == (2048, True, False)
    assert tiny.capability_bits == Capability.TOOLS | Capability.JSON
    assert tiny.parameters_b == pytest.approx(0.0001712)


def test_llama_server_in_router_mode_says_what_is_loaded() -> None:
    rows = [
        {"id": "a", "owned_by": "llamacpp", "status": {"value": "loaded"}, "meta": {"n_ctx": 4096}},
        {"id": "b", "owned_by": "llamacpp", "status": {"value": "unloaded"}},
    ]
    models = BACKENDS["llamacpp"].models(seen({**LLAMA_SERVER, "/v1/models": page({"data": rows})}))
    assert [(model.loaded, model.context_window) for model in models] == [(True, 4096), (False, None)]


def test_lm_studio_window_is_that_of_the_loaded_instance() -> None:
    models = models_of("lmstudio")
    coder, gemma = models["qwen/qwen3-coder-30b"], models["google/gemma-4-26b-a4b"]
    assert (coder.context_window, coder.loaded, coder.parameters_b) == (16384, True, 30.0)
    assert (gemma.context_window, gemma.loaded) == (None, False)
    assert gemma.capability_bits == Capability.TOOLS | Capability.JSON | Capability.VISION | Capability.REASONING
    assert models["text-embedding-nomic-embed-text-v1.5"].capability_bits == Capability.EMBEDDINGS


def test_an_older_lm_studio_is_read_too() -> None:
    rows = [
        {"id": "a", "type": "llm", "state": "loaded", "loaded_context_length": 4096, "capabilities": ["tool_use"]},
        {"id": "b", "type": "vlm", "state": "not-loaded", "max_context_length": 9999},
        {"id": "c", "type": "embeddings", "state": "not-loaded"},
    ]
    pages = {path: answer for path, answer in LM_STUDIO.items() if path != "/api/v1/models"} | {"/api/v0/models": page({"data": rows})}
    assert recognised(pages) == "lmstudio"
    models = BACKENDS["lmstudio"].models(seen(pages))
    assert [(model.context_window, model.loaded) for model in models] == [(4096, True), (None, False), (None, False)]
    assert [model.capability_bits for model in models] == [3, None, int(Capability.EMBEDDINGS)]


def test_lemonade_is_local_only_where_a_recipe_runs_here() -> None:
    models = models_of("lemonade")
    assert {name: model.is_remote for name, model in models.items()} == {
        "Qwen3-8B-GGUF": False,
        "odd": True,
        "gpt-6-luna": True,
        "nobody-knows": True,
    }
    assert (models["Qwen3-8B-GGUF"].context_window, models["Qwen3-8B-GGUF"].loaded) == (8192, True)
    assert "Whisper-Large" not in models
    assert recognised(LEMONADE, 8000) == "lemonade"


def test_the_others_say_what_they_say() -> None:
    assert models_of("vllm")["Qwen/Qwen3-8B"].context_window == 40960
    assert models_of("sglang")["Qwen/Qwen3-8B"].context_window == 32768
    assert models_of("koboldcpp")["koboldcpp/Qwen3-8B-Q4_K_M"].context_window == 8192
    assert {name: model.loaded for name, model in models_of("llama-swap").items()} == {"qwen3-8b": True, "gemma4": False}
    assert list(models_of("localai")) == ["gpt-4o"]
    assert list(models_of("docker")) == ["ai/qwen3:8B-Q4_K_M"]
    assert models_of("llama-cpp-python")["tiny"].context_window is None


def test_a_locked_vllm_shows_its_version() -> None:
    pages = {"/version": page({"version": "0.19.0"}), "/v1/models": page({"error": "Unauthorized"}, 401)}
    found = judge(seen(pages, 5555), "http://127.0.0.1:5555", load_backends())
    assert found is not None
    assert (found.backend, found.locked, found.models) == ("vllm", True, ())
    assert "VLLM_API_KEY" in found.note


WORDS = [
    "models", "data", "id", "name", "key", "meta", "n_ctx", "status", "value", "owned_by", "capabilities", "details", "parameter_size",
    "loaded_instances", "config", "context_length", "running", "model", "loaded_models", "backends", "all_models_loaded", "model_name",
    "recipe", "recipe_options", "backend_url", "version", "model_available", "context_window", "result", "info", "title", "modalities",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
STATUSES = st.sampled_from([0, 200, 200, 200, 401, 404, 500])
ANSWERS = st.builds(Response, STATUSES, JSON.map(lambda value: page(value).body) | st.binary(max_size=20))
ALL_PATHS = sorted({path for backend in BACKENDS.values() for path in backend.requests} | {"/healthz"})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(ALL_PATHS), ANSWERS), st.sampled_from([1, 1337, 8080, 11434]))
def test_no_answer_breaks_a_backend(pages: dict[str, Response], port: int) -> None:
    responses = Responses(port, pages)
    for backend in BACKENDS.values():
        assert backend.recognise(responses) in (True, False)
        for model in backend.models(responses):
            assert model.name
            assert model.context_window is None or model.context_window > 0
    judge(responses, f"http://127.0.0.1:{port}", load_backends())


def test_recordings_are_what_the_servers_said() -> None:
    assert recording("llama-server", "health")["/health"].json() == {"status": "ok"}
    assert recording("llama-server", "ollama_tags")["/api/tags"].status == 404
