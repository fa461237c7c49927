"""From a file to Settings: every mistake has a line, a key and a way out; secrets stay secret."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from config.problems import ConfigError
from config.settings import Settings
from config.source import Loaded, default_config_path, load, parse
from providers.errors import classify_openai
from providers.ports import ProviderKind

KINDS = {
    "openai": ProviderKind("openai", "OpenAI", classify_openai, base_url="https://api.openai.com/v1"),
    "ollama": ProviderKind("ollama", "Ollama", classify_openai, base_url="http://127.0.0.1:11434/v1", is_local=True),
    "azure": ProviderKind("azure", "Azure", classify_openai, base_url_env=("AZURE_OPENAI_ENDPOINT",)),
}
MODELS = ("qwen3-coder-30b", "claude-sonnet-5.5")

CONTRACT = """\
server:    {host: 127.0.0.1, port: 8317, api_keys: ["${DONUT_KEY}"]}
state:     {journal: "sqlite:///path/donut.db", shared: null}
discovery: {local: true, environment: true}
providers:
  - id: box
    kind: openai
    base_url: http://127.0.0.1:9001/v1
    api_key: ${BOX_KEY:-none}
    local: true
    dialects: [chat]
    models:
      - upstream: up-model
        model: qwen3-coder-30b
        price: {input: 0, output: 0}
    headroom:
      hour:  {tokens: 100000}
      month: {cost: 50}
models:
  - {id: my-small, tier: small, use_cases: [chat, code], context_window: 32000, capabilities: [tools, json]}
routing:
  objective: auto
  local_preference: preferred
  escalate: true
  rewrites: {"claude-*": auto}
budgets:
  - {scope: all, window: day, cost: 5.00, on_exceed: degrade}
"""
"""The example of DESIGN.md §5."""


def read(text: str, **environ: str) -> Loaded:
    return parse(text, "donut.yaml", environ, KINDS, MODELS, factors=("load", "latency"))


def problems(text: str, **environ: str) -> list[tuple[int, str, str]]:
    """(line, key, message with suggestion) of everything that is wrong with `text`."""
    with pytest.raises(ConfigError) as caught:
        read(text, **environ)
    assert all(problem.file == "donut.yaml" for problem in caught.value.problems)
    return [(problem.line, problem.key, f"{problem.message}; {problem.suggestion}") for problem in caught.value.problems]


def test_the_example_of_the_contract() -> None:
    settings = read(CONTRACT, DONUT_KEY="k-123").settings
    assert settings.server.api_keys[0].name == "key-1"
    assert settings.server.api_keys[0].key.get_secret_value() == "k-123"
    (provider,) = settings.providers
    assert provider.api_key
    assert provider.api_key.get_secret_value() == "none"
    assert provider.models[0].model == "qwen3-coder-30b"
    assert provider.headroom["hour"].tokens == 100_000
    assert settings.routing.rewrites == {"claude-*": "auto"}
    assert settings.models[0].context_window == 32_000


def test_the_example_of_the_readme() -> None:
    page = (Path(config.__file__).parent.parent / "README.md").read_text()
    examples = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "providers:" in block]
    assert examples
    for example in examples:
        assert read(example).settings.providers


def test_nothing_in_the_contract_is_worth_a_warning() -> None:
    assert read(CONTRACT, DONUT_KEY="k").warnings == ()


def test_an_empty_value_means_the_default() -> None:
    assert read("server:\nproviders:\nlog: {format: , level: ~}\nrouting: {rewrites: }\n").settings == Settings()


def test_null_stays_null_where_it_says_something() -> None:
    assert read("routing: {deadline_seconds: null}").settings.routing.deadline_seconds is None


def test_variables_become_what_the_key_wants() -> None:
    text = "server: {port: '${PORT}', drain_seconds: '${S:-1.5}'}\nrouting: {escalate: '${E}', default_tier: '${T}'}\n"
    settings = read(text, PORT="9000", E="off", T="small").settings
    assert (settings.server.port, settings.server.drain_seconds, settings.routing.escalate) == (9000, 1.5, False)
    assert settings.routing.default_tier == "small"


P = "providers:\n  - {id: a, kind: ollama}\n  - "


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("server:\n  prot: 1\n", 2, "server.prot", "unknown key `prot`; did you mean `port`? (allowed here: host, port,"),
        ("api-keys: [a]\n", 1, "api-keys", "did you mean `server.api_keys`?"),
        (
            "providers:\n - id: a\n   kind: openai\n   models:\n    - upstrem: x\n      upstream: x\n",
            5,
            "providers[0].models[0].upstrem",
            "did you mean `upstream`?",
        ),
        (
            "providers:\n - id: a\n   kind: openai\n   headroom: {hour: {token: 1}}\n",
            4,
            "providers[0].headroom.hour.token",
            "did you mean `tokens`?",
        ),
        ("server: {port: eighty}\n", 1, "server.port", "must be a whole number"),
        ("server: {port: 70000}\n", 1, "server.port", "must be at most 65535"),
        ("server: {port: '${PORT}'}\n", 1, "server.port", "must be a whole number"),
        ("server: [1]\n", 1, "server", "must be a mapping"),
        ("routing:\n  escalate: perhaps\n", 2, "routing.escalate", "must be true or false"),
        ("providers: {id: a}\n", 1, "providers", "must be a list"),
        ("providers:\n - kind: openai\n", 2, "providers[0].id", "is required"),
        ("providers:\n - id: a\n   kind:\n", 3, "providers[0].kind", "is empty, but required"),
        (P + "{id: a/b, kind: openai}", 3, "providers[1].id", "must begin with a letter or digit"),
        (P + "{id: donut, kind: openai}", 3, "providers[1].id", "reserved"),
        (
            P + "{id: b, kind: opnai}",
            3,
            "providers[1].kind",
            "`opnai` is not allowed; did you mean `openai`? (allowed: azure, ollama, openai)",
        ),
        (P + "{id: A, kind: openai}", 3, "providers[1].id", "duplicate id `A`: line 2 has it already"),
        (P + "{id: b, kind: azure}", 3, "providers[1].kind", "add `base_url: ${AZURE_OPENAI_ENDPOINT}`"),
        (
            P + "{id: b, kind: openai, models: [{upstream: x}, {upstream: x}]}",
            3,
            "providers[1].models[1].upstream",
            "duplicate upstream `x`: line 3",
        ),
        (P + "{id: b, kind: openai, base_url: 'ftp://h'}", 3, "providers[1].base_url", "must be a URL such as"),
        (P + "{id: b, kind: openai, base_url: 'http://u:pw@h'}", 3, "providers[1].base_url", "put the key into api_key"),
        (P + "{id: b, kind: openai, base_url: 'http://h/?q=1'}", 3, "providers[1].base_url", "must not have a query"),
        (P + "{id: b, kind: openai, base_url: 'http://h:99999'}", 3, "providers[1].base_url", "is not a valid URL"),
        (P + "{id: b, kind: openai, dialects: [chatt]}", 3, "providers[1].dialects[0]", "did you mean `chat`?"),
        (P + "{id: b, kind: openai, headroom: {hourly: {tokens: 1}}}", 3, "providers[1].headroom.hourly", "did you mean `hour`?"),
        (P + "{id: b, kind: openai, headroom: {hour: {}}}", 3, "providers[1].headroom.hour", "names no limit"),
        (P + "{id: b, kind: openai, timeouts: {connect: 0}}", 3, "providers[1].timeouts.connect", "must be greater than 0"),
        (P + "{id: b, kind: openai, ca_file: /no/such.pem}", 3, "providers[1].ca_file", "there is no such file"),
        (P + "{id: b, kind: openai, headers: {Host: x}}", 3, "providers[1].headers", "written by donut itself"),
        (P + "{id: b, kind: openai, proxy: 'socks5://h'}", 3, "providers[1].proxy", "must be a proxy URL"),
        ("models: [{id: m, tier: medium}]\n", 1, "models[0].tier", "(allowed: micro, small, mid, frontier)"),
        ("models: [{id: m}, {id: m}]\n", 1, "models[1].id", "duplicate id `m`"),
        ("models: [{id: m, context_window: .inf}]\n", 1, "models[0].context_window", "must be a whole number"),
        ("routing:\n  objective: qualty\n", 2, "routing.objective", "did you mean `quality`?"),
        ("routing:\n  rewrites:\n    a: auto\n    '*': claude-sonet-5.5\n", 4, "routing.rewrites.*", "did you mean `claude-sonnet-5.5`?"),
        ("routing:\n  rewrites: {a: zzzzzz}\n", 2, "routing.rewrites.a", "declare it under `models`"),
        ("routing: {weights: {laod: 1}}\n", 1, "routing.weights.laod", "did you mean `load`? (factors: latency, load)"),
        ("routing: {weights: {load: .nan}}\n", 1, "routing.weights.load", "must be a number"),
        ("budgets: [{window: day, cost: 1, scope: everyone}]\n", 1, "budgets[0].scope", "must be all, or one of"),
        ("budgets: [{window: fortnight, cost: 1}]\n", 1, "budgets[0].window", "(allowed: request, minute, hour,"),
        ("state: {journal: 'postgresql://u:pw@h'}\n", 1, "state.journal", "names no database"),
        ("state: {shared: 'memcached://:pw@h'}\n", 1, "state.shared", "must be redis://"),
        ("state: {journal: 'donut.db'}\n", 1, "state.journal", "must be sqlite:///"),
        ("state: {flush_ms: 501}\n", 1, "state.flush_ms", "must be at most 500"),
        ("server: {host: 0.0.0.0}\n", 1, "server.host", "refused: 0.0.0.0 can be reached"),
        ("server:\n  host: 0.0.0.0\n  api_keys: [changeme-now]\n", 3, "server.api_keys[0]", "looks like an example"),
        ("server:\n  host: 0.0.0.0\n  api_keys: [{name: a, key: k1}]\n", 3, "server.api_keys[0]", "shorter than 8"),
        ("server: {api_keys: ['']}\n", 1, "server.api_keys[0]", "the key is empty"),
        ("server: {api_keys: ['a b']}\n", 1, "server.api_keys[0]", "no HTTP header can carry"),
        ("server: {api_keys: [one, one]}\n", 1, "server.api_keys[1]", "the same key as server.api_keys[0]"),
        ("server: {api_keys: [one, {name: key-1, key: two}]}\n", 1, "server.api_keys[1]", "has this name already"),
        ("log: {format: xml}\n", 1, "log.format", "(allowed: auto, pretty, json)"),
        ("log: {level: {a: b}}\n", 1, "log.level", "`a mapping` is not allowed"),
    ],
)
def test_a_mistake_is_named_where_it_is(text: str, line: int, key: str, words: str) -> None:
    ((found_line, found_key, found_words),) = problems(text, PORT="http")
    assert (found_line, found_key) == (line, key)
    assert words in found_words


def test_all_mistakes_are_reported_in_the_order_of_the_file() -> None:
    text = (
        "server: {prot: 1, api_keys: ['${NONE}']}\nproviders:\n - {id: a, kind: x}\n - {id: a, kind: openai}\nrouting: {rewrites: {a: b}}\n"
    )
    found = [(line, key) for line, key, _ in problems(text)]
    assert found == [
        (1, "server.prot"),
        (1, "server.api_keys[0]"),
        (3, "providers[0].kind"),
        (4, "providers[1].id"),
        (5, "routing.rewrites.a"),
    ]


def test_an_undefined_variable_is_one_problem_and_not_two() -> None:
    ((line, key, words),) = problems("server:\n  host: 0.0.0.0\n  api_keys: ['${DONUT_KEY}']\n")
    assert (line, key) == (3, "server.api_keys[0]")
    assert "DONUT_KEY is not set" in words


def test_known_targets_of_rewrites() -> None:
    text = """
providers: [{id: box, kind: ollama, models: [{upstream: up, model: mine}, {upstream: bare}]}]
models: [{id: own}]
routing:
  rewrites: {a: auto, b: "auto:cost", c: donut/frontier, d: qwen3-coder-30b, e: own, f: mine, g: bare, h: box/up}
"""
    assert list(read(text).settings.routing.rewrites) == list("abcdefgh")


def test_warnings_for_what_may_be_a_slip() -> None:
    text = """
providers:
  - id: box
    kind: openai
    models:
      - {upstream: up, model: qwen3-codr-30b}
"""
    (slip,) = read(text).warnings
    assert (slip.line, slip.key, slip.suggestion) == (6, "providers[0].models[0].model", "did you mean `qwen3-coder-30b`?")


CANARY = "sk-canary-6f1d"


@pytest.mark.parametrize(
    "text",
    [
        "server: {host: 0.0.0.0, api_keys: ['${K} ']}",
        "server: {api_keys: ['${K}', '${K}']}",
        "server: {api_keys: [[sk-canary-6f1d]]}",
        "server: {api_keys: {sk-a: sk-canary-6f1d}}",
        "server: {api_keys: sk-canary-6f1d}",
        "server: {port: '${K}'}",
        "providers: [{id: '${K}', kind: '${K}'}, {id: '${K}', kind: openai}]",
        "providers: [{id: a, kind: openai, base_url: 'http://u:${K}@h'}]",
        "providers: [{id: a, kind: openai, api_key: '${K}é'}]",
        "providers: [{id: a, kind: openai, api_key: [sk-canary-6f1d]}]",
        "providers: [{id: a, kind: openai, models: [{upstream: '${K}'}, {upstream: '${K}'}]}]",
        "routing: {objective: '${K}', rewrites: {a: '${K}'}, default_tier: '${K}'}",
        "state: {journal: 'postgresql://u:${K}@h', shared: 'redis://${K}@h'}",
        "providers:\n  - api_key: sk-canary-6f1d: x\n",
        "server:\n  api_keys:\n  - sk-canary-6f1d\n\t- x\n",
        "server: {api_keys: [sk-canary-6f1d}",
    ],
)
def test_no_report_repeats_a_secret(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, K=CANARY)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr([p.as_dict() for p in caught.value.problems])
    assert "canary" not in shown


def test_settings_never_show_a_secret() -> None:
    text = """
server: {api_keys: ["${K}"]}
providers: [{id: a, kind: openai, api_key: "${K}", proxy: "http://u:${K}@h:1", headers: {x-key: "${K}"}}]
"""
    loaded = read(text, K=CANARY)
    assert "canary" not in repr(loaded) + str(loaded.settings) + repr(loaded.settings.providers[0])
    assert loaded.settings.providers[0].headers == {"x-key": CANARY}


def test_a_file_is_read_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "donut.yaml"
    path.write_bytes(b"\xef\xbb\xbfserver: {port: 1}\n")
    assert load(path, {}, KINDS, MODELS).settings.server.port == 1


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [(None, 0, "No such file"), (b"a: 1\nb: \xff\n", 2, "not UTF-8"), (b"# " + b"x" * 1024 * 1024, 0, "larger than")],
)
def test_a_file_that_can_not_be_read(tmp_path: Path, content: bytes | None, line: int, words: str) -> None:
    path = tmp_path / "donut.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load(path, {}, KINDS, MODELS)
    assert (caught.value.problems[0].file, caught.value.problems[0].line) == (str(path), line)


def test_a_path_that_is_no_path() -> None:
    with pytest.raises(ConfigError):
        load(Path("a\0b"), {}, KINDS, MODELS)


def test_the_default_path(tmp_path: Path) -> None:
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    user, xdg = home / ".config" / "donut" / "donut.yaml", tmp_path / "xdg" / "donut" / "donut.yaml"
    for path in (user, xdg, cwd / "donut.yaml"):
        path.parent.mkdir(parents=True)
    environ = {"HOME": str(home)}
    assert default_config_path(environ, cwd) is None
    user.touch()
    xdg.touch()
    assert default_config_path(environ, cwd) == user
    assert default_config_path({**environ, "XDG_CONFIG_HOME": str(tmp_path / "xdg")}, cwd) == xdg
    (cwd / "donut.yaml").touch()
    assert default_config_path(environ, cwd) == cwd / "donut.yaml"
    assert default_config_path({**environ, "DONUT_CONFIG": "other.yaml"}, cwd) == cwd / "other.yaml"


_KEYS = """
    server providers models routing budgets policies id kind headroom rewrites host api_keys hour name policy rules tiers key harness <<
"""
KEYS = st.sampled_from(_KEYS.split())
SCALARS = st.sampled_from(["", "~", "1", "-1", "1e999", "true", "openai", "0.0.0.0", "'${X}'", "'${X", "!!set", "auto", "'\\0'", '"\\0"'])


def as_yaml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_yaml(item)}" for key, item in value.items()) + "}"
    return "[" + ", ".join(map(as_yaml, value)) + "]" if isinstance(value, list) else str(value)


TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20)


@given(st.dictionaries(KEYS, TREES, max_size=4).map(as_yaml) | st.text())
def test_any_text_gives_settings_or_a_config_error(text: str) -> None:
    try:
        loaded = read(text, X="y")
    except ConfigError:
        return
    assert isinstance(loaded.settings, Settings)
