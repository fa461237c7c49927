"""Policies that were posted while the server runs: on top of the configured ones, and gone with the process.

They are judged by the same rules as the file's, through the same door: the posted object is written as a config and read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import yaml

from config.problems import ConfigError, Problem
from config.routing_settings import PolicySettings
from config.settings import Settings
from config.source import parse
from providers.ports import ProviderKind

POLICIES_MOST = 100
"""More than anybody names; a client must not fill the memory with them."""


class PolicyOverrides:
    def __init__(self, kinds: Mapping[str, ProviderKind]) -> None:
        self._kinds = kinds
        self._posted: dict[str, PolicySettings] = {}

    def put(self, posted: Mapping[str, Any], known_models: Collection[str]) -> str:
        """Take over a policy; what has to stand in the config file for it to last. Raises ValueError with everything that is wrong.

        Only the given fields count, over a policy of that name if there is one, as in the file.
        """
        text = yaml.safe_dump({"policies": [dict(posted)]}, sort_keys=False, allow_unicode=True, width=120)
        try:
            # Without an environment: `${OPENAI_API_KEY}` in a posted name must not be filled in and shown.
            settings = parse(text, "policy", {}, self._kinds, known_models).settings
        except ConfigError as error:
            raise ValueError("; ".join(map(_in_words, error.problems))) from error
        (policy,) = settings.policies
        if policy.name not in self._posted and len(self._posted) >= POLICIES_MOST:
            raise ValueError(f"{POLICIES_MOST} policies were posted already: write them into the config file")
        self._posted[policy.name] = policy
        return text

    def over(self, settings: Settings) -> Settings:
        """`settings` with the posted policies in force."""
        if not self._posted:
            return settings
        kept = tuple(policy for policy in settings.policies if policy.name not in self._posted)
        configured = {policy.name: policy for policy in settings.policies}
        posted = tuple(_merged(configured.get(name), policy) for name, policy in self._posted.items())
        return settings.model_copy(update={"policies": (*kept, *posted)})

    def names(self) -> frozenset[str]:
        return frozenset(self._posted)


def _merged(base: PolicySettings | None, posted: PolicySettings) -> PolicySettings:
    if base is None:
        return posted
    given = {name: getattr(posted, name) for name in posted.model_fields_set}
    return base.model_copy(update=given)


def _in_words(problem: Problem) -> str:
    """Without file and line: whoever posts an object has none."""
    key = problem.key.removeprefix("policies[0]").lstrip(".")
    return f"{key}: {problem.message}" + (f" ({problem.suggestion})" if problem.suggestion else "")
