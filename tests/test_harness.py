"""Which program is asking, and what is known of each: every file of `proxy/harnesses` keeps these rules by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.harness import BODY_MEMBERS, HARNESSES, UNKNOWN, harness_of, in_body, in_head
from proxy.harnesses import Harness
from proxy.harnesses._recipe import Link
from routing.classify.chores import AGENTS

EVERY = pytest.mark.parametrize("harness", HARNESSES.values(), ids=list(HARNESSES))
TRACES = Path(__file__).parents[2] / "shared" / "traces"
BY_FOLDER = {
    "claude": "claude-code",
    "codex": "codex",
    "opencode": "opencode",
    "qwen": "qwen-code",
    "gemini": "gemini-cli",
    "openai-sdk": "openai-sdk",
    "anthropic-sdk": "anthropic-sdk",
}


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm (codex_exec; 0.169.0)", "codex"),
        ("codex-tui/0.169.0 (Debian 12.0.0; x86_64) xterm-256color", "codex"),
        ("claude-cli/2.1.329 (external, sdk-cli)", "claude-code"),
        ("claude-code/2.1.329", "claude-code"),
        ("opencode/1.18.33 ai-sdk/provider-utils/4.0.46 runtime/bun/1.3.14", "opencode"),
        ("QwenCode/0.24.4 (linux; x64)", "qwen-code"),
        ("GeminiCLI-tui/0.61.0/gemini-3.1-pro-preview (linux; x64; terminal)", "gemini-cli"),
        ("litellm/1.109.1", "litellm"),
        ("OpenAI/Python 3.51.0", "openai-sdk"),
        ("AsyncOpenAI/Python 3.51.0", "openai-sdk"),
        ("OpenAI/JS 6.1.0", "openai-sdk"),
        ("Anthropic/Python 2.10.0", "anthropic-sdk"),
        ("AsyncAnthropic/Python 2.10.0", "anthropic-sdk"),
        ("curl/8.5.0", "curl"),
        ("Mozilla/5.0 codex", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_by_user_agent(user_agent: str, name: str) -> None:
    assert harness_of(user_agent.encode()) == name
    assert harness_of(None) == UNKNOWN


BILLED = {"system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.0ab; cc_entrypoint=cli;"}]}


def recognise(user_agent: bytes | None, headers: Mapping[bytes, bytes], data: Mapping[str, Any]) -> str:
    """As a demand is made."""
    name, is_behind = in_head(user_agent, headers)
    return name if not is_behind or BODY_MEMBERS.isdisjoint(data) else in_body(data) or name


@pytest.mark.parametrize(
    ("user_agent", "headers", "data", "name"),
    [
        ("some-gateway/1", {b"x-claude-code-session-id": b"1"}, {}, "claude-code"),
        ("some-gateway/1", {b"x-codex-turn-metadata": b"{}"}, {}, "codex"),
        ("some-gateway/1", {b"x-session-affinity": b"ses_1"}, {}, "opencode"),
        ("some-gateway/1", {}, BILLED, "claude-code"),
        ("some-gateway/1", {}, {"client_metadata": {"x-codex-installation-id": "1"}}, "codex"),
        ("litellm/1.109.1", {}, BILLED, "claude-code"),
        ("litellm/1.109.1", {}, {"messages": []}, "litellm"),
        ("OpenAI/Python 3.51.0", {}, BILLED, "openai-sdk"),
        ("some-gateway/1", {b"accept": b"*/*"}, {"system": "x-anthropic-billing-header: not where it stands"}, UNKNOWN),
    ],
)
def test_behind_a_gateway(user_agent: str, headers: dict[bytes, bytes], data: dict[str, Any], name: str) -> None:
    assert recognise(user_agent.encode(), headers, data) == name


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda each: st.lists(each, max_size=3), max_leaves=5)
BODIES = st.dictionaries(
    st.sampled_from(["system", "client_metadata", "agent", "session", "messages"]), JSON | st.dictionaries(st.text(max_size=9), JSON)
)


@given(data=BODIES)
def test_any_body_is_looked_at_without_complaint(data: dict[str, Any]) -> None:
    assert recognise(b"nobody/1", {}, data) in {UNKNOWN, *HARNESSES}
    assert recognise(b"nobody/1", {}, data) == in_body(data) or UNKNOWN, "the members that are looked for first are those that tell"


@EVERY
def test_a_harness_is_known_by_its_own_names(harness: Harness) -> None:
    assert harness.user_agents
    for prefix in harness.user_agents:
        assert prefix == prefix.lower()
        assert harness_of(f"{prefix.upper()}/9.9".encode()) == harness.name
    for name in (*harness.headers, *harness.session_headers, *harness.agent_headers):
        assert name == name.lower()


def test_nothing_is_claimed_twice() -> None:
    headers = [name for harness in HARNESSES.values() for name in harness.headers]
    words = [harness.recipe.word for harness in HARNESSES.values() if harness.recipe is not None]
    assert len(set(headers)) == len(headers)
    assert len(set(words)) == len(words)


def test_the_classifiers_agents_are_harnesses() -> None:
    assert set(HARNESSES) >= AGENTS


@EVERY
def test_a_recipe_says_where_donut_is(harness: Harness) -> None:
    recipe = harness.recipe
    if recipe is None:
        return
    link = Link("http://box:9999", "the-key", "some-model", "little-model")
    said = [*recipe.variables(link), *(setting for file in recipe.files(link) for setting in file.settings)]
    text = repr(said) + (recipe.snippet(link) if recipe.snippet is not None else "") + repr(recipe.start(link) if recipe.start else "")
    assert "http://box:9999" in text
    assert "the-key" in text
    assert "some-model" in text
    assert "the-key" not in repr(recipe.start(link).arguments if recipe.start else ()), "everyone on the machine sees a program's arguments"


@EVERY
def test_its_patience_is_in_words_that_are_known(harness: Harness) -> None:
    assert harness.temper.patience <= {"comment", "event"}


def traced() -> list[Any]:
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}", marks=pytest.mark.traces) for path in sorted(TRACES.glob("*/*.json"))]


@pytest.mark.parametrize("path", traced())
def test_the_real_ones_are_recognised(path: Path) -> None:
    """Also without their User-Agent, where they leave another mark."""
    trace = json.loads(path.read_bytes())
    headers = {name.lower().encode(): value.encode() for name, value in trace["headers"]}
    user_agent = headers.pop(b"user-agent", None)
    if user_agent is None or user_agent.startswith(b"Bun/"):
        pytest.skip("a probe that says nothing of itself")
    expected = BY_FOLDER[path.parent.name]
    data = trace["body"] if isinstance(trace["body"], dict) else {}
    assert recognise(user_agent, headers, data) == expected
    assert recognise(b"gateway/1", headers, data) in {expected, UNKNOWN}
    if expected in {"codex", "opencode"} or (expected == "claude-code" and data):
        assert recognise(b"gateway/1", headers, data) == expected
