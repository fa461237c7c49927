"""What concerns several values at once: duplicates, names that must exist elsewhere, an address that must not stand open.

The checks read the raw document, not the settings, so that they speak even when a value elsewhere in the file is wrong.
Rule: nothing here repeats a client key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from config.document import Document
from config.problems import Path, Problem, did_you_mean
from config.settings import ServerSettings
from providers.loopback import is_loopback
from providers.ports import ProviderKind
from routing.resolve import NAMES_THAT_STEER, PREFIX

EXAMPLE_KEYS = ("sk-test", "sk-1234", "sk-donut", "your-api-key", "your_api_key", "changeme", "change-me", "password", "example", "dummy")
"""Beginnings of keys that stand in somebody's documentation: whoever scans the network tries them first."""
SHORTEST_KEY = 8


def bind_problem(host: str, keys: Collection[str]) -> str | None:
    """Why a server on `host` without any of `keys` must not start, or None. `donut serve --host` asks it too."""
    if keys or is_loopback(host):
        return None
    return f"refused: {host or 'an empty host'} can be reached from other machines; set server.api_keys or bind 127.0.0.1"


def key_problem(host: str, key: str) -> str | None:
    """Why `key` is too weak for a server on `host`, in words that do not repeat it, or None."""
    if is_loopback(host):
        return None
    if len(key) < SHORTEST_KEY:
        return f"refused: a key shorter than {SHORTEST_KEY} characters protects nothing on {host}"
    if key.lower().startswith(EXAMPLE_KEYS):
        return f"refused: this looks like an example from documentation, which protects nothing on {host}"
    return None


def check_references(
    document: Document, kinds: Mapping[str, ProviderKind], known_models: Collection[str], factors: Collection[str] | None
) -> tuple[list[Problem], list[Problem]]:
    """(problems, warnings) of a whole document."""
    problems = [
        *_server(document),
        *_duplicates(document),
        *_providers(document, kinds),
        *_rewrites(document, known_models),
        *_weights(document, factors),
    ]
    return problems, [*_unspoken(document, kinds), *_unknown_models(document, known_models)]


def unenforced(document: Document) -> Iterator[Problem]:
    """A warning for each key that this version reads but does not act on: silence would be taken for protection."""
    for index, _ in _items(document.data, "budgets"):
        yield document.problem(("budgets", index), "not enforced in this version of donut: nothing is degraded or refused")
    for index, provider in _items(document.data, "providers"):
        for window in _mapping(provider, "headroom"):
            path = ("providers", index, "headroom", window)
            yield document.problem(path, "not enforced in this version of donut: this ceiling stops nothing")
    if _mapping(document.data, "routing").get("objective", "auto") != "auto":
        yield document.problem(("routing", "objective"), "has no effect in this version of donut: replicas are ranked by the weights alone")


def _server(document: Document) -> Iterator[Problem]:
    server = _mapping(document.data, "server")
    host = _text(server, "host") or ServerSettings().host
    secrets = _client_keys(server)
    unknown = any(hole[:1] == ("server",) for hole in document.unresolved)
    refusal = None if unknown else bind_problem(host, [secret for _, secret, _ in secrets])
    if refusal:
        yield document.problem(("server", "host"), refusal)
    first_of: dict[str, int] = {}
    names: dict[str, int] = {}
    for index, secret, name in secrets:
        path = ("server", "api_keys", index)
        weakness = None if unknown else key_problem(host, secret)
        if weakness:
            yield document.problem(path, weakness)
        if first_of.setdefault(secret, index) != index:
            yield document.problem(path, f"the same key as server.api_keys[{first_of[secret]}]")
        if names.setdefault(name, index) != index:
            yield document.problem(path, f"server.api_keys[{names[name]}] has this name already")


def _client_keys(server: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    """(index, key, name) of each client key that has text."""
    found = []
    for index, item in enumerate(_list(server, "api_keys")):
        secret, name = (item.get("key"), item.get("name")) if isinstance(item, dict) else (item, f"key-{index + 1}")
        if isinstance(secret, str) and isinstance(name, str) and secret:
            found.append((index, secret, name))
    return found


def _duplicates(document: Document) -> Iterator[Problem]:
    # Ids that differ only in case are the same to the people who read them; an upstream's own names are not ours to judge.
    yield from _repeated(document, ("providers",), "id", str.lower)
    yield from _repeated(document, ("models",), "id", str.lower)
    for index, _ in _items(document.data, "providers"):
        yield from _repeated(document, ("providers", index, "models"), "upstream", str)


def _repeated(document: Document, section: Path, key: str, same: Callable[[str], str]) -> Iterator[Problem]:
    """The items of the list at `section` whose `key` an earlier one has already; `same` maps equal values to one."""
    holder: Any = document.data
    for part in section[:-1]:
        holder = holder[part]
    first_of: dict[str, Path] = {}
    for index, item in _items(holder, str(section[-1])):
        value = _text(item, key)
        path = (*section, index, key)
        first = first_of.setdefault(same(value), path)
        if value and first != path:
            message = f"duplicate {key} `{_shown(document, path, value)}`: line {document.place(first)[0]} has it already"
            yield document.problem(path, message, "remove or rename one of the two")


def _providers(document: Document, kinds: Mapping[str, ProviderKind]) -> Iterator[Problem]:
    for index, provider in _items(document.data, "providers"):
        kind = kinds.get(_text(provider, "kind"))
        path: Path = ("providers", index)
        if kind and kind.base_url is None and not _text(provider, "base_url") and (*path, "base_url") not in document.unresolved:
            where = f"${{{kind.base_url_env[0]}}}" if kind.base_url_env else "http://…"
            yield document.problem((*path, "kind"), f"{kind.title} has no usual address", f"add `base_url: {where}`")
        ca_file = _text(provider, "ca_file")
        if ca_file and not FilePath(ca_file).is_file():
            yield document.problem((*path, "ca_file"), "there is no such file")


def _rewrites(document: Document, known_models: Collection[str]) -> Iterator[Problem]:
    known = {*NAMES_THAT_STEER, *known_models, *_declared(document)}
    path: Path = ("routing", "rewrites")
    for pattern, target in _mapping(_mapping(document.data, "routing"), "rewrites").items():
        if not isinstance(target, str) or target.removeprefix(PREFIX) in known:
            continue
        here = (*path, pattern)
        hint = did_you_mean(target, known) or "declare it under `models` if discovery will find it"
        message = f"`{_shown(document, here, target)}` is neither auto, a tier, a model nor a replica"
        yield document.problem(here, message, hint)


def _declared(document: Document) -> Iterator[str]:
    """Every name that this file gives to a model or a replica."""
    for _, model in _items(document.data, "models"):
        yield _text(model, "id")
    for _, provider in _items(document.data, "providers"):
        for _, model in _items(provider, "models"):
            upstream = _text(model, "upstream")
            yield _text(model, "model") or upstream
            yield f"{_text(provider, 'id')}/{upstream}"


def _weights(document: Document, factors: Collection[str] | None) -> Iterator[Problem]:
    for name in _mapping(_mapping(document.data, "routing"), "weights"):
        if factors is not None and name not in factors:
            hint = f"{did_you_mean(name, factors)} (factors: {', '.join(sorted(factors))})".strip()
            yield document.problem(("routing", "weights", name), f"there is no factor `{name}`", hint)


def _unspoken(document: Document, kinds: Mapping[str, ProviderKind]) -> Iterator[Problem]:
    for index, provider in _items(document.data, "providers"):
        kind = kinds.get(_text(provider, "kind"))
        for number, dialect in enumerate(_list(provider, "dialects")):
            if kind and isinstance(dialect, str) and dialect not in kind.paths:
                path = ("providers", index, "dialects", number)
                yield document.problem(path, f"this version of donut does not speak it with {kind.title}; it is left out")


def _unknown_models(document: Document, known_models: Collection[str]) -> Iterator[Problem]:
    """A logical model that nobody else mentions may be new or misspelt. Only the person who wrote it can tell."""
    known = {*known_models, *(_text(model, "id") for _, model in _items(document.data, "models"))}
    for index, provider in _items(document.data, "providers"):
        for number, model in _items(provider, "models"):
            name = _text(model, "model")
            if name and name not in known:
                path = ("providers", index, "models", number, "model")
                message = f"`{_shown(document, path, name)}` is not in the catalog: its tier is routing.default_tier"
                yield document.problem(path, message, did_you_mean(name, known) or "add it under `models` to say more about it")


def _shown(document: Document, path: Path, value: str) -> str:
    """`value` as the file has it: what a variable brought in stays hidden behind the variable's name."""
    return document.written.get(path, value)


def _items(data: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(index, item) of those items of a list that are mappings."""
    return ((index, item) for index, item in enumerate(_list(data, key)) if isinstance(item, dict))


def _list(data: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else ()


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""
