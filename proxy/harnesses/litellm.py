"""LiteLLM in front of donut, as SDK or as proxy. https://docs.litellm.ai/docs/providers/openai_compatible"""

from __future__ import annotations

from proxy.harnesses import ONLY_BYTES, Harness, Temper
from proxy.harnesses._recipe import Link, Recipe


def snippet(link: Link) -> str:
    return f"""\
model_list:
  - model_name: donut
    litellm_params:
      model: openai/{link.model}   # `openai/` = any server that speaks OpenAI's API
      api_base: {link.v1}
      api_key: {link.any_key}
"""


HARNESS = Harness(
    name="litellm",
    title="LiteLLM",
    user_agents=("litellm",),
    is_gateway=True,
    session_headers=(b"x-litellm-session-id", b"x-litellm-trace-id"),
    # It calls with OpenAI's SDK; nobody has measured it here.
    temper=Temper(heeds_retry_after=True, header_limit_s=600, silence_limit_s=600, patience=ONLY_BYTES),
    recipe=Recipe(word="litellm", snippet=snippet, notes=("These lines go into the proxy's config.yaml.",)),
)
