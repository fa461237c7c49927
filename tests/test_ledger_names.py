"""Whom a name means, in all the spellings that sources use; and that a near miss is never taken for a hit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.ledger.names import NameIndex, bare, spelled

KNOWN = (
    "claude-sonnet-5.5", "claude-opus-4.7", "gpt-6.1-sol", "gpt-5.4", "gpt-5.4-mini", "qwen3-8b", "qwen3-32b", "qwen3-coder-30b",
    "qwen3.7-max", "glm-5.3", "gemini-3.1-pro", "deepseek-v4-pro", "gpt-4", "gpt-4-0613", "gpt-oss-120b",
)  # fmt: skip
INDEX = NameIndex(
    [*((name, name) for name in KNOWN), ("claude-sonnet-5-5", "claude-sonnet-5.5"), ("gemini-3.1-pro-preview", "gemini-3.1-pro")]
)


@pytest.mark.parametrize(
    ("name", "model", "confidence", "effort"),
    [
        ("claude-sonnet-5.5", "claude-sonnet-5.5", 1.0, ""),
        ("claude-sonnet-5-5", "claude-sonnet-5.5", 0.99, ""),
        ("anthropic/claude-sonnet-5.5", "claude-sonnet-5.5", 0.95, ""),
        ("anthropic/claude-sonnet-5.5:beta", "claude-sonnet-5.5", 0.95, ""),
        ("us.anthropic.claude-sonnet-5-5-v1:0", "claude-sonnet-5.5", 0.95, ""),
        ("accounts/fireworks/models/glm-5p3", "glm-5.3", 0.95, ""),
        ("Claude Sonnet 5.5", "claude-sonnet-5.5", 0.95, ""),
        ("claude-opus-4-7-thinking", "claude-opus-4.7", 0.9, "thinking"),
        ("claude-opus-4-7-thinking-32k", "claude-opus-4.7", 0.9, "thinking-32k"),
        ("claude-opus-4.7 (xHigh)", "claude-opus-4.7", 0.95, "xhigh"),
        ("gpt-5.4-medium (codex-harness)", "gpt-5.4", 0.9, "medium"),
        ("gpt-6.1-sol_max", "gpt-6.1-sol", 0.9, "max"),
        ("gpt-5.4-high-effort", "gpt-5.4", 0.9, "high"),
        ("claude-sonnet-5-5-20260929", "claude-sonnet-5.5", 0.85, ""),
        ("claude-sonnet-5.5-2026-09-29-high", "claude-sonnet-5.5", 0.85, "high"),
        ("deepseek-v4-pro-preview", "deepseek-v4-pro", 0.85, ""),
        ("gemini-3.1-pro-preview", "gemini-3.1-pro", 0.99, ""),
        ("qwen3.7-max", "qwen3.7-max", 1.0, "max"),
        ("Qwen/qwen3.7-Max", "qwen3.7-max", 0.95, ""),
        ("gpt-4-0613", "gpt-4-0613", 1.0, ""),
        ("gpt-4-0314", "gpt-4", 0.85, ""),
        ("Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf", "qwen3-coder-30b", 0.75, ""),
        ("gpt-oss:120b", "gpt-oss-120b", 0.95, ""),
    ],
)
def test_a_decorated_name(name: str, model: str, confidence: float, effort: str) -> None:
    found = INDEX.match(name)
    assert (found.id, found.confidence) == (model, confidence)
    assert found.how
    if found.confidence < 0.95 or "(" in name:
        assert found.effort == effort


@pytest.mark.parametrize(
    "name", ["qwen3-14b", "gpt-5.4-nano", "gpt-6.1", "claude-sonnet", "qwen3-coder-480b", "glm-5.4", "gpt-oss-20b", "", "/"]
)
def test_a_cousin_is_not_taken_for_the_model(name: str) -> None:
    assert INDEX.match(name).id is None


def test_did_you_mean() -> None:
    assert INDEX.match("claude-sonet-5.5").suggestions[0] == "claude-sonnet-5.5"
    assert "gpt-5.4-mini" in INDEX.match("gpt-5.4-miny").suggestions
    assert INDEX.match("zzzzzz").suggestions == ()


def test_a_name_that_two_models_claim_means_neither() -> None:
    index = NameIndex([("a-1", "a-1"), ("b-1", "b-1"), ("shared", "a-1"), ("Shared", "b-1")])
    assert (index.match("shared").id, index.match("SHARED").id) == ("a-1", None)


@given(
    st.sampled_from([name for name in KNOWN if name != "gpt-4-0613"]),
    st.sampled_from(("", "anthropic/", "x-ai/", "eu.anthropic.", "models/")),
    st.sampled_from(("", ":free", "-high", "-20260101", " (max)")),
)
def test_decoration_never_leads_to_another_model(name: str, prefix: str, suffix: str) -> None:
    found = INDEX.match(f"{prefix}{name}{suffix}")
    assert found.id == name


@given(st.text(max_size=60))
def test_any_text_is_survived(text: str) -> None:
    assert INDEX.match(text).confidence <= 1.0
    assert spelled(text).plain == spelled(text).plain.lower()
    assert len(bare(text)) <= len(text)
