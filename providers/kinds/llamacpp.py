"""llama.cpp: `llama-server`, llamafile and llama-cpp-python."""

from __future__ import annotations

import re
from dataclasses import replace

from providers.errors import classify_openai
from providers.ports import ProviderKind
from providers.transport.port import Headers
from routing.facts import Failure, FailureKind

# A picture for a model that has no eyes comes back as 500 "server_error"; nothing is wrong with the server.
_NO_EYES = re.compile(r"input is not supported|mmproj", re.IGNORECASE)
_NO_MODEL = re.compile(r"model '.*' not found", re.IGNORECASE | re.DOTALL)


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """As OpenAI's, except for the two statuses that say something else than they mean."""
    failure = classify_openai(status, headers, body)
    if status == 500 and _NO_EYES.search(failure.message):
        return replace(failure, kind=FailureKind.BAD_REQUEST)
    if status == 400 and _NO_MODEL.search(failure.message):  # router mode
        return replace(failure, kind=FailureKind.NOT_FOUND)
    return failure


KIND = ProviderKind(
    name="llamacpp",
    title="llama.cpp",
    classify=classify,
    base_url="http://127.0.0.1:8080/v1",
    # Not `responses`, which llama-server has too: in its stream items lack their content_index and change their ids, on which the openai
    # SDK and OpenCode stop (seen with the sources in llama-cpp-python 0.3.36). Translated from chat both work. llama-cpp-python and old
    # llamafiles answer 404 to `messages`, and are then spoken to in chat.
    dialects=("chat", "messages", "completions", "embeddings"),
    has_all_of_responses=False,
    key_env=("LLAMA_API_KEY",),
    is_local=True,
    docs="the value that llama-server was started with: --api-key",
)
