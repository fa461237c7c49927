"""Google's Gemini CLI (0.61.0). https://github.com/google-gemini/gemini-cli/blob/main/docs/reference/configuration.md"""

from __future__ import annotations

import json

from proxy.harnesses import Harness, Temper
from proxy.harnesses._recipe import ConfigFile, Format, Link, Recipe, Setting, Start


def model(link: Link) -> str:
    """`auto` means something else to Gemini CLI: it then asks a model of its own choice which model to ask."""
    return f"donut/{link.model}" if link.model == "auto" else link.model


def variables(link: Link) -> tuple[Setting, ...]:
    return (
        Setting(("GOOGLE_GEMINI_BASE_URL",), link.url, "without /v1beta: Gemini CLI adds it"),
        Setting(("GEMINI_API_KEY",), link.any_key, "" if link.key else "donut asks for none, Gemini CLI does"),
    )


def files(link: Link) -> tuple[ConfigFile, ...]:
    settings = (
        Setting(("security", "auth", "selectedType"), "gemini-api-key", "a key, not Google's login"),
        Setting(("model", "name"), model(link), "donut/auto: donut chooses; a bare auto would be Gemini CLI's own"),
    )
    return (
        ConfigFile(".gemini", "settings.json", Format.JSON, settings),
        ConfigFile(".gemini", ".env", Format.ENV, variables(link)),
    )


def start(link: Link) -> Start:
    """Without a setting it takes a base URL for a sign of another kind of login, and refuses that one (0.61.0, run here); and the setting
    has no variable of its own."""
    wanted = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    names = {setting.path[0]: str(setting.value) for setting in variables(link)}
    return Start(names, ("-m", model(link)), {"GEMINI_CLI_HOME": (".gemini/settings.json", json.dumps(wanted))})


HARNESS = Harness(
    name="gemini-cli",
    title="Gemini CLI",
    user_agents=("geminicli",),
    # Comments break its reading of the stream, and its format has no event without content.
    temper=Temper(patience=frozenset()),
    recipe=Recipe(
        word="gemini",
        program="gemini",
        files=files,
        start=start,
        clears=("GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA"),
        notes=(
            "For Gemini CLI's own choices of model, donut's config needs `routing: {rewrites: {\"gemini-*\": auto}}`.",
            "With `--run` it has a home of its own, in donut's cache folder: your own settings and history stay out of it.",
        ),
    ),
)
