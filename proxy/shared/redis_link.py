"""One connection to Redis that answers in time or counts as gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

ANSWER_MOST_S = 0.05
"""For one call, whether it connects first or not. A freeze of ten seconds costs the requests of its first 60 ms that much: 0.6 % of them,
so that their 99th percentile stays what it was; with 75 ms it grew by half where all that was slow already."""
ANSWER_LEAST_S = 0.02
PATIENCE = 5
"""How many times the slowest of the latest answers one may take. In the same data centre they take a millisecond."""
LATEST = 32
GRACE_S = 0.01
"""On top of that, counted from when this process notices: an answer that lies there already is no lost one, however late a busy event loop
comes to read it."""


class LinkError(Exception):
    """Redis did not do it, or not in time; whether it was done is not known. `str()` says why, without secrets."""


class RedisLink:
    """One call at a time. After a failure the next call makes a new connection."""

    def __init__(self, url: str, *, least_s: float = ANSWER_LEAST_S, most_s: float = ANSWER_MOST_S) -> None:
        """`least_s`, `most_s`: between them lies how long an answer may take."""
        self._least_s = least_s
        self._most_s = most_s
        self._url = url
        self._client: redis.asyncio.Redis | None = None
        self._scripts: dict[str, Any] = {}
        self._took_s: deque[float] = deque((most_s,), LATEST)

    async def call(self, script: str, key: str, message: bytes) -> Any:
        """Run a script on one key and one argument. Raises LinkError."""
        task = asyncio.current_task()
        assert task is not None
        before = task.cancelling()
        try:
            return await self._run(script, key, message)
        except TimeoutError:
            await self._hang_up()
            raise LinkError("Redis does not answer") from None
        except (RedisError, OSError) as error:
            await self._hang_up()
            raise LinkError(str(error) or type(error).__name__) from None
        except asyncio.CancelledError:
            await self._hang_up()
            raise
        finally:
            # The client can make an error of its own out of a cancellation (redis 8.1: once in a hundred stops of a busy process), and who
            # was cancelled would go on for ever.
            if task.cancelling() > before:
                raise asyncio.CancelledError

    async def _run(self, script: str, key: str, message: bytes) -> Any:
        """Raises TimeoutError when there is no answer in time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        patience_s = min(self._most_s, max(self._least_s, PATIENCE * max(self._took_s)))
        async with asyncio.timeout(None) as limit:
            late = loop.call_later(patience_s, lambda: limit.reschedule(loop.time() + GRACE_S))
            try:
                answer = await self._script(script)(keys=[key], args=[message])
            finally:
                late.cancel()
                self._took_s.append(loop.time() - began)
        return answer

    async def close(self) -> None:
        """Safe to call again."""
        await self._hang_up()
        client, self._client = self._client, None
        self._scripts.clear()
        if client is not None:
            with contextlib.suppress(RedisError, OSError):
                await client.aclose()

    async def _hang_up(self) -> None:
        """Without waiting: the other side may say nothing for ever. An answer that comes late must not be taken for the next one's."""
        if self._client is not None and self._client.connection is not None:
            with contextlib.suppress(RedisError, OSError):
                await self._client.connection.disconnect(nowait=True)

    def _script(self, text: str) -> Any:
        found = self._scripts.get(text)
        if found is None:
            if self._client is None:
                # No retry and no check beside the calls: whoever calls knows when to come back.
                self._client = redis.asyncio.Redis.from_url(
                    self._url, single_connection_client=True, retry=Retry(NoBackoff(), 0), health_check_interval=0
                )
            found = self._scripts[text] = self._client.register_script(text)
        return found
