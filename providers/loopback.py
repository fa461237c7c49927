"""What is this machine? Judged by the text of a host, without asking a resolver."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Can only programs on this machine reach a server that listens on `host`? Names other than localhost count as reachable."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_this_machine(host: str) -> bool:
    """Does a connection to `host` stay on this machine? Wider than `is_loopback`: 0.0.0.0 and a.localhost lead here too."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback or address.is_unspecified
