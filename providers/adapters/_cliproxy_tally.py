"""What CLIProxyAPI's management API says, as values, and what it adds up to: figures of the models behind it, and who is out.

Of queue items and accounts, what names a person (mail addresses, keys, addresses of clients, error bodies) is not kept. Counterpart:
`cliproxy.py`, which asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from providers.adapters._fields import count, epoch, iso, mapping, objects, positive, text
from routing.ledger.readings import MIN_SAMPLES, Reading, entry_key

SOURCE = "cliproxy"
WINDOW_S = 24 * 3600.0
"""Figures are of the last day: providers change from week to week."""
CALLS_KEPT = 500
"""Per model, the newest. The rank of their median is known to within 2 % (½ ÷ √500)."""
MODELS_KEPT = 1024
CREDENTIALS_KEPT = 256
LATENCY_MOST_S = 3600.0


class Call(NamedTuple):
    """One request that CLIProxyAPI made."""

    provider: str
    model: str
    """The name that clients ask for."""
    at_s: float
    """Seconds since 1970."""
    is_ok: bool
    latency_s: float | None = None
    ttft_s: float | None = None
    prompt: int = 0
    """Tokens of the whole prompt; 0 when the item does not settle whether cached ones are among its `input_tokens`."""
    cache_read: int = 0
    output: int = 0
    credential: str = ""
    """Its number among CLIProxyAPI's accounts."""


class Account(NamedTuple):
    provider: str
    credential: str
    is_disabled: bool
    is_out: bool
    until_s: float | None
    """Seconds since 1970; None when nobody knows."""


def read_usage(document: object) -> tuple[list[Call], int]:
    """(the requests in one answer of `usage-queue`, how many of its items are none)."""
    items = document if isinstance(document, list) else []
    calls = [call for item in items if (call := _call(mapping(item))) is not None]
    return calls, len(items) - len(calls)


def _call(item: Mapping[str, Any]) -> Call | None:
    provider, model = text(item.get("provider")), text(item.get("alias")) or text(item.get("model"))
    at_s, failed = epoch(item.get("timestamp")), item.get("failed")
    if not (provider and model and at_s is not None and isinstance(failed, bool)):
        return None
    tokens = mapping(item.get("tokens"))
    return Call(
        provider,
        model,
        at_s,
        not failed,
        _seconds(item.get("latency_ms")),
        _seconds(item.get("ttft_ms")),
        _prompt(tokens),
        count(tokens.get("cache_read_tokens")) or count(tokens.get("cached_tokens")),
        count(tokens.get("output_tokens")),
        _index(item.get("auth_index")),
    )


def _prompt(tokens: Mapping[str, Any]) -> int:
    """OpenAI counts cached tokens among the input, Anthropic beside it, and items come from both: the total tells."""
    plain = count(tokens.get("input_tokens"))
    cached = (count(tokens.get("cache_read_tokens")) or count(tokens.get("cached_tokens"))) + count(tokens.get("cache_creation_tokens"))
    whole = count(tokens.get("total_tokens")) - count(tokens.get("output_tokens"))
    return whole if whole in (plain, plain + cached) and whole >= cached else 0


def _index(value: object) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def _seconds(milliseconds: object) -> float | None:
    """Zero means that it was not measured."""
    found = positive(milliseconds, LATENCY_MOST_S * 1000)
    return None if found is None else found / 1000


def read_accounts(document: object) -> list[Account]:
    """The accounts in one answer of `auth-files`."""
    rows = objects(document) or objects(mapping(document).get("files"))
    return [
        Account(
            text(row.get("provider")) or text(row.get("type")),
            _index(row.get("auth_index")),
            row.get("disabled") is True,
            row.get("unavailable") is True,
            epoch(row.get("next_retry_after")),
        )
        for row in rows
        if text(row.get("provider")) or text(row.get("type"))
    ]


class Tally:
    """What was heard of the models behind one CLIProxyAPI, bounded in models, requests and time."""

    def __init__(self, provider_id: str) -> None:
        """`provider_id`: under which donut serves it; its entries are `provider_id/model`."""
        self.provider_id = provider_id
        self._calls: dict[str, deque[Call]] = {}
        self._credentials: dict[str, set[str]] = {}

    def take(self, calls: Iterable[Call]) -> None:
        for call in calls:
            if call.model not in self._calls and len(self._calls) >= MODELS_KEPT:
                continue
            self._calls.setdefault(call.model, deque(maxlen=CALLS_KEPT)).append(call)
            seen = self._credentials.setdefault(call.provider, set())
            if len(seen) < CREDENTIALS_KEPT:
                seen.add(call.credential)

    def readings(self, now_s: float) -> list[Reading]:
        """Its figures for the ledger. What rests on too few requests says so, and may not win."""
        found: list[Reading] = []
        for model, kept in self._calls.items():
            calls = [call for call in kept if call.at_s > now_s - WINDOW_S]
            if not calls:
                continue
            plain = Reading(entry_key(self.provider_id, model), "", 0.0, SOURCE, "", iso(max(call.at_s for call in calls)))
            found += [_reading(plain, metric, values) for metric, values in _figures(calls) if values]
        return found

    def limited(self, accounts: Sequence[Account], now_s: float) -> dict[str, float | None]:
        """Model → until when (seconds since 1970; None: unknown) no account that served it may be used. Only what is certain: a provider
        that also has credentials beside its files (a key in the config) is never held to be out."""
        out = dict(self._providers_out(accounts, now_s))
        found: dict[str, float | None] = {}
        for model, kept in self._calls.items():
            providers = {call.provider for call in kept if call.at_s > now_s - WINDOW_S}
            if providers and providers <= out.keys():
                known = [until_s for provider in providers if (until_s := out[provider]) is not None]
                found[model] = min(known, default=None)
        return found

    def _providers_out(self, accounts: Sequence[Account], now_s: float) -> Iterator[tuple[str, float | None]]:
        for provider in {account.provider for account in accounts}:
            usable = [account for account in accounts if account.provider == provider and not account.is_disabled]
            elsewhere = self._credentials.get(provider, set()) - {account.credential for account in accounts}
            ends = [account.until_s for account in usable if account.until_s is not None]
            is_over = any(end <= now_s for end in ends)
            if usable and all(account.is_out for account in usable) and not elsewhere and not is_over:
                yield provider, min(ends, default=None)


def _figures(calls: Sequence[Call]) -> Iterator[tuple[str, list[float]]]:
    """Metric → one value per request that has it."""
    ok = [call for call in calls if call.is_ok]
    yield "success_rate", [float(call.is_ok) for call in calls]
    yield "ttft_s", [call.ttft_s for call in ok if call.ttft_s is not None]
    yield "end_to_end_s", [call.latency_s for call in ok if call.latency_s is not None]
    yield "speed_tps", [speed for call in ok if (speed := _speed(call)) is not None]
    yield "cache_hit_share", [call.cache_read / call.prompt for call in ok if call.prompt]


def _speed(call: Call) -> float | None:
    if call.latency_s is None or call.ttft_s is None or call.latency_s <= call.ttft_s or not call.output:
        return None
    return call.output / (call.latency_s - call.ttft_s)


_SHARES = frozenset({"success_rate", "cache_hit_share"})


def _reading(plain: Reading, metric: str, values: Sequence[float]) -> Reading:
    value = sum(values) / len(values) if metric in _SHARES else median(values)
    refused = "" if len(values) >= MIN_SAMPLES else f"only {len(values)} samples, {MIN_SAMPLES} are needed"
    return plain._replace(metric=metric, value=value, samples=len(values), refused=refused)
