"""Defaults, paths, and the promise that a configuration can be passed around without showing a key."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from config.provider_settings import CapabilityName, ProviderSettings
from config.settings import ServerSettings, Settings
from config.state_settings import StateSettings, default_journal_url, sqlite_path
from routing.types import Capability, capability_names


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = Settings()
    assert (settings.server.host, settings.server.port, settings.server.api_keys) == ("127.0.0.1", 8317, ())
    assert (settings.server.body_limit_mb, settings.state.flush_ms, settings.state.retention_days) == (32, 200, 90)
    prelude = settings.routing.prelude
    assert (prelude.events, prelude.bytes, prelude.seconds) == (64, 256 * 1024, 20)
    assert settings.discovery.local
    assert settings.discovery.environment


def test_the_capabilities_are_those_of_the_core() -> None:
    assert get_args(CapabilityName) == capability_names(sum(Capability))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().server.port = 1


def test_client_keys_are_named() -> None:
    server = ServerSettings.model_validate({"api_keys": ["first-key", {"name": "ci", "key": "second"}, "third-key"]})
    assert [key.name for key in server.api_keys] == ["key-1", "ci", "key-3"]


def test_a_validation_error_does_not_show_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        ServerSettings.model_validate({"api_keys": ["sk canary"], "port": "canary", "canary-key": 1})
    assert "sk canary" not in str(caught.value)
    assert "input_value" not in str(caught.value)


def test_dumps_do_not_show_keys() -> None:
    settings = Settings.model_validate(
        {"server": {"api_keys": ["sk-canary"]}, "providers": [{"id": "a", "kind": "openai", "api_key": "sk-canary"}]}
    )
    assert "canary" not in settings.model_dump_json() + repr(settings) + str(settings)


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"DONUT_DATA": "/data", "HOME": "/h", "XDG_DATA_HOME": "/x"}, "/data/donut.db"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x"}, "/x/donut/donut.db"),
        ({"HOME": "/h", "XDG_DATA_HOME": "relative"}, "/h/.local/share/donut/donut.db"),
        ({"HOME": "/h"}, "/h/.local/share/donut/donut.db"),
    ],
)
def test_the_default_journal(environ: dict[str, str], path: str) -> None:
    url = default_journal_url(environ)
    assert url == f"sqlite:///{path}"
    assert sqlite_path(url) == Path(path)
    assert StateSettings(journal=url).journal == url


def test_sqlite_urls() -> None:
    assert sqlite_path("sqlite:////var/lib/donut.db") == Path("/var/lib/donut.db")
    assert sqlite_path("sqlite:///state/donut.db") == Path.cwd() / "state" / "donut.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://h/db", "", "donut.db"])
def test_journals_that_are_none(url: str) -> None:
    with pytest.raises(ValidationError, match="must be sqlite"):
        StateSettings(journal=url)


def provider(**values: object) -> ProviderSettings:
    return ProviderSettings.model_validate({"id": "a", "kind": "anything", **values})


def test_an_empty_provider_key_is_no_key() -> None:
    assert provider(api_key="").api_key is None


def test_a_base_url_loses_its_trailing_slash() -> None:
    assert provider(base_url="http://[::1]:9001/v1/").base_url == "http://[::1]:9001/v1"
    assert provider(base_url="").base_url is None


@pytest.mark.parametrize(
    "url", ["http://", "//h/v1", "h:80", "http://h\n/", "http://h/?", "http://h/#", "http://[::1", "http://h:x", "http://@h", "http://hé"]
)
def test_base_urls_that_are_none(url: str) -> None:
    with pytest.raises(ValidationError):
        provider(base_url=url)


@pytest.mark.parametrize("headers", [{"content-length": "1"}, {"a b": "1"}, {"a": "x\r\ny: 1"}, {"": "x"}, {"a:": "x"}])
def test_headers_that_would_break_a_request(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        provider(headers=headers)


@pytest.mark.parametrize(
    "values", [{"dialects": []}, {"proxy": "http://"}, {"proxy": "http://h:x"}, {"timeouts": {"connect": float("inf")}}]
)
def test_other_provider_values_that_can_not_work(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        provider(**values)
