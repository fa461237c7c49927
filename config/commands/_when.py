"""Points in time on the command line: `24h` ago, or a date. `proxy.when` reads them, here and in the API alike."""

from __future__ import annotations

import time

import click

from proxy.when import iso, parse

__all__ = ["iso", "parse_when"]


def parse_when(_context: click.Context, _option: click.Parameter, value: str) -> float:
    """An option's callback: what `proxy.when.parse` reads → epoch seconds. Raises click.BadParameter."""
    try:
        return parse(value, time.time())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
