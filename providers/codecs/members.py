"""Members of a client's body, read with their type. Raises BadRequestError naming the member that is something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.dialects import BadRequestError

Data = Mapping[str, Any]


def text(value: object) -> str:
    """`value` where it is a string, else nothing: for what an upstream or a lenient client may have left out."""
    return value if isinstance(value, str) else ""


def wrong(where: str, wanted: str) -> BadRequestError:
    """The error of a member at the path `where`."""
    return BadRequestError(f"`{where}` must be {wanted}", where, "invalid_type")


def placed(error: BadRequestError, where: str) -> BadRequestError:
    """The error with the whole path of its member. Readers say where it stands in what they were given, for a path that nobody will see
    costs more than the reading."""
    path = f"{where}.{error.param}" if error.param else where
    return BadRequestError(str(error).replace(f"`{error.param or ''}`", f"`{path}`", 1), path, error.code)


def string(data: Data, key: str, where: str = "") -> str:
    """A member that must be there. `where` is the path of `data` in the body, with its closing dot."""
    value = data.get(key)
    if isinstance(value, str):
        return value
    raise wrong(where + key, "a string")


def optional_string(data: Data, key: str, where: str = "") -> str | None:
    value = data.get(key)
    if value is None or isinstance(value, str):
        return value
    raise wrong(where + key, "a string")


def obj(data: Data, key: str, where: str = "") -> Data | None:
    value = data.get(key)
    if value is None or isinstance(value, dict):
        return value
    raise wrong(where + key, "an object")


def array(data: Data, key: str, where: str = "") -> list[Any]:
    """An array; absent counts as empty."""
    value = data.get(key)
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise wrong(where + key, "an array")


def number(data: Data, key: str) -> float | None:
    value = data.get(key)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise wrong(key, "a number")


def whole(data: Data, key: str) -> int | None:
    value = data.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise wrong(key, "a whole number")


def boolean(data: Data, key: str) -> bool | None:
    value = data.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise wrong(key, "true or false")
