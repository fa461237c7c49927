"""The `adapters` section: what is wrong is said with its line, and no secret is repeated."""

from __future__ import annotations

import pytest

from config.problems import ConfigError
from tests.serving import load_text


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_text(f"adapters:\n{text}\n")
    return str(caught.value)


def test_everything_may_be_said() -> None:
    adapters = load_text("""
adapters:
  cliproxy:
    - {provider: cpa, url: 'http://127.0.0.1:8317/', management_key: hush, interval_seconds: 30}
  helios: {folder: ~/results, models: {codex: gpt-5.6, 'codex:fast': gpt-5.6-mini}}
  thegent: {}
  agentapi:
    - {id: left, url: 'http://127.0.0.1:3284'}
  tokenledger: {events: ~/events.jsonl, snapshot: ~/.cliproxyapi/metrics_snapshot.json}
  routellm: {url: 'http://127.0.0.1:8788/route', timeout_seconds: 1}
""").settings.adapters
    assert adapters.cliproxy[0].url == "http://127.0.0.1:8317"
    assert adapters.thegent is not None
    assert adapters.thegent.folder == "~/.thegent"
    assert "hush" not in repr(adapters)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  cliproxi: []", "did you mean `cliproxy`"),
        ("  cliproxy: [{provider: a, url: 'ftp://x', management_key: hush}]", "must be a URL"),
        ("  cliproxy: [{provider: a, url: 'http://me:hush@x', management_key: hush}]", "must not carry credentials"),
        ("  cliproxy: [{provider: a, url: 'http://x', management_key: 'hush hush'}]", "no HTTP header can carry"),
        ("  cliproxy: [{provider: a, url: 'http://x'}]", "management_key"),
        ("  cliproxy: [{provider: a, url: 'http://x', management_key: hush, interval_seconds: 1}]", "at least 5"),
        ("  agentapi: [{id: a, url: 'http://x'}, {id: a, url: 'http://y'}]", "the same name"),
        ("  agentapi: [{id: '../a', url: 'http://x'}]", "must match"),
        ("  tokenledger: {snapshot: metrics.txt}", "must end in .json"),
        ("  tokenledger: {event: a.jsonl}", "did you mean `events`"),
        ("  helios: {models: {}}", "folder"),
        ("  helios: {folder: ' '}", "must be a path"),
        ("  routellm: {url: 'http://x/route?a=1'}", "must not have a query"),
        ("  routellm: {url: 'http://x/route', timeout_seconds: 60}", "at most 30"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, words: str) -> None:
    said = refusal(text)
    assert words in said
    assert "donut.yaml:2" in said
    assert "hush" not in said


def test_what_is_not_there_yet_is_a_warning() -> None:
    loaded = load_text("""
providers: [{id: cpa, kind: openai, base_url: 'http://127.0.0.1:1/v1', api_key: a-secret-key, models: [{upstream: m}]}]
adapters:
  cliproxy:
    - {provider: cpb, url: 'http://x', management_key: hush}
    - {provider: cpa, url: 'http://x', management_key: hush}
  helios: {folder: /nowhere/at/all}
  thegent: {}
""")
    said = [str(warning) for warning in loaded.warnings if "adapters" in str(warning)]
    assert len(said) == 2
    assert "there is no provider `cpb`" in said[0]
    assert "did you mean `cpa`" in said[0]
    assert "there is no such folder yet" in said[1]
    assert not any("hush" in warning for warning in said)
