"""What concerns policies and several values at once: names of models, of other policies, of keys. Counterpart: `references.py`.

Rule: nothing here repeats a value that a variable brought in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase

from config.document import Document
from config.policies import shipped_policies
from config.problems import Path, Problem, did_you_mean
from config.reading import declared_names, items, listed, mapping, repeated, shown, text
from config.routing_settings import RuleSettings
from proxy.harness import HARNESSES as KNOWN_HARNESSES
from routing.classify.chores import CHORES
from routing.resolve import NAMES_THAT_STEER, PREFIX
from routing.types import CallRole, ModelTier, UseCase

TASK_TYPES = frozenset({*UseCase, *CallRole, *(chore.name for chore in CHORES), "warm_up", "autocomplete", "auxiliary"})
"""What a policy's `tiers` may tell apart; the last three are chores that are known by other means than words."""
HARNESSES = frozenset({"unknown", *KNOWN_HARNESSES})
_CONDITIONS = frozenset(RuleSettings.model_fields) - {"policy"}


def known_policies(document: Document) -> set[str]:
    """The names that keys, rules and rewrites may use: the shipped policies and this file's."""
    return {*shipped_policies(), *(text(policy, "name") for _, policy in items(document.data, "policies"))} - {""}


def policy_problems(document: Document, known_models: Collection[str]) -> Iterator[Problem]:
    yield from repeated(document, ("policies",), "name", str.lower)
    yield from _models(document, known_models)
    yield from _policy_names(document)


def policy_warnings(document: Document) -> Iterator[Problem]:
    yield from _task_types(document)
    yield from _harnesses(document)
    yield from _key_names(document)
    yield from _unreachable_rules(document)


def _models(document: Document, known_models: Collection[str]) -> Iterator[Problem]:
    # Among the models of the world there is one called auto; here, as in a request, the word means something else.
    known = ({*known_models, *declared_names(document)} - {"", *NAMES_THAT_STEER}) | {*ModelTier}
    for index, policy in items(document.data, "policies"):
        for number, name in enumerate(listed(policy, "models")):
            if isinstance(name, str) and name.removeprefix(PREFIX) not in known:
                path = ("policies", index, "models", number)
                hint = did_you_mean(name, known) or "declare it under `models` if discovery will find it"
                yield document.problem(path, f"`{shown(document, path, name)}` is neither a tier, a model nor a replica", hint)


def _policy_names(document: Document) -> Iterator[Problem]:
    """Every place that names a policy."""
    routing = mapping(document.data, "routing")
    server = mapping(document.data, "server")
    places: list[tuple[Path, str]] = [(("routing", "policy"), text(routing, "policy"))]
    places += [(("routing", "rules", index, "policy"), text(rule, "policy")) for index, rule in items(routing, "rules")]
    places += [(("server", "api_keys", index, "policy"), text(key, "policy")) for index, key in items(server, "api_keys")]
    known = known_policies(document)
    for path, name in places:
        if name and name not in known:
            hint = f"{did_you_mean(name, known)} (policies: {', '.join(sorted(known))})".strip()
            yield document.problem(path, f"there is no policy `{shown(document, path, name)}`", hint)


def _key_names(document: Document) -> Iterator[Problem]:
    keys = listed(mapping(document.data, "server"), "api_keys")
    names = {
        f"key-{number}" if isinstance(key, str) else text(key, "name") for number, key in enumerate(keys, 1) if isinstance(key, str | dict)
    }
    for index, rule in items(mapping(document.data, "routing"), "rules"):
        pattern = text(rule, "key")
        if pattern and not any(fnmatchcase(name, pattern) for name in names):
            path = ("routing", "rules", index, "key")
            hint = did_you_mean(pattern, names) or "give it a name there: `{name: …, key: …}`, or make one: donut keys add"
            yield document.problem(path, f"no key in server.api_keys is named `{shown(document, path, pattern)}`", hint)


def _task_types(document: Document) -> Iterator[Problem]:
    for index, policy in items(document.data, "policies"):
        for word in mapping(policy, "tiers"):
            if word not in TASK_TYPES:
                hint = f"{did_you_mean(word, TASK_TYPES)} (known: {', '.join(sorted(TASK_TYPES))})".strip()
                yield document.problem(("policies", index, "tiers", word), f"no request is of the type `{word}`", hint)


def _harnesses(document: Document) -> Iterator[Problem]:
    for index, rule in items(mapping(document.data, "routing"), "rules"):
        pattern = text(rule, "harness")
        if pattern and not any(fnmatchcase(name, pattern) for name in HARNESSES):
            path = ("routing", "rules", index, "harness")
            hint = f"{did_you_mean(pattern, HARNESSES)} (known: {', '.join(sorted(HARNESSES))})".strip()
            yield document.problem(path, f"donut knows no harness `{shown(document, path, pattern)}`", hint)


def _unreachable_rules(document: Document) -> Iterator[Problem]:
    rules = list(items(mapping(document.data, "routing"), "rules"))
    for place, (index, rule) in enumerate(rules[:-1]):
        if not any(rule.get(name) for name in _CONDITIONS):
            later = rules[place + 1][0]
            message = f"never reached: routing.rules[{index}] has no condition and matches everything"
            yield document.problem(("routing", "rules", later), message)
            return
