"""What a process does not load: libraries, or parts of them, that somebody imports and hardly anybody uses. A third of a start was that."""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType
from typing import Any

NOT_LOADED = ("rich.traceback", "httpx._main")
"""structlog loads the first where it finds it, for coloured tracebacks that donut never shows, httpx the second, for a command line of its
own, and both Pygments: 3 MB, and 50 ms of every start. A module that stands as None in `sys.modules` is one that is not installed."""

LOADED_LATE = ("httpx",)
"""Imported in a dozen places that most processes never come to: nothing asks a feed, a webhook or a local server of them. 2 MB and 15 ms.
(`importlib.util.LazyLoader` is of no use: until Python 3.12 the next `import` of such a module loads it.)"""


class _Late(ModuleType):
    """Stands for a library until something of it is asked for, then becomes it."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        library = importlib.import_module(self.__name__)
        self.__dict__.update(library.__dict__)
        return getattr(library, name)


def _import_structlog_alone() -> None:
    """Without rich, of which it would load another 2 MB for the same tracebacks. Who writes to a terminal finds rich as ever, later."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]


def load_little(*, is_server: bool) -> None:
    """To be called before anything else is imported. `is_server`: will this process stay?"""
    # Looking for garbage among what is only being made was a tenth of every start. Commands end before there is any to speak of; the one
    # that stays switches the collector on again.
    gc.disable()
    for name in NOT_LOADED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # typeshed does not know of None
    for name in LOADED_LATE:
        sys.modules.setdefault(name, _Late(name))
    if is_server:  # the others are gone in a moment, and few need it
        _import_structlog_alone()
