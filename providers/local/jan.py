"""Jan. It has no page of its own, so its ports are the evidence; without its key the list is locked.

Newer versions pass hosted models through the same server, so a row is local only if its owner is Jan, the person or llama.cpp.
"""

from __future__ import annotations

from dataclasses import replace

from providers.local.port import MODELS, RANK_PORT, LocalBackend, LocalModel, Responses, plain_models, text

_PORTS = (1337, 6767)
_LOCAL_OWNERS = frozenset({"", "user", "jan", "menlo", "llamacpp", "llama.cpp"})


def recognise(responses: Responses) -> bool:
    return responses.port in _PORTS and bool(responses.model_rows())


def models(responses: Responses) -> list[LocalModel]:
    owner = {text(row["id"]): text(row.get("owned_by")).lower() for row in responses.model_rows()}
    return [replace(model, is_remote=owner[model.name] not in _LOCAL_OWNERS) for model in plain_models(responses)]


BACKEND = LocalBackend(
    name="jan",
    title="Jan",
    kind="jan",
    ports=_PORTS,
    requests=(MODELS,),
    recognise=recognise,
    models=models,
    rank=RANK_PORT,
    key_env=("JAN_API_KEY",),
    start="Jan, Settings, Local API Server, Start",
)
