"""Proxies from the environment: which variable counts for whom, and who goes straight."""

from __future__ import annotations

import os

import pytest

from providers.loopback import is_this_machine
from providers.transport.environ import EnvironmentProxies
from providers.transport.port import Origin


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("environment", "origin", "proxy"),
    [
        ({}, Origin("https", "api.test", 443), None),
        ({"HTTPS_PROXY": "http://p:1"}, Origin("https", "api.test", 443), "http://p:1"),
        ({"https_proxy": "p:1"}, Origin("https", "api.test", 443), "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, Origin("https", "api.test", 443), None),
        ({"ALL_PROXY": "http://p:1"}, Origin("https", "api.test", 443), "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:1"}, Origin("https", "api.test", 443), "http://q:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, Origin("https", "api.test", 443), None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "other, .test"}, Origin("https", "api.test", 443), None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "api.test:8443"}, Origin("https", "api.test", 443), "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "api.test:8443"}, Origin("https", "api.test", 8443), None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "pi.test"}, Origin("https", "api.test", 443), "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, Origin("http", "localhost", 11434), None),
        ({"ALL_PROXY": "http://p:1"}, Origin("http", "127.0.0.2", 11434), None),
        ({"ALL_PROXY": "http://p:1"}, Origin("http", "::1", 11434), None),
    ],
)
def test_proxy_for(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], origin: Origin, proxy: str | None) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert EnvironmentProxies().proxy_for(origin) == proxy


def test_this_machine() -> None:
    assert all(
        is_this_machine(host) for host in ("localhost", "LOCALHOST.", "a.localhost", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0")
    )
    assert not any(is_this_machine(host) for host in ("localhost.test", "10.0.0.1", "192.168.1.5", "host.docker.internal", "::2"))
