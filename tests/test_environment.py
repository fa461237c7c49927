"""Providers from the environment: found by variable, never printing a key, never leading back to donut."""

from __future__ import annotations

import pytest

import providers.kinds
from config.discovery import discover
from config.environment import EnvironmentProvider, providers_from_environment, unused_keys
from providers.ports import ProviderKind

KINDS = {kind.name: kind for kind in discover(providers.kinds, "KIND", ProviderKind).values()}
SECRET = "sk-canary-1234567890"


def found(environ: dict[str, str]) -> list[EnvironmentProvider]:
    return providers_from_environment(environ, KINDS)


@pytest.mark.parametrize(
    ("variable", "kind"),
    [
        ("OPENAI_API_KEY", "openai"),
        ("ANTHROPIC_API_KEY", "anthropic"),
        ("OPENROUTER_API_KEY", "openrouter"),
        ("GROQ_API_KEY", "groq"),
        ("MISTRAL_API_KEY", "mistral"),
        ("DEEPSEEK_API_KEY", "deepseek"),
        ("XAI_API_KEY", "xai"),
        ("TOGETHER_API_KEY", "together"),
        ("FIREWORKS_API_KEY", "fireworks"),
        ("CEREBRAS_API_KEY", "cerebras"),
    ],
)
def test_the_usual_variables(variable: str, kind: str) -> None:
    (provider,) = found({variable: SECRET})
    assert (provider.provider_id, provider.key_variable, provider.base_url) == (kind, variable, KINDS[kind].base_url)
    assert provider.is_vendor
    assert SECRET not in repr(provider)


@pytest.mark.parametrize("value", ["", " ", "two words", "sk-\r\nx-evil: 1", "sk-ä"])
def test_what_no_header_can_carry_is_no_key(value: str) -> None:
    assert found({"OPENAI_API_KEY": value}) == []


@pytest.mark.parametrize("variable", ["OLLAMA_API_KEY", "JAN_API_KEY", "LMSTUDIO_API_KEY", "VLLM_API_KEY"])
def test_keys_of_local_servers_are_no_accounts(variable: str) -> None:
    assert found({variable: SECRET}) == []
    assert unused_keys({variable: SECRET}, KINDS) == []


def test_an_address_in_the_environment_is_used() -> None:
    (provider,) = found({"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": "https://gateway.example.com/v1/"})
    assert (provider.base_url, provider.base_url_variable) == ("https://gateway.example.com/v1", "OPENAI_BASE_URL")
    assert not provider.is_vendor


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8317/v1", "http://localhost:8317", "http://[::1]:8317/v1", "http://0.0.0.0:8317/v1", "http://LOCALHOST:8317/v1/"],
)
def test_an_address_that_is_donut_is_ignored_and_reported(url: str) -> None:
    environ = {"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": url}
    (provider,) = found(environ)
    assert provider.base_url == "https://api.openai.com/v1"
    assert [unused.variable for unused in unused_keys(environ, KINDS)] == ["OPENAI_BASE_URL"]


def test_donut_on_another_port_is_recognised_by_that_port() -> None:
    environ = {"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": "http://127.0.0.1:9000/v1"}
    assert providers_from_environment(environ, KINDS, own_port=9000)[0].base_url == "https://api.openai.com/v1"
    assert providers_from_environment(environ, KINDS)[0].base_url == "http://127.0.0.1:9000/v1"


@pytest.mark.parametrize("url", ["", "not a url", "ftp://example.com", "http://[", "file:///etc/passwd"])
def test_what_is_no_address_is_ignored(url: str) -> None:
    (provider,) = found({"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": url})
    assert provider.base_url == "https://api.openai.com/v1"
    assert unused_keys({"OPENAI_BASE_URL": url}, KINDS) == []


def test_an_account_whose_owner_names_the_models_needs_config() -> None:
    environ = {"AZURE_OPENAI_API_KEY": SECRET, "AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com"}
    assert found(environ) == []
    (unused,) = unused_keys(environ, KINDS)
    assert unused.variable == "AZURE_OPENAI_API_KEY"
    assert "kind: azure" in unused.reason
    assert "${AZURE_OPENAI_ENDPOINT}" in unused.reason
    assert SECRET not in repr(unused)


@pytest.mark.parametrize("variable", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])
def test_a_google_key_is_enough_under_either_name(variable: str) -> None:
    (provider,) = found({variable: SECRET})
    assert (provider.provider_id, provider.key_variable, provider.is_vendor) == ("gemini", variable, True)
