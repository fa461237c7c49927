"""OpenCode (1.18.33). https://opencode.ai/docs/config/"""

from __future__ import annotations

import json

from proxy.harnesses import ONLY_BYTES, Harness, Temper
from proxy.harnesses._recipe import ConfigFile, Format, Link, Recipe, Setting, Start, Value

PROVIDER = "donut"


def provider(link: Link) -> dict[str, Value]:
    names = dict.fromkeys((link.model, link.small_model))
    limit: Value = {"context": link.window, "output": link.output}
    return {
        "npm": "@ai-sdk/openai-compatible",
        "name": "donut",
        "options": {"baseURL": link.v1, "apiKey": link.any_key},
        "models": {name: {"name": f"{name} (donut)", "tool_call": True, "limit": limit} for name in names},
    }


def settings(link: Link) -> tuple[Setting, ...]:
    why_key = "" if link.key else "any key will do: donut asks for none"
    return (
        Setting(("provider", PROVIDER), provider(link), why_key),
        Setting(("model",), f"{PROVIDER}/{link.model}", "auto: donut chooses for every request"),
        Setting(("small_model",), f"{PROVIDER}/{link.small_model}", "for titles"),
    )


def files(link: Link) -> tuple[ConfigFile, ...]:
    return (ConfigFile(".config/opencode", "opencode.json", Format.JSON, settings(link), more_names=("opencode.jsonc", "config.json")),)


def start(link: Link) -> Start:
    content = {setting.path[0]: setting.value for setting in settings(link)} | {"provider": {PROVIDER: provider(link)}}
    return Start({"OPENCODE_CONFIG_CONTENT": json.dumps(content)})


HARNESS = Harness(
    name="opencode",
    title="OpenCode",
    user_agents=("opencode",),
    headers=(b"x-session-affinity",),
    session_headers=(b"x-session-affinity", b"x-session-id"),
    agent_headers=(b"x-parent-session-id",),
    temper=Temper(heeds_retry_after=True, header_limit_s=300, silence_limit_s=300, patience=ONLY_BYTES),
    recipe=Recipe(word="opencode", program="opencode", files=files, start=start),
)
