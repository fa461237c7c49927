"""What concerns several values at once: duplicates, names that must exist elsewhere, an address that must not stand open.

The checks read the raw document, not the settings, so that they speak even when a value elsewhere in the file is wrong.
Rule: nothing here repeats a client key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path as FilePath

from config.adapter_references import adapter_warnings
from config.document import Document
from config.embedding import embed_findings
from config.limit_references import limit_warnings
from config.policy_references import known_policies, policy_problems, policy_warnings
from config.problems import Path, Problem, did_you_mean
from config.reading import client_keys, declared_names, items, listed, mapping, repeated, shown, text
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
    why = f"refused: {host or 'an empty host'} can be reached from other machines"
    return f"{why}; set server.api_keys or bind 127.0.0.1 (`donut keys add` makes a key)"


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
    document: Document,
    kinds: Mapping[str, ProviderKind],
    known_models: Collection[str],
    factors: Collection[str] | None,
    made_keys: Collection[str] = (),
) -> tuple[list[Problem], list[Problem]]:
    """(problems, warnings) of a whole document. `made_keys`: names of client keys that are kept elsewhere."""
    embed_problems, embed_warnings = embed_findings(document)
    problems = [
        *_server(document, made_keys),
        *_duplicates(document),
        *_providers(document, kinds),
        *_rewrites(document, known_models),
        *_weights(document, factors),
        *policy_problems(document, known_models),
        *embed_problems,
    ]
    warnings = [
        *_unspoken(document, kinds),
        *_unknown_models(document, known_models),
        *policy_warnings(document),
        *limit_warnings(document, known_models),
        *adapter_warnings(document),
        *embed_warnings,
    ]
    return problems, warnings


def _server(document: Document, made_keys: Collection[str]) -> Iterator[Problem]:
    server = mapping(document.data, "server")
    host = text(server, "host") or ServerSettings().host
    secrets = client_keys(server)
    unknown = any(hole[:1] == ("server",) for hole in document.unresolved)
    refusal = None if unknown else bind_problem(host, [*made_keys, *(secret for _, secret, _ in secrets)])
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


def _duplicates(document: Document) -> Iterator[Problem]:
    # Ids that differ only in case are the same to the people who read them; an upstream's own names are not ours to judge.
    yield from repeated(document, ("providers",), "id", str.lower)
    yield from repeated(document, ("models",), "id", str.lower)
    for index, _ in items(document.data, "providers"):
        yield from repeated(document, ("providers", index, "models"), "upstream", str)


def _providers(document: Document, kinds: Mapping[str, ProviderKind]) -> Iterator[Problem]:
    for index, provider in items(document.data, "providers"):
        kind = kinds.get(text(provider, "kind"))
        path: Path = ("providers", index)
        if kind and kind.base_url is None and not text(provider, "base_url") and (*path, "base_url") not in document.unresolved:
            where = f"${{{kind.base_url_env[0]}}}" if kind.base_url_env else "http://…"
            yield document.problem((*path, "kind"), f"{kind.title} has no usual address", f"add `base_url: {where}`")
        ca_file = text(provider, "ca_file")
        if ca_file and not FilePath(ca_file).is_file():
            yield document.problem((*path, "ca_file"), "there is no such file")


def _rewrites(document: Document, known_models: Collection[str]) -> Iterator[Problem]:
    known = {*NAMES_THAT_STEER, *known_models, *declared_names(document)}
    known |= {form for name in known_policies(document) for form in (name, f"policy:{name}")}
    path: Path = ("routing", "rewrites")
    for pattern, target in mapping(mapping(document.data, "routing"), "rewrites").items():
        if not isinstance(target, str) or target.removeprefix(PREFIX) in known:
            continue
        here = (*path, pattern)
        hint = did_you_mean(target, known) or "declare it under `models` if discovery will find it"
        message = f"`{shown(document, here, target)}` is neither auto, a tier, a policy, a model nor a replica"
        yield document.problem(here, message, hint)


def _weights(document: Document, factors: Collection[str] | None) -> Iterator[Problem]:
    for name in mapping(mapping(document.data, "routing"), "weights"):
        if factors is not None and name not in factors:
            hint = f"{did_you_mean(name, factors)} (factors: {', '.join(sorted(factors))})".strip()
            yield document.problem(("routing", "weights", name), f"there is no factor `{name}`", hint)


def _unspoken(document: Document, kinds: Mapping[str, ProviderKind]) -> Iterator[Problem]:
    for index, provider in items(document.data, "providers"):
        kind = kinds.get(text(provider, "kind"))
        for number, dialect in enumerate(listed(provider, "dialects")):
            if kind and isinstance(dialect, str) and dialect not in kind.paths:
                path = ("providers", index, "dialects", number)
                yield document.problem(path, f"this version of donut does not speak it with {kind.title}; it is left out")


def _unknown_models(document: Document, known_models: Collection[str]) -> Iterator[Problem]:
    """A logical model that nobody else mentions may be new or misspelt. Only the person who wrote it can tell."""
    known = {*known_models, *(text(model, "id") for _, model in items(document.data, "models"))}
    for index, provider in items(document.data, "providers"):
        for number, model in items(provider, "models"):
            name = text(model, "model")
            if name and name not in known:
                path = ("providers", index, "models", number, "model")
                message = f"`{shown(document, path, name)}` is not in the catalog: its tier is guessed from its family and size"
                yield document.problem(path, message, did_you_mean(name, known) or "add it under `models` to say more about it")
