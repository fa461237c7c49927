"""What the answers of one port amount to: a judgement over recorded responses, pure like the backends it asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from providers.local.port import MODELS, LocalBackend, LocalModel, Responses

OWN_MARKER_PATH = "/healthz"
"""donut answers here with `"service": "donut"`; it must not find itself, or another donut, and count it as local."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Found:
    """A model server on this machine, or something that looks like one."""

    backend: str
    """The backend's name; `unknown` for an OpenAI-compatible server that nobody recognised."""
    provider_id: str
    """The backend's name, with the port behind it when that is not the usual one: `ollama`, `llamacpp-9001`."""
    title: str
    kind: str
    """The provider kind that talks to it."""
    base_url: str
    models: tuple[LocalModel, ...] = ()
    """Empty for a locked or unknown server: what it serves, and from where, is not known."""
    locked: bool = False
    note: str = ""
    """What a person should know or do, in one line; empty when all is well."""
    key_env: tuple[str, ...] = ()
    """Variables that may hold its key. Never send it the key of `kind`: that one may belong to a vendor."""
    key_variable: str | None = None
    """The variable whose key opened it; None when it takes no key."""

    @property
    def is_usable(self) -> bool:
        """Can it answer a request now?"""
        return bool(self.models) and not self.locked


def judge(responses: Responses, origin: str, backends: Sequence[LocalBackend], key_variable: str | None = None) -> Found | None:
    """What answers at `origin` (`http://127.0.0.1:8080`); None if it is no model server, or donut itself."""
    if responses.object_at(OWN_MARKER_PATH).get("service") == "donut":
        return None
    backend = next((candidate for candidate in backends if candidate.recognise(responses)), None)
    if backend is not None:
        return _recognised(backend, responses, origin, key_variable)
    if responses.locks([MODELS]):
        return _locked(lockable(backends, responses.port), responses.port, origin)
    if responses.model_rows():
        fix = f"if it runs here, add to the config: providers: [{{id: my-server, kind: openai, base_url: {origin}/v1, local: true}}]"
        return _stranger("an OpenAI-compatible server", responses.port, origin, fix, locked=False)
    return None


def lockable(backends: Iterable[LocalBackend], port: int) -> list[LocalBackend]:
    """Who listens on `port` by default and can want a key."""
    return [backend for backend in backends if port in backend.ports and backend.key_env]


def _recognised(backend: LocalBackend, responses: Responses, origin: str, key_variable: str | None) -> Found:
    if responses.locks(backend.requests):
        return _known(backend, responses.port, origin, note=_unlock([backend]), locked=True)
    models = tuple(backend.models(responses))
    note = "" if models else f"it offers no model; try: {backend.start}"
    return replace(_known(backend, responses.port, origin, note=note, locked=False), models=models, key_variable=key_variable)


def _locked(candidates: Sequence[LocalBackend], port: int, origin: str) -> Found:
    """Something that wants a key before it says what it is: whoever usually listens there."""
    if len(candidates) == 1:
        return _known(candidates[0], port, origin, note=_unlock(candidates), locked=True)
    if candidates:  # a shared port: who it is shows only when a key opens it
        return _stranger(" or ".join(candidate.title for candidate in candidates), port, origin, _unlock(candidates), locked=True)
    note = f"it wants a key; add to the config: providers: [{{id: my-server, kind: openai, base_url: {origin}/v1, api_key: KEY}}]"
    return _stranger("a locked server", port, origin, note, locked=True)


def _known(backend: LocalBackend, port: int, origin: str, *, note: str, locked: bool) -> Found:
    return Found(
        backend=backend.name,
        provider_id=backend.name if port == backend.ports[0] else f"{backend.name}-{port}",
        title=backend.title,
        kind=backend.kind,
        base_url=origin + backend.base_path,
        locked=locked,
        note=note,
        key_env=backend.key_env,
    )


def _stranger(title: str, port: int, origin: str, note: str, *, locked: bool) -> Found:
    return Found(UNKNOWN, f"{UNKNOWN}-{port}", title, "openai", f"{origin}/v1", locked=locked, note=note)


def _unlock(candidates: Sequence[LocalBackend]) -> str:
    variables = dict.fromkeys(backend.key_env[0] for backend in candidates if backend.key_env)
    return f"it wants a key: export {' or '.join(variables)}=…" if variables else "it wants a key"
