"""router-for-me/CLIProxyAPI: how the models behind a running one do, from its management API.

`usage-queue` gives each request once and forgets it: who else reads it (a usage dashboard) misses what donut took, so donut reads only
where config says so. `auth-files` says which accounts are out, and until when.

A wrong secret counts: five of them, and the server bans the address for half an hour. After a refusal donut therefore waits that long.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import httpx

from providers.adapters import Adapter
from providers.adapters._cliproxy_tally import Account, Call, read_accounts, read_usage
from providers.adapters._fields import FormatError, number, parsed

TIMEOUT_S = 10.0
ASK_S = 30.0
"""For one question, from its first byte to its last."""
ACCOUNTS, QUEUE = "auth-files", "usage-queue"
ITEMS_PER_CALL = 500
CALLS_PER_POLL = 20
"""What is left after ten thousand items waits for the next poll."""
ANSWER_BYTES = 16 * 1024 * 1024
BANNED_S = 31 * 60.0
"""Half an hour of ban, and a minute for two clocks that differ."""
LONGEST_WAIT_S = 15 * 60.0


class Connection(NamedTuple):
    """How one is reached."""

    base_url: str
    """Without a path: `http://127.0.0.1:8317`."""
    secret: str
    """Its management secret."""
    interval_s: float = 60.0


class Polled(NamedTuple):
    calls: list[Call]
    accounts: list[Account]
    unreadable: int


class PollError(Exception):
    """A poll that brought nothing. `str()` says why, without the secret."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        """`wait_s`: how long to leave the server alone."""
        super().__init__(message)
        self.wait_s = wait_s


async def poll(client: httpx.AsyncClient, connection: Connection) -> Polled:
    """Everything that waits in the queue, and the accounts as they are. Raises PollError.

    The accounts come first: their answer costs the server nothing, and a secret that is wrong is found out before anything is popped.
    """
    accounts = read_accounts(await _ask(client, connection, ACCOUNTS))
    calls: list[Call] = []
    unreadable = 0
    for _ in range(CALLS_PER_POLL):
        document = await _ask(client, connection, f"{QUEUE}?count={ITEMS_PER_CALL}")
        read, others = read_usage(document)
        calls += read
        unreadable += others
        if len(read) + others < ITEMS_PER_CALL:
            break
    return Polled(calls, accounts, unreadable)


async def _ask(client: httpx.AsyncClient, connection: Connection, what: str) -> Any:
    url = f"{connection.base_url}/v0/management/{what}"
    try:
        headers = {"authorization": f"Bearer {connection.secret}"}
        # httpx's own timeouts are per step: one byte every nine seconds would keep it waiting for ever.
        async with asyncio.timeout(ASK_S), client.stream("GET", url, headers=headers) as answer:
            if answer.status_code in (401, 403):
                why = f"{connection.base_url} refuses the management secret ({answer.status_code}); it is not tried again for half an hour"
                raise PollError(why, BANNED_S)
            if answer.status_code == 404:
                raise PollError(f"{connection.base_url} has no {what.partition('?')[0]}: {_why_absent(what)}")
            if answer.status_code != 200:
                raise PollError(f"{connection.base_url} answers {answer.status_code}", _retry_after_s(answer))
            return parsed(await _body(answer))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise PollError(f"{connection.base_url}: {type(error).__name__} {error}".rstrip()) from error
    except FormatError as error:
        raise PollError(f"{connection.base_url}: {error}") from error


def _why_absent(what: str) -> str:
    """The accounts are asked for first, and are there whenever the management API is."""
    return "is its management API switched on?" if what.startswith(ACCOUNTS) else "it came with version 7"


def _retry_after_s(answer: httpx.Response) -> float | None:
    seconds = answer.headers.get("retry-after", "")
    return number(float(seconds), 0.0, BANNED_S) if seconds.isascii() and seconds.isdigit() and len(seconds) < 9 else None


async def _body(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES:
            raise FormatError(f"its answer is larger than {ANSWER_BYTES // 1024 // 1024} MiB")
    return bytes(body)


async def watch(
    connection: Connection,
    take: Callable[[Polled], Awaitable[None]],
    failed: Callable[[PollError], None],
    jitter: Callable[[], float] = random.random,
) -> None:
    """Poll until cancelled. `take` and `failed` must not raise; failures double the wait, a refusal of the secret makes it long."""
    wait_s = connection.interval_s
    async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
        while True:
            try:
                polled = await poll(client, connection)
            except PollError as error:
                failed(error)
                wait_s = max(error.wait_s or 0.0, min(2 * wait_s, LONGEST_WAIT_S))
            else:
                await take(polled)
                wait_s = connection.interval_s
            await asyncio.sleep(wait_s * (0.9 + 0.2 * jitter()))


ADAPTER = Adapter(name="cliproxy", title="CLIProxyAPI", docs="https://github.com/router-for-me/CLIProxyAPI")
