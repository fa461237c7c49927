"""OpenAI's SDKs, and what is written with them. https://github.com/openai/openai-python"""

from __future__ import annotations

from proxy.harnesses import ONLY_BYTES, Harness, Temper
from proxy.harnesses._recipe import Link, Recipe, Setting, Start


def variables(link: Link) -> tuple[Setting, ...]:
    return (
        Setting(("OPENAI_BASE_URL",), link.v1, "read by OpenAI(), with no argument"),
        Setting(("OPENAI_API_KEY",), link.any_key, "" if link.key else "donut asks for none, the SDK does"),
    )


def snippet(link: Link) -> str:
    return f"""\
from openai import OpenAI

client = OpenAI(base_url="{link.v1}", api_key="{link.any_key}")
answer = client.chat.completions.create(model="{link.model}", messages=[{{"role": "user", "content": "Hello"}}])
"""


HARNESS = Harness(
    name="openai-sdk",
    title="the OpenAI SDK",
    user_agents=("openai/", "asyncopenai/"),
    # Two retries before a stream begins, none within one.
    temper=Temper(heeds_retry_after=True, heeds_should_retry=True, header_limit_s=600, silence_limit_s=600, patience=ONLY_BYTES),
    recipe=Recipe(
        word="openai",
        variables=variables,
        snippet=snippet,
        start=lambda link: Start({setting.path[0]: str(setting.value) for setting in variables(link)}),
        notes=("Aider, Cline, Continue, Zed and others that speak to OpenAI-compatible servers take the same base URL, key and model.",),
    ),
)
