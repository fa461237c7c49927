"""Keeps instances of a hot class in the layout in which CPython finds their attributes quickest."""

from __future__ import annotations

from typing import Any, TypeVar

Hot = TypeVar("Hot", bound=type[Any])


def laid_out(cls: Hot) -> Hot:
    """A decorator for classes whose instances set some attributes late: those that have a default in the class, or are annotated there.

    Instances of a class share one table of names, and from CPython 3.11 on it takes up fewer new ones with each instance that is made. When
    16 requests arrived before the first had ended, there was no room for what is set at the end: for the rest of the process's life each
    record of an exchange got a dictionary of its own, at 0.3 µs and half a kilobyte. So all names are shown to the class once.
    """
    first = object.__new__(cls)
    for each in cls.__mro__:
        defaults = (name for name, value in vars(each).items() if not name.startswith("__") and not hasattr(value, "__get__"))
        for name in (*vars(each).get("__annotations__", ()), *defaults):
            setattr(first, name, None)
    return cls
