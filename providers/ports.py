"""What a provider kind is. One file per kind in `kinds/` exports `KIND`; pure data and pure functions, no client: transports are shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from providers.signals import Signals, openai
from providers.transport.port import Headers
from routing.facts import Failure


def bearer(key: str) -> Headers:
    """RFC 6750: what nearly everyone takes."""
    return [(b"authorization", b"Bearer " + key.encode())]


def api_key_header(key: str) -> Headers:
    """Azure's way."""
    return [(b"api-key", key.encode())]


PATHS: Mapping[str, str] = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "messages": "/messages",
    "responses": "/responses",
    "compact": "/responses/compact",
    "gemini": "/models",
}
"""Dialect → path below the base URL, as OpenAI has them and everyone who copied it."""


def plain_target(base_path: str, paths: Mapping[str, str], dialect: str, upstream_model: str) -> str:
    """Base path and the dialect's path, one after the other; the model travels in the body."""
    del upstream_model
    return base_path + paths[dialect]


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """A way to talk to somebody who answers. `base_url` None means: config must say where."""

    name: str
    title: str
    """The name a person knows: `LM Studio`."""
    classify: Callable[[int, Headers, bytes], Failure]
    """(status, headers, body) of an answer that is not 2xx → what went wrong. Pure; never raises on any input."""
    signals: Signals = openai.SIGNALS
    """What it says about its limits with its answers. The default is what those have who copied OpenAI."""
    base_url: str | None = None
    dialects: tuple[str, ...] = ("chat", "completions", "embeddings")
    """What it speaks, best first; config's `dialects` overrides it."""
    paths: Mapping[str, str] = field(default_factory=lambda: PATHS)
    target: Callable[[str, Mapping[str, str], str, str], str] = plain_target
    """(base path, paths, dialect, upstream model) → request target."""
    stream_target: Callable[[str, Mapping[str, str], str, str], str] | None = None
    """The same for a request that asks for a stream, where the path says so (Gemini) and not the body; None: no difference."""
    auth: Callable[[str], Headers] = bearer
    key_env: tuple[str, ...] = ()
    """Environment variables that hold its key, the usual one first."""
    base_url_env: tuple[str, ...] = ()
    has_all_of_responses: bool = True
    """Responses: does it know its earlier answers by their id, tools that are no functions, reasoning as input? llama-server forgets the
    first silently, passes over the second and refuses the third; who is like it is asked for these things in another dialect."""
    is_local: bool = False
    """Does an instance run on this machine unless config says otherwise?"""
    forward_headers: frozenset[bytes] = frozenset()
    """Client headers this kind wants to see besides the common ones."""
    default_headers: tuple[tuple[bytes, bytes], ...] = ()
    """Sent where the client's own, let through by `forward_headers`, do not say it: an API version."""
    catalog_id: str | None = None
    """The provider's id in the shipped catalog, from which its models come when config names none."""
    owner_names_models: bool = False
    """The account's owner names its models (Azure deployments, a LiteLLM config): the catalog has prices for it, but no list."""
    docs: str = ""
    """Where a person gets a key, for `donut doctor`."""
