"""The address rule, which `donut serve --host` shares with the file. The rest is tested through `parse`, in test_config_source."""

from __future__ import annotations

import pytest

from config.references import bind_problem, key_problem
from providers.loopback import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_needs_no_key(host: str) -> None:
    assert is_loopback(host)
    assert bind_problem(host, []) is None
    assert key_problem(host, "x") is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "", "localhost.example.org"])
def test_anything_else_needs_one(host: str) -> None:
    assert not is_loopback(host)
    problem = bind_problem(host, [])
    assert problem is not None
    assert problem.startswith("refused: ")
    assert "set server.api_keys or bind 127.0.0.1" in problem
    assert bind_problem(host, ["a-good-long-key"]) is None


@pytest.mark.parametrize("key", ["k1tten", "sk-test-123456", "your-api-key-1", "CHANGEME-please", "your_api_key_here"])
def test_weak_keys_are_refused_without_being_repeated(key: str) -> None:
    problem = key_problem("0.0.0.0", key)
    assert problem is not None
    assert key not in problem


def test_a_good_key_is_taken() -> None:
    assert key_problem("0.0.0.0", "dn-9f86d081884c7d65") is None
