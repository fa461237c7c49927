"""What every part of the configuration has in common: frozen, closed, silent about its values when it complains."""

from __future__ import annotations

from typing import Annotated, Any, NoReturn, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Seconds = Annotated[float, Field(gt=0)]
Amount = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A mapping in the file. Keys that nobody knows are errors; keys with nothing behind them have their default."""

    model_config = ConfigDict(
        frozen=True,
        # A section's own validator is made when it is read alone, which few are: making all of them was 60 ms of every start.
        defer_build=True,
        extra="forbid",
        allow_inf_nan=False,
        # A validation error that escapes into a log must not carry a key with it.
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        return {
            key: value
            for key, value in data.items()
            if value is not None or key not in fields or type(None) in get_args(fields[key].annotation)
        }


def refuse(words: str) -> NoReturn:
    """Leave a field validator with `words` as the message. They must not repeat the value: it may be a secret."""
    # The words are an argument, not the template: braces in them would be taken for place holders.
    raise PydanticCustomError("refused", "{words}", {"words": words})


def refuse_name(allowed: list[str]) -> NoReturn:
    """Leave a field validator because a name is none of `allowed`; the report then lists them and finds the nearest."""
    raise PydanticCustomError("not_allowed", "is not known", {"allowed": allowed})
