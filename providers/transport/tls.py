"""TLS settings for upstreams. Verification is on unless an origin says otherwise, and then only for that origin."""

from __future__ import annotations

import ssl

import certifi

from providers.transport.port import Origin, TransportError
from routing.facts import FailureKind


def make_context(verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """A client context offering HTTP/1.1.

    Without `ca_file` it trusts the system's authorities and certifi's (slim containers have no system store). With `ca_file` it
    trusts that file alone: who names an authority of their own does not want every other one to vouch for the same host.
    Raises OSError (ssl.SSLError included) when the file cannot be read.
    """
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file is None:
        context.load_verify_locations(certifi.where())
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def load_context(origin: Origin) -> ssl.SSLContext:
    """A new context by the origin's rules. Raises TransportError(CONNECT) when its CA file cannot be used."""
    try:
        return make_context(origin.verify, origin.ca_file)
    except OSError as error:
        raise TransportError(FailureKind.CONNECT, f"{origin}: CA file {origin.ca_file} cannot be used: {error}") from error


class TlsContexts:
    """Contexts by (verify, ca_file): loading authorities takes tens of milliseconds, so it happens once."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[bool, str | None], ssl.SSLContext] = {}

    def get(self, origin: Origin) -> ssl.SSLContext:
        """The context for `origin`. Raises as `load_context` does; a failure is not remembered, the file may be mended."""
        key = (origin.verify, origin.ca_file)
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = load_context(origin)
        return context
