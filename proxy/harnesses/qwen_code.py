"""Qwen Code (0.24.4). https://github.com/QwenLM/qwen-code"""

from __future__ import annotations

from proxy.harnesses import ONLY_EVENTS, Harness, Temper
from proxy.harnesses._recipe import ConfigFile, Format, Link, Recipe, Setting, Start


def variables(link: Link) -> tuple[Setting, ...]:
    return (
        Setting(("OPENAI_BASE_URL",), link.v1),
        Setting(("OPENAI_API_KEY",), link.any_key, "" if link.key else "donut asks for none, Qwen Code does"),
        Setting(("OPENAI_MODEL",), link.model, "auto: donut chooses for every request"),
    )


def files(link: Link) -> tuple[ConfigFile, ...]:
    settings = (
        Setting(("security", "auth", "selectedType"), "openai", "an OpenAI-compatible server, not Qwen's login"),
        Setting(("model", "name"), link.model),
    )
    return (
        ConfigFile(".qwen", "settings.json", Format.JSON, settings),
        ConfigFile(".qwen", ".env", Format.ENV, variables(link)),
    )


HARNESS = Harness(
    name="qwen-code",
    title="Qwen Code",
    user_agents=("qwencode",),
    temper=Temper(heeds_retry_after=True, header_limit_s=120, silence_limit_s=240, patience=ONLY_EVENTS),
    recipe=Recipe(
        word="qwen",
        program="qwen",
        files=files,
        start=lambda link: Start({setting.path[0]: str(setting.value) for setting in variables(link)}, ("--auth-type", "openai")),
    ),
)
