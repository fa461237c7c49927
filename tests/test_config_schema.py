"""The JSON Schema accepts what donut accepts, and knows every key."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from config.schema import json_schema
from tests.test_config_source import CONTRACT


def errors(text: str, *kinds: str) -> list[str]:
    return [error.json_path for error in Draft202012Validator(json_schema(kinds)).iter_errors(yaml.safe_load(text))]


def test_it_is_a_valid_schema() -> None:
    schema = json_schema(["openai"])
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "donut configuration"


def test_the_example_of_the_contract() -> None:
    assert errors(CONTRACT, "openai") == []


@pytest.mark.parametrize(
    "text",
    [
        "server: {port: '${PORT:-1}', api_keys: [{name: a, key: b}, c]}",
        "routing: {escalate: '${E}', objective: '${O}', deadline_seconds: null, deadline_seconds: '${D}', weights: {load: '${W}'}}",
        "routing: {profile: '${P}', rules: [{policy: code, role: '${R}'}], retry: {budget: {share: '${S}'}}, quality_floor: {mid: 0.5}}",
        "policies: [{name: mine, models: [mid], tiers: {code: mid}, max_cost: '${C}', temperature: 0.5, objective: quality}]",
        "server: {api_keys: [{name: a, key: b, policy: code}]}",
        "providers: [{id: a, kind: '${K}', timeouts: {idle: null}, models: [{upstream: x, context_window: '${C}'}]}]",
    ],
)
def test_variables_may_stand_for_numbers_and_words(text: str) -> None:
    assert errors(text, "openai") == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("server: {prot: 1}", "$.server"),
        ("server: {port: x}", "$.server.port"),
        ("providers: [{id: a, kind: opnai}]", "$.providers[0].kind"),
        ("providers: [{id: a}]", "$.providers[0]"),
        ("providers: [{id: a, kind: openai, headroom: {hourly: {tokens: 1}}}]", "$.providers[0].headroom"),
        ("routing: {objective: fast}", "$.routing.objective"),
        ("routing: {quality_floor: {middle: 0.5}}", "$.routing.quality_floor"),
        ("routing: {rules: [{role: main}]}", "$.routing.rules[0]"),
        ("policies: [{name: mine, tiers: {code: middle}}]", "$.policies[0].tiers.code"),
        ("policies: [{name: 'a b'}]", "$.policies[0].name"),
    ],
)
def test_mistakes_are_seen(text: str, path: str) -> None:
    assert errors(text, "openai") == [path]


def test_every_key_is_described() -> None:
    """Either where it stands, or by the section it refers to."""
    schema = json_schema()
    sections: dict[str, dict[str, Any]] = schema["$defs"]

    def described(node: dict[str, Any]) -> bool:
        return "description" in node or "description" in sections.get(node.get("$ref", "").removeprefix("#/$defs/"), {})

    parts = [part for node in (schema, *sections.values()) for part in (node, *node.get("anyOf", ()))]
    properties = [item for part in parts for item in part.get("properties", {}).items()]
    assert len(properties) > 70
    assert [key for key, node in properties if not described(node)] == []
