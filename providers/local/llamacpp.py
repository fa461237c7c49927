"""llama.cpp's `llama-server`, and llamafile which contains it.

The flag `-c` is divided by the number of slots, so the window is read from `meta.n_ctx` of the model list, never from a flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.local.port import MODELS, RANK_OWN_ROWS, LocalBackend, LocalModel, Responses, count, mapping, purpose_bits, text
from routing.naming import is_foreign_name
from routing.types import Capability


def recognise(responses: Responses) -> bool:
    props = responses.object_at("/props")
    return "default_generation_settings" in props or "total_slots" in props or responses.owners() == {"llamacpp"}


def _loaded(row: Mapping[str, Any]) -> bool | None:
    """Router mode says it per model; without it there is one model, and it is loaded."""
    status = text(mapping(row.get("status")).get("value"))
    return status == "loaded" if status else True


def _window(row: Mapping[str, Any], props: Mapping[str, Any]) -> int | None:
    """The window of one slot: of the row, else of the server, which in router mode speaks for no model."""
    of_row = count(mapping(row.get("meta")).get("n_ctx"))
    return of_row if of_row is not None or "status" in row else count(mapping(props.get("default_generation_settings")).get("n_ctx"))


def models(responses: Responses) -> list[LocalModel]:
    props = responses.object_at("/props")
    modalities = mapping(props.get("modalities"))
    found: list[LocalModel] = []
    for row in responses.model_rows():
        name = text(row["id"])
        if is_foreign_name(name):
            continue
        # Sees or not is known only of the one model in memory. Tools and JSON schemas come from grammars, whatever the model.
        bits = int(Capability.TOOLS | Capability.JSON) | (int(Capability.VISION) if modalities.get("vision") is True else 0)
        stated = bits if modalities and "status" not in row else None
        weights = count(mapping(row.get("meta")).get("n_params"))
        found.append(
            LocalModel(
                name,
                context_window=_window(row, props),
                loaded=_loaded(row),
                capability_bits=purpose_bits(name, None) or stated,
                parameters_b=weights / 1e9 if weights else None,
            )
        )
    return found


BACKEND = LocalBackend(
    name="llamacpp",
    title="llama.cpp",
    kind="llamacpp",
    ports=(8080,),
    requests=("/props", MODELS),
    recognise=recognise,
    models=models,
    rank=RANK_OWN_ROWS,
    key_env=("LLAMA_API_KEY",),
    start="llama-server --jinja -m MODEL.gguf",
)
