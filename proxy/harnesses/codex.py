"""OpenAI's Codex CLI (0.169.0). https://developers.openai.com/codex/config"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from proxy.harnesses import ONLY_EVENTS, Harness, Temper
from proxy.harnesses._recipe import ConfigFile, Format, Link, Recipe, Setting, Start, Value

PROVIDER = "donut"
KEY_VARIABLE = "DONUT_KEY"


def is_in_body(data: Mapping[str, Any]) -> bool:
    """It says which installation it is; a gateway passes the body on as it is."""
    metadata = data.get("client_metadata")
    return isinstance(metadata, dict) and any(isinstance(key, str) and key.startswith("x-codex-") for key in metadata)


def provider(link: Link) -> dict[str, Value | None]:
    # Codex stops when the variable it is told to read is not set; without the member it sends no key.
    return {"name": "donut", "base_url": link.v1, "wire_api": "responses", "env_key": KEY_VARIABLE if link.key else None}


WHY = {
    "wire_api": "the only one that Codex still speaks",
    "env_key": f"the key is read from ${KEY_VARIABLE} and stands in no file",
}


def files(link: Link) -> tuple[ConfigFile, ...]:
    settings = [
        Setting(("model",), link.model, "auto: donut chooses for every request"),
        Setting(("model_provider",), PROVIDER),
        Setting(("model_context_window",), link.window, "Codex compacts before it is full"),
        *(Setting(("model_providers", PROVIDER, name), value, WHY.get(name, "")) for name, value in provider(link).items()),
    ]
    return (ConfigFile(".codex", "config.toml", Format.TOML, tuple(settings), folder_variable="CODEX_HOME"),)


def variables(link: Link) -> tuple[Setting, ...]:
    return (Setting((KEY_VARIABLE,), link.key),) if link.key else ()


def start(link: Link) -> Start:
    members: dict[str, Value] = {"model": link.model, "model_provider": PROVIDER, "model_context_window": link.window}
    members |= {f"model_providers.{PROVIDER}.{name}": value for name, value in provider(link).items() if value is not None}
    # The value is read as TOML, and a JSON text or number is TOML as well.
    arguments = [argument for name, value in members.items() for argument in ("-c", f"{name}={json.dumps(value)}")]
    return Start({KEY_VARIABLE: link.key} if link.key else {}, tuple(arguments))


HARNESS = Harness(
    name="codex",
    title="Codex",
    user_agents=("codex",),
    headers=(b"x-codex-turn-metadata", b"x-codex-window-id", b"x-codex-beta-features"),
    is_in_body=is_in_body,
    body_members=("client_metadata",),
    # A sub-agent shares the session's id and has a thread of its own; `session_id` was the name before 0.150.
    session_headers=(b"thread-id", b"session-id", b"session_id"),
    agent_headers=(b"x-openai-subagent",),
    temper=Temper(heeds_retry_after=True, needs_retry_after_on_429=True, header_limit_s=330, silence_limit_s=300, patience=ONLY_EVENTS),
    recipe=Recipe(
        word="codex",
        program="codex",
        files=files,
        variables=variables,
        start=start,
        notes=("OPENAI_BASE_URL does nothing here: Codex ignores it.",),
    ),
)
