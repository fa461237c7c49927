"""Anthropic's Claude Code (2.1.329). https://docs.anthropic.com/en/docs/claude-code/llm-gateway"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.harnesses import ONLY_BYTES, Harness, Temper
from proxy.harnesses._recipe import ConfigFile, Format, Link, Recipe, Setting, Start

BILLING_MARK = "x-anthropic-billing-header:"


def is_in_body(data: Mapping[str, Any]) -> bool:
    """The first line of its system prompt is for its maker's books."""
    system = data.get("system")
    first = system[0] if isinstance(system, list) and system else None
    text = first.get("text") if isinstance(first, dict) else None
    return isinstance(text, str) and text.startswith(BILLING_MARK)


def variables(link: Link) -> tuple[Setting, ...]:
    why_key = "" if link.key else "donut asks for none; without one Claude Code wants a login"
    return (
        Setting(("ANTHROPIC_BASE_URL",), link.url, "without /v1: Claude Code adds it"),
        Setting(("ANTHROPIC_AUTH_TOKEN",), link.any_key, why_key),
        Setting(("ANTHROPIC_MODEL",), link.model, "auto: donut chooses for every request"),
        Setting(("ANTHROPIC_DEFAULT_HAIKU_MODEL",), link.small_model, "for titles and other background chores"),
        Setting(("CLAUDE_CODE_MAX_CONTEXT_TOKENS",), str(link.window), "it compacts before this is full; for models that it does not know"),
        Setting(("CLAUDE_CODE_GATEWAY_HINT_HEADERS",), "1", "says what each call is for: the best hint that donut can get"),
        Setting(("CLAUDE_CODE_ATTRIBUTION_HEADER",), "0", "drops a line that differs from prompt to prompt, so that prompt caches work"),
        Setting(("CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY",), "1", "/model lists what donut serves"),
    )


def files(link: Link) -> tuple[ConfigFile, ...]:
    settings = tuple(Setting(("env", *setting.path), setting.value, setting.why) for setting in variables(link))
    return (ConfigFile(".claude", "settings.json", Format.JSON, settings, folder_variable="CLAUDE_CONFIG_DIR"),)


HARNESS = Harness(
    name="claude-code",
    title="Claude Code",
    user_agents=("claude-cli", "claude-code"),  # the second one asks for the list of models
    headers=(b"x-claude-code-session-id", b"x-claude-code-request-class"),
    is_in_body=is_in_body,
    body_members=("system",),
    session_headers=(b"x-claude-code-session-id",),
    agent_headers=(b"x-claude-code-agent-id",),
    reads_anthropic_lists=True,
    temper=Temper(heeds_retry_after=True, heeds_should_retry=True, header_limit_s=330, silence_limit_s=300, patience=ONLY_BYTES),
    recipe=Recipe(
        word="claude",
        program="claude",
        files=files,
        start=lambda link: Start({setting.path[0]: str(setting.value) for setting in variables(link)}),
        clears=(
            "ANTHROPIC_API_KEY",  # with both set it asks which one to use
            "ANTHROPIC_SMALL_FAST_MODEL",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_VERTEX",
        ),
        notes=("Variables under `env` of Claude Code's own settings.json win over those that `--run` sets.",),
    ),
)
