"""Looks for model servers on this machine: loopback only, GET only, and never longer than a moment.

A POST could make a server load a model, and a GET of the wrong page generate, so backends list what may be asked. Environment proxies
are ignored and redirects not followed: nothing that a local port says can make donut look elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import httpx

from providers.local.found import OWN_MARKER_PATH, Found, judge, lockable
from providers.local.port import NO_ANSWER, LocalBackend, Response, Responses
from providers.local.registry import load_backends
from providers.loopback import is_loopback

LOOPBACK = ("127.0.0.1", "::1")
TIMEOUT_S = 0.3
BODY_LIMIT = 1024 * 1024
"""Bytes. A longer answer counts as none: no server has a megabyte to say about its models."""
CONNECTIONS_PER_PORT = 4
"""Some of these servers take five requests at a time, and their owner is using them."""

Endpoint = tuple[str, int]
_NOTHING: Mapping[str, str] = MappingProxyType({})


async def discover(
    ports: Sequence[Endpoint] | None = None,
    timeout_s: float = TIMEOUT_S,
    environ: Mapping[str, str] = _NOTHING,
    known: Iterable[Found] = (),
) -> list[Found]:
    """Every model server found, the locked and the unknown ones included, in the order of `ports`.

    `ports` None means: where the backends usually listen, and where `environ` says that they do. `environ` also holds the keys
    that open a locked server; a key goes only to the backend that names its variable. `known`: what an earlier round found; those
    are asked only for what their backend needs, to keep their logs quiet. Takes at most `2 * timeout_s` for connect and answers,
    and as much again for a locked server whose key is there. Raises ValueError for a port that is not on loopback.
    """
    backends = load_backends()
    endpoints = list(dict.fromkeys(default_endpoints(backends, environ) if ports is None else ports))
    for host, _ in endpoints:
        if not is_loopback(host):
            raise ValueError(f"{host} is not on this machine; discovery looks at loopback only")
    # Most ports are closed, often all of them, and a refused connection costs next to nothing.
    are_open = await asyncio.gather(*(_is_open(host, port, timeout_s) for host, port in endpoints))
    listening = list(itertools.compress(endpoints, are_open))
    if not listening:
        return []
    familiar = {found.base_url: found.backend for found in known}
    # Plain HTTP only: an empty TLS context trusts nobody and spares the 20 ms of loading the usual authorities.
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout_s, verify=tls) as client:
        round_ = _Round(client, timeout_s, backends, environ)
        found = await asyncio.gather(*(_Probe(round_, host, port).run(familiar) for host, port in listening))
    return _without_twins([item for item in found if item is not None])


def default_endpoints(backends: Iterable[LocalBackend], environ: Mapping[str, str] = _NOTHING) -> list[Endpoint]:
    """The usual ports on both loopback addresses, and the loopback ones among those that variables name."""
    listed = list(backends)
    ports = dict.fromkeys(port for backend in listed for port in backend.ports)
    endpoints = [(host, port) for host in LOOPBACK for port in ports]
    for backend in listed:
        for variable in backend.host_env:
            endpoint = parse_listen(environ.get(variable, ""), backend.ports[0])
            if endpoint is not None:
                endpoints.append(endpoint)
    return list(dict.fromkeys(endpoints))


def parse_listen(value: str, default_port: int) -> Endpoint | None:
    """Where a server that listens at `value` (`0.0.0.0:11500`, `:11500`, `http://localhost`) is reached; None: not on this machine."""
    text = value.strip()
    if not text:
        return None
    try:
        url = httpx.URL(text if "://" in text else f"http://{'127.0.0.1' if text.startswith(':') else ''}{text}")
    except httpx.InvalidURL:
        return None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(url.host, url.host)  # noqa: S104 - "everywhere" includes here
    return (host, url.port or default_port) if is_loopback(host) else None


@dataclass(frozen=True, slots=True)
class _Round:
    """What all probes of one round share."""

    client: httpx.AsyncClient
    timeout_s: float
    backends: Sequence[LocalBackend]
    environ: Mapping[str, str]


class _Probe:
    """One port at which somebody listens, asked once."""

    def __init__(self, round_: _Round, host: str, port: int) -> None:
        self._client, self._timeout_s = round_.client, round_.timeout_s
        self._backends, self._environ = round_.backends, round_.environ
        self._host, self._port = host, port
        self._origin = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._gate = asyncio.Semaphore(CONNECTIONS_PER_PORT)

    async def run(self, familiar: Mapping[str, str]) -> Found | None:
        before = [backend for backend in self._backends if familiar.get(self._origin + backend.base_path) == backend.name]
        found = await self._judge(before) if before else None
        if found is None or found.backend != before[0].name:  # not seen before, or something else moved in
            found = await self._judge(self._backends)
        return await self._unlock(found) if found is not None and found.locked else found

    async def _judge(self, backends: Sequence[LocalBackend], variable: str | None = None) -> Found | None:
        paths = dict.fromkeys([OWN_MARKER_PATH, *(path for backend in backends for path in backend.requests)])
        headers = {"authorization": f"Bearer {self._environ[variable]}"} if variable is not None else {}
        return judge(await self._ask(list(paths), headers), self._origin, backends, variable)

    async def _unlock(self, locked: Found) -> Found:
        """Try the keys that the environment holds for whoever this may be; stays locked if none opens it."""
        suspects = [backend for backend in self._backends if backend.name == locked.backend]
        for backend in dict.fromkeys([*suspects, *lockable(self._backends, self._port)]):
            variable = next((name for name in backend.key_env if _is_key(self._environ.get(name, ""))), None)
            if variable is None:
                continue
            found = await self._judge([backend], variable)
            if found is not None and found.is_usable:
                return found
        return locked

    async def _ask(self, paths: Sequence[str], headers: Mapping[str, str]) -> Responses:
        """GET all `paths`; what has not answered when the time is up counts as no answer, and the rest still counts."""
        tasks = {path: asyncio.create_task(self._get(path, headers)) for path in paths}
        try:
            await asyncio.wait(tasks.values(), timeout=self._timeout_s)
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        return Responses(self._port, {path: NO_ANSWER if task.cancelled() else task.result() for path, task in tasks.items()})

    async def _get(self, path: str, headers: Mapping[str, str]) -> Response:
        body = bytearray()
        try:
            async with (
                self._gate,
                self._client.stream("GET", self._origin + path, headers={**headers, "accept-encoding": "identity"}) as answer,
            ):
                async for piece in answer.aiter_raw():
                    body += piece
                    if len(body) > BODY_LIMIT:
                        return NO_ANSWER
                return Response(answer.status_code, bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL):
            return NO_ANSWER


async def _is_open(host: str, port: int, timeout_s: float) -> bool:
    """Does anything listen?"""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _is_key(value: str) -> bool:
    """Can it go into a header?"""
    return bool(value) and value.isascii() and value.isprintable()


def _without_twins(found: Sequence[Found]) -> list[Found]:
    """A server that listens on both loopback addresses is one server; the address asked first stays."""
    seen: set[tuple[str, int | None, tuple[str, ...]]] = set()
    kept: list[Found] = []
    for item in found:
        identity = (item.backend, httpx.URL(item.base_url).port, tuple(model.name for model in item.models))
        if identity not in seen:
            seen.add(identity)
            kept.append(item)
    return kept
