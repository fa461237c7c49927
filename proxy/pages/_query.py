"""Query parameters, read strictly: one that nobody knows or that says nothing is a 400 that names it, never a silent default."""

from __future__ import annotations

from collections.abc import Collection

from starlette.requests import Request

from proxy.site import Site, wrong
from proxy.when import parse

TEXT_LENGTH = 512


def known_only(request: Request, names: Collection[str]) -> None:
    """Raises PageError on a parameter that is none of `names`. `key` may carry the client's key, and App has judged it."""
    for name in request.query_params:
        if name not in names and name != "key":
            raise wrong(f"there is no parameter {name!r}; there are {', '.join(names)}", name, "unknown_parameter")


def text(request: Request, name: str) -> str | None:
    value = request.query_params.get(name)
    if value is not None and not 0 < len(value) <= TEXT_LENGTH:
        raise wrong(f"{name} must have 1 to {TEXT_LENGTH} characters", name)
    return value


def choice(request: Request, name: str, choices: Collection[str]) -> str | None:
    value = request.query_params.get(name)
    if value is not None and value not in choices:
        raise wrong(f"{name} is one of {', '.join(choices)}, not {value!r}", name)
    return value


def whole_number(request: Request, name: str, default: int, most: int) -> int:
    """From 1 to `most`."""
    value = request.query_params.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= most):
        raise wrong(f"{name} is a whole number from 1 to {most}, not {value!r}", name)
    return int(value)


def moment(site: Site, request: Request, name: str, default: str | None = None) -> float | None:
    """Epoch seconds."""
    value = request.query_params.get(name, default)
    if value is None:
        return None
    try:
        return parse(value, site.gateway.wall())
    except ValueError as error:
        raise wrong(f"{name}: {error}", name) from error


def period(site: Site, request: Request) -> tuple[float, float]:
    """`since` (24 hours ago) and `until` (now)."""
    since, until = moment(site, request, "since", "24h"), moment(site, request, "until", "now")
    assert since is not None
    assert until is not None
    if since >= until:
        raise wrong("since must be before until", "since")
    return since, until
