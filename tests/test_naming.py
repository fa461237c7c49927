"""What names say: sizes, tiers, purposes, and which logical model a local name is. Never a wrong size."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.naming import (
    active_from_name,
    cousin_of,
    effective_parameters,
    index_names,
    is_embedding_name,
    is_foreign_name,
    match_logical,
    normalise,
    parameters_from_name,
    tier_from_name,
    tier_from_parameters,
)
from routing.types import TIER_ORDER, ModelTier

KNOWN = index_names(
    [
        ("qwen3-coder:30b", "qwen3-coder-30b"),
        ("gpt-oss:20b", "gpt-oss-20b"),
        ("gpt-oss:120b", "gpt-oss-120b"),
        ("llama3.2:3b", "llama-3.2-3b"),
        ("llama3.3:70b", "llama-3.3-70b"),
        ("gemma4:26b", "gemma-4-26b-a4b"),
        ("gemma4:31b", "gemma-4-31b"),
        ("gemma4:e4b", "gemma-4-e4b"),
        ("qwen3:8b", "qwen3-8b"),
        ("devstral-small-2", "devstral-small-2"),
        ("qwen3.6:35b-a3b", "qwen3.6-35b-a3b"),
    ]
)


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("qwen3:8b", 8.0),
        ("llama-13b", 13.0),
        ("llama-11b-vision", 11.0),
        ("qwen3.5:0.5b", 0.5),
        ("gemma3:270m", 0.27),
        ("mixtral:8x7b", 56.0),
        ("mixtral-8x22b-instruct", 176.0),
        ("qwen3-30b-a3b", 30.0),
        ("gemma-4-26b-a4b", 26.0),
        ("gemma4:e2b", 2.0),
        ("kimi-k2-1t", 1000.0),
        ("Qwen3-8B-4bit", 8.0),
        ("gemma-2-4bit", None),
        ("qwen2.5-7b-instruct-1m", 7.0),
        ("gpt-4o", None),
        ("o3", None),
        ("phi-4", None),
        ("", None),
    ],
)
def test_sizes(name: str, billions: float | None) -> None:
    assert parameters_from_name(name) == billions


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        # Each end of 3, 30 and 300.
        ("qwen3:0.6b", ModelTier.MICRO),
        ("llama3.2:1b", ModelTier.MICRO),
        ("falcon3:3b", ModelTier.MICRO),
        ("gemma3:4b", ModelTier.SMALL),
        ("qwen2.5:7b", ModelTier.SMALL),
        ("qwen2.5-coder:32b", ModelTier.SMALL),
        ("yi:34b", ModelTier.MID),
        ("llama2:70b", ModelTier.MID),
        ("falcon:180b", ModelTier.MID),
        ("llama-3.1-405b", ModelTier.FRONTIER),
        ("deepseek-r1:671b", ModelTier.FRONTIER),
        # agentsy's third bug: a size found inside another one. 13b is not 3b, 11b is not 1b, 0.5b is not 5b, 32b is not 2b.
        ("llama2:13b", ModelTier.SMALL),
        ("llama3.2-vision:11b", ModelTier.SMALL),
        ("solar-10.7b", ModelTier.SMALL),
        ("qwen2.5:0.5b", ModelTier.MICRO),
        ("exaone-32b", ModelTier.SMALL),
        ("palmyra-43b", ModelTier.MID),
        ("vicuna-33b", ModelTier.SMALL),
        ("snowflake-480b", ModelTier.FRONTIER),
        ("granite-3.1b-8b", ModelTier.SMALL),
        # Mixtures of experts: between all weights and the active ones.
        ("qwen3-30b-a3b", ModelTier.SMALL),
        ("qwen3-next:80b-a3b", ModelTier.SMALL),
        ("qwen3-235b-a22b", ModelTier.MID),
        ("nemotron-3-ultra-550b-a55b", ModelTier.MID),
        ("mixtral:8x7b", ModelTier.SMALL),
        ("mixtral-8x22b-instruct", ModelTier.MID),
        # Words and families, where there is no size.
        ("tinyllama", ModelTier.MICRO),
        ("smollm2", ModelTier.MICRO),
        ("phi3:mini", ModelTier.MICRO),
        ("llama3.2:latest", ModelTier.MICRO),
        ("llama3.3", ModelTier.MID),
        ("mistral-large:latest", ModelTier.MID),
        ("mistral", ModelTier.SMALL),
        ("gemini-flash", ModelTier.SMALL),  # "mini" inside a word is no hint
        ("nemotron-3-nano:30b", ModelTier.SMALL),  # a number beats a word
        ("something-new", ModelTier.SMALL),
    ],
)
def test_tiers(name: str, tier: ModelTier) -> None:
    assert tier_from_name(name) is tier


def test_a_measured_size_beats_the_name() -> None:
    assert tier_from_name("llama3.3:latest", 3.2) is ModelTier.MICRO
    assert tier_from_name("tiny", 70.0) is ModelTier.MID
    assert tier_from_name("somebodys-a3b", 30.5) is ModelTier.SMALL


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("qwen3:30b-a3b", 3.0),
        ("Qwen3-235B-A22B-Instruct", 22.0),
        ("org/model_1t_a32b", 32.0),
        ("qwen3.5-a1.5b", 1.5),
        ("mixtral:8x7b", 14.0),
        ("qwen3:8b", None),
        ("alpha3b", None),
        ("llama-13b", None),
    ],
)
def test_active_weights(name: str, billions: float | None) -> None:
    assert active_from_name(name) == billions


@settings(deadline=None)
@given(st.floats(0.1, 2000), st.floats(0.1, 2000))
def test_a_mixture_is_worth_no_more_than_all_its_weights(total: float, active: float) -> None:
    assert effective_parameters(total, None) == total
    assert min(total, active) * 0.999 <= effective_parameters(total, active) <= total * 1.001


@pytest.mark.parametrize(
    ("name", "billions", "logical"),
    [
        ("qwen3-8b-thinking", None, "qwen3-8b"),
        ("Qwen3-8B-abliterated-Q4_K_M.gguf", 8.2, "qwen3-8b"),
        ("gpt-oss:120b-safeguard", None, "gpt-oss-120b"),
        ("qwen3-8b-thinking", 70.0, None),  # borrowed name
        ("qwen3-80b-thinking", None, None),  # 80b is not 8b
        ("qwen3-8b", None, None),  # the model itself
        ("devstral-small-2-tuned", None, None),  # a family without a size proves nothing
        ("", None, None),
    ],
)
def test_a_variant_is_known_by_its_base(name: str, billions: float | None, logical: str | None) -> None:
    assert cousin_of(name, KNOWN, billions) == logical


@settings(deadline=None)
@given(st.floats(0.1, 2000), st.floats(0.1, 2000))
def test_more_weights_never_mean_a_lower_tier(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert TIER_ORDER.index(tier_from_parameters(low)) <= TIER_ORDER.index(tier_from_parameters(high))


@pytest.mark.parametrize(
    ("name", "logical"),
    [
        ("qwen3-coder:30b", "qwen3-coder-30b"),
        ("qwen/qwen3-coder-30b", "qwen3-coder-30b"),
        ("Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf", "qwen3-coder-30b"),
        ("unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF", "qwen3-coder-30b"),
        ("/models/Qwen3-Coder-30B-A3B-Instruct-UD-Q4_K_XL-00001-of-00002.gguf", "qwen3-coder-30b"),
        ("qwen3-coder:30b-a3b-q8_0", "qwen3-coder-30b"),
        ("mlx-community/Qwen3-8B-4bit", "qwen3-8b"),
        ("ai/qwen3:8B-Q4_K_M", "qwen3-8b"),
        ("koboldcpp/Qwen3-8B-Q4_K_M", "qwen3-8b"),
        ("openai/gpt-oss-20b", "gpt-oss-20b"),
        ("gpt-oss-20b-mxfp4.gguf", "gpt-oss-20b"),
        ("gpt-oss:120b-cloud", "gpt-oss-120b"),
        ("Llama-3.2-3B-Instruct", "llama-3.2-3b"),
        ("Meta-Llama-3.2-3B", None),
        ("google/gemma-4-26b-a4b", "gemma-4-26b-a4b"),
        ("gemma-4-E4B-it-GGUF", "gemma-4-e4b"),
        ("devstral-small-2", "devstral-small-2"),
        ("qwen3.6:35b", "qwen3.6-35b-a3b"),
        # cousins
        ("qwen3-coder:480b", None),
        ("qwen3:30b", None),
        ("qwen3-8b-thinking", None),
        ("qwen3-vl:8b", None),
        ("qwen3-8b-base", None),
        ("deepseek-r1:8b", None),
        ("qwen3.5:8b", None),
        ("qwen3:18b", None),
        ("gemma-3-26b", None),
        ("devstral-small-2507", None),
        ("llama3.2", None),
        ("gpt-4o", None),
        ("", None),
    ],
)
def test_matches(name: str, logical: str | None) -> None:
    assert match_logical(name, KNOWN) == logical


@pytest.mark.parametrize(
    ("name", "billions", "logical"),
    [
        ("llama3.2:latest", 3.2, "llama-3.2-3b"),
        ("llama3.2", 1.24, None),
        ("gpt-oss:latest", 20.9, "gpt-oss-20b"),
        ("gpt-oss", 116.8, "gpt-oss-120b"),
        ("qwen3-coder:latest", 30.5, "qwen3-coder-30b"),
        ("gemma4:latest", 25.2, "gemma-4-26b-a4b"),
        ("gemma4", 30.7, "gemma-4-31b"),
        ("gemma4", 8.0, None),  # perhaps e4b, perhaps not
        ("gemma4:e4b", 8.0, "gemma-4-e4b"),
        ("qwen3:8b", 70.0, None),  # somebody's own model under a borrowed name
        ("devstral-small-2", 24.0, "devstral-small-2"),
    ],
)
def test_a_measured_size_finds_or_refutes(name: str, billions: float, logical: str | None) -> None:
    assert match_logical(name, KNOWN, billions) == logical


FAMILIES = st.sampled_from(["qwen3", "qwen3-coder", "gpt-oss", "llama3.2", "llama3.3", "gemma4", "gemma-4", "qwen3.6"])
SIZES = st.sampled_from(["0.6b", "1b", "3b", "8b", "13b", "20b", "26b", "30b", "31b", "35b", "70b", "80b", "120b", "130b", "480b"])
TAILS = st.sampled_from(["", "-instruct", "-q4_K_M", "-instruct-q8_0", "-fp16", "-mlx", "-a3b", "-cloud"])


@settings(deadline=None)
@given(FAMILIES, SIZES, st.sampled_from([":", "-"]), TAILS, st.none() | st.floats(0.1, 500))
def test_a_match_never_crosses_a_size(family: str, size: str, joint: str, tail: str, billions: float | None) -> None:
    logical = match_logical(f"{family}{joint}{size}{tail}", KNOWN, billions)
    if logical is not None:
        assert parameters_from_name(logical) == float(size.removesuffix("b"))


@settings(deadline=None)
@given(st.text(max_size=40), st.none() | st.floats(0.001, 3000))
def test_any_name_is_answered(name: str, billions: float | None) -> None:
    tier_from_name(name, billions)
    is_embedding_name(name)
    is_foreign_name(name)
    match_logical(name, KNOWN, billions)


@settings(deadline=None)
@given(st.text("abqwen3.5-:_/ 0123456789", max_size=30))
def test_normalising_ignores_case_and_joints(name: str) -> None:
    assert normalise(name) == normalise(name.upper()) == normalise(name.replace(":", "-").replace("_", "-"))


def test_a_name_that_two_models_claim_matches_neither() -> None:
    assert index_names([("a:8b", "one"), ("a-8b", "two"), ("b", "three")]) == {"b": "three"}


@pytest.mark.parametrize("name", ["nomic-embed-text", "bge-m3", "BAAI/bge-large-en", "intfloat/e5-large-v2", "gte-base", "all-minilm:33m",
                                  "text-embedding-3-small", "qwen3-embedding:8b", "mxbai-embed-large"])  # fmt: skip
def test_embedding_names(name: str) -> None:
    assert is_embedding_name(name)


@pytest.mark.parametrize("name", ["qwen3:8b", "gpt-4o", "gemma3", "mistral", "bagel-7b", "e4b"])
def test_names_of_models_that_chat(name: str) -> None:
    assert not is_embedding_name(name)
    assert not is_foreign_name(name)


@pytest.mark.parametrize("name", ["bge-reranker-v2-m3", "whisper-1", "stable-diffusion-xl", "kokoro", "tts-1", "flux.1-dev"])
def test_names_of_models_that_do_neither(name: str) -> None:
    assert is_foreign_name(name)
    assert not is_embedding_name(name)
