"""Anthropic's SDKs, and what is written with them. https://github.com/anthropics/anthropic-sdk-python"""

from __future__ import annotations

from proxy.harnesses import ONLY_BYTES, Harness, Temper
from proxy.harnesses._recipe import Link, Recipe, Setting, Start


def variables(link: Link) -> tuple[Setting, ...]:
    return (
        Setting(("ANTHROPIC_BASE_URL",), link.url, "without /v1: the SDK adds it"),
        Setting(("ANTHROPIC_API_KEY",), link.any_key, "" if link.key else "donut asks for none, the SDK does"),
    )


def snippet(link: Link) -> str:
    return f"""\
from anthropic import Anthropic

client = Anthropic(base_url="{link.url}", api_key="{link.any_key}")
answer = client.messages.create(model="{link.model}", max_tokens=1024, messages=[{{"role": "user", "content": "Hello"}}])
"""


HARNESS = Harness(
    name="anthropic-sdk",
    title="the Anthropic SDK",
    user_agents=("anthropic/", "asyncanthropic/"),
    temper=Temper(heeds_retry_after=True, heeds_should_retry=True, header_limit_s=600, silence_limit_s=600, patience=ONLY_BYTES),
    recipe=Recipe(
        word="anthropic",
        variables=variables,
        snippet=snippet,
        start=lambda link: Start({setting.path[0]: str(setting.value) for setting in variables(link)}),
        clears=("ANTHROPIC_AUTH_TOKEN",),
    ),
)
