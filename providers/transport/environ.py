"""Forward proxies that the environment names: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, in either case.

Used only where config asks for it. Never for this machine: a model on loopback must not be reached through somebody else's.
"""

from __future__ import annotations

import urllib.request

from providers.loopback import is_this_machine
from providers.transport.port import Origin


class EnvironmentProxies:
    """The environment's proxies as they were when this was made."""

    def __init__(self) -> None:
        self._proxies = urllib.request.getproxies_environment()

    def proxy_for(self, origin: Origin) -> str | None:
        """The proxy URL for `origin`, or None to go straight."""
        proxy = self._proxies.get(origin.scheme) or self._proxies.get("all")
        if not proxy or is_this_machine(origin.host):
            return None
        # Typeshed does not know this function; the standard library's own openers decide `no_proxy` with it.
        if urllib.request.proxy_bypass_environment(f"{origin.host}:{origin.port}", self._proxies):  # type: ignore[attr-defined]
            return None
        return proxy if "://" in proxy else f"http://{proxy}"
