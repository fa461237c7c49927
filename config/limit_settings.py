"""What may be used at most: ceilings per window, and budgets. `providers[].headroom`, `budgets` and the limits of client keys are all
made of these; `headroom.py` turns them into what the router counts.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema, field_validator, model_validator

from config.section import Amount, Section, refuse

Window = Literal["minute", "hour", "5h", "day", "week", "month"]
BudgetWindow = Literal["request", "minute", "hour", "5h", "day", "week", "month"]

SCOPE = re.compile(r"^(all|(key|harness|policy|model|provider|replica|session)(:.+)?)$")
THRESHOLDS = (0.5, 0.8, 1.0)
"""Half of it is news, four fifths a warning, all of it the fact: what cloud providers' billing alerts begin with."""

_PERCENT = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*%\s*$")


def _share_of(value: object) -> object:
    """`20%` is 0.2."""
    found = _PERCENT.match(value) if isinstance(value, str) else None
    return float(found.group(1)) / 100 if found is not None else value


_SHARE_SCHEMA = {"anyOf": [{"type": "number", "minimum": 0, "exclusiveMaximum": 1}, {"type": "string", "pattern": _PERCENT.pattern}]}
Portion = Annotated[float, Field(ge=0, lt=1), BeforeValidator(_share_of), WithJsonSchema(_SHARE_SCHEMA)]
Threshold = Annotated[float, Field(gt=0, le=1)]


class Figures(Section):
    """How much. Each figure is a limit of its own."""

    tokens: int | None = Field(default=None, gt=0)
    """Input and output together."""
    input_tokens: int | None = Field(default=None, gt=0)
    """Prompts alone, what a cache had of them included."""
    output_tokens: int | None = Field(default=None, gt=0)
    """Answers alone, reasoning included."""
    requests: int | None = Field(default=None, gt=0)
    """Attempts that reached a provider."""
    cost: Amount | None = None
    """USD."""
    calendar: bool = False
    """Begin anew with the hour, day, week (Monday) or month, in UTC, instead of rolling."""
    pace: float | None = Field(default=None, gt=0)
    """How many times its even share a part of the window may take (a day of a week, an hour of a day) while others can answer; 2 makes a
    week last four busy days at least. Empty = no pacing."""

    @model_validator(mode="after")
    def _limits_something(self) -> Figures:
        if all(getattr(self, unit) is None for unit in UNITS):
            refuse(f"names no limit; give {', '.join(UNITS[:-1])} or {UNITS[-1]}")
        return self


UNITS = ("tokens", "input_tokens", "output_tokens", "requests", "cost")
"""The fields of `Figures` that are figures; named as `routing.headroom.types.Unit` names them."""


class Ceiling(Figures):
    """The most that may be used in one window."""


class BudgetSettings(Figures):
    """A limit on what somebody uses, and what happens when it is reached."""

    scope: str = Field(default="all", json_schema_extra={"pattern": SCOPE.pattern})
    """Whose use counts: all, or key, harness, policy, model, provider, replica, session. With `:name` only that one's; without, each one's
    by itself."""
    window: BudgetWindow
    """The window; `request` limits what a single request may cost."""
    on_exceed: Literal["degrade", "refuse", "alert"] = "degrade"
    """Use cheaper models and local ones, refuse requests (402 for money, 429 for tokens and requests), or only say so."""
    alert_at: tuple[Threshold, ...] = THRESHOLDS
    """Shares of the limit that are told when use passes them: in the log, at /api/events and to the webhook."""
    webhook: SecretStr | None = None
    """Where they are posted to as JSON; best written as ${NAME}."""
    unpriced: Literal["allow", "refuse"] = "allow"
    """May models answer whose price is not known? They count as nothing towards cost, and as unpriced in `donut usage`."""

    @field_validator("scope")
    @classmethod
    def _is_a_scope(cls, value: str) -> str:
        if not SCOPE.fullmatch(value):
            refuse("must be all, or one of key, harness, policy, model, provider, replica, session, with or without `:name`")
        return value

    @field_validator("webhook")
    @classmethod
    def _is_a_url(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value is not None else ""
        if not text:
            return None
        try:
            parts = urlsplit(text)
            is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_usable = False
        if not is_usable or not text.isascii() or any(char <= " " for char in text):
            refuse("must be a URL such as https://hooks.example/budget")
        return value

    @model_validator(mode="after")
    def _can_stop_a_request(self) -> BudgetSettings:
        if self.window == "request" and (self.requests is not None or self.on_exceed == "alert"):
            refuse("`window: request` limits the cost or the tokens of each single request: with on_exceed degrade or refuse")
        return self


class KeyTerms(Section):
    """What the holder of a client key may do."""

    name: str = Field(min_length=1, max_length=64)
    """Shown in the journal and in `donut usage` instead of the key."""
    policy: str | None = Field(default=None, min_length=1)
    """The policy of its requests, unless a request names one itself."""
    models: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Logical models and replicas that may answer it, with `*`: "qwen3-*", "box/*". Empty = all."""
    local_only: bool = False
    """May its requests be answered on this machine and network only?"""
    limits: dict[Window, Ceiling] = Field(default_factory=dict)
    """What it may use per window; beyond it 402 (cost) or 429 (tokens, requests)."""


__all__ = ["SCOPE", "UNITS", "BudgetSettings", "BudgetWindow", "Ceiling", "Figures", "KeyTerms", "Portion", "Window"]
