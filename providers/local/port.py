"""What a local backend is. One file per backend exports `BACKEND`: which GETs to ask, how to know it, which models it has.

Rules that every backend keeps:
- Only GETs, and none that loads a model or generates: a probe must cost its owner nothing.
- `recognise` and `models` are pure functions of recorded answers, total over any body: what listens may be anything.
- A model is local only if it runs on this machine. In doubt it is remote: a local-only request must never leave.
- `context_window` is the one the server really uses, or None; a model card's promise silently truncates prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from routing.naming import is_embedding_name, is_foreign_name
from routing.types import Capability

MODELS = "/v1/models"
"""What nearly every server answers, and therefore no fingerprint by itself."""

RANK_SPECIFIC = 10
"""A fingerprint nobody emulates."""
RANK_OWN_ROWS = 50
"""Known by what it writes into its model rows; a proxy in front of it may repeat those."""
RANK_EMULATED = 80
"""A fingerprint that others emulate: asked after everyone else."""
RANK_PORT = 90
"""No fingerprint but the port."""


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one GET."""

    status: int
    body: bytes = b""

    def json(self) -> Any:
        """The body of a 200 as parsed JSON; None for any other status or for something that is not JSON."""
        if self.status != 200:
            return None
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


NO_ANSWER = Response(0)
"""Stands for a GET that was not answered in time, or at all."""


@dataclass(frozen=True, slots=True)
class Responses:
    """Everything one port said: path → answer. `port` is evidence too, though the weakest."""

    port: int
    by_path: Mapping[str, Response] = field(default_factory=dict)

    def at(self, path: str) -> Response:
        return self.by_path.get(path, NO_ANSWER)

    def object_at(self, path: str) -> Mapping[str, Any]:
        """The JSON object at `path`; empty when there is none."""
        value = self.at(path).json()
        return value if isinstance(value, dict) else {}

    def rows_at(self, path: str, key: str) -> list[Mapping[str, Any]]:
        """The objects in the list under `key` of the JSON object at `path`; empty when there is no such list."""
        return rows(self.object_at(path).get(key))

    def model_rows(self, path: str = MODELS) -> list[Mapping[str, Any]]:
        """The rows of an OpenAI model list that have an id."""
        return [row for row in self.rows_at(path, "data") if text(row.get("id"))]

    def owners(self) -> set[str]:
        """Who owns the models of the OpenAI list, in lower case."""
        return {text(row.get("owned_by")).lower() for row in self.model_rows()}

    def locks(self, paths: Iterable[str]) -> bool:
        """Does one of these want a key? A page of HTML is somebody's web application, not a model server's refusal."""
        answers = [self.at(path) for path in paths]
        return any(answer.status in (401, 403) and not answer.body.lstrip().startswith(b"<") for answer in answers)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """One model that a local server offers."""

    name: str
    """The name to use upstream."""
    context_window: int | None = None
    """Tokens, as the server runs it now; None while that is unknown."""
    loaded: bool | None = None
    """In memory now? None when the server does not say."""
    is_remote: bool = False
    """Served from elsewhere through this server: not local."""
    capability_bits: int | None = None
    """None when the server does not say. EMBEDDINGS alone marks an embedding model."""
    parameters_b: float | None = None
    """Billions of weights."""


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """A program that serves models on this machine."""

    name: str
    """Also the provider id of what is found: `ollama`, `llamacpp`."""
    title: str
    kind: str
    """The provider kind that talks to it."""
    ports: tuple[int, ...]
    """Where it listens unless told otherwise, the usual one first."""
    requests: tuple[str, ...]
    """Paths to GET."""
    recognise: Callable[[Responses], bool]
    models: Callable[[Responses], list[LocalModel]]
    rank: int = RANK_SPECIFIC
    """Lower is asked first."""
    base_path: str = "/v1"
    key_env: tuple[str, ...] = ()
    """Variables that may hold its key. The only keys ever sent to it: a kind's own key belongs to somebody else."""
    host_env: tuple[str, ...] = ()
    """Variables that tell it where to listen: `host`, `host:port` or a URL."""
    start: str = ""
    """One line that starts it, or gives it a model, for `donut doctor`."""


def rows(value: Any) -> list[Mapping[str, Any]]:
    """The objects among the items of a list; empty for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def count(value: Any) -> int | None:
    """The value if it is a positive whole number (of tokens, of weights), else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def purpose_bits(name: str, stated: int | None) -> int | None:
    """Capability bits of a model called `name`: an embedding model has EMBEDDINGS alone, whatever else is said of it."""
    embeds = bool(stated & Capability.EMBEDDINGS) if stated is not None else is_embedding_name(name)
    return int(Capability.EMBEDDINGS) if embeds else stated


def plain_models(responses: Responses, path: str = MODELS, context_key: str = "") -> list[LocalModel]:
    """The models of an OpenAI list about which nothing more is said; `context_key` names the row's field with the window."""
    return [
        LocalModel(text(row["id"]), count(row.get(context_key)), capability_bits=purpose_bits(text(row["id"]), None))
        for row in responses.model_rows(path)
        if not is_foreign_name(text(row["id"]))
    ]
