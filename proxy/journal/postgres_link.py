"""One connection to PostgreSQL, made when it is needed and thrown away when anything goes wrong on it.

Rules: every wait is bounded, every failure is a StoreError without the password, and nothing here retries: whoever asked knows when to
come back, and finds a new connection then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from urllib.parse import unquote, urlsplit

import asyncpg

from proxy.journal.places import without_password
from proxy.journal.port import StoreError
from proxy.journal.postgres_schema import SCHEMA
from proxy.journal.postgres_spelling import as_number

_CONNECT_S = 3.0
"""A server in the same data centre answers in milliseconds; one that is frozen never does."""
_CLOSE_S = 0.5

# What asyncpg and the sockets below it raise. Server-side errors of any kind are PostgresErrors.
_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class Link:
    """One user at a time: the others wait their turn."""

    def __init__(self, url: str, *, timeout_s: float, settings: Mapping[str, str] | None = None) -> None:
        """`timeout_s` bounds one use of the connection; `settings` are PostgreSQL's own (`SET name = value`) for this connection."""
        self.shown = without_password(url)
        self._url = url
        self._timeout_s = timeout_s
        # Compiling a statement costs more than any of ours takes to run.
        self._settings = {"application_name": "donut", "search_path": SCHEMA, "jit": "off", **(settings or {})}
        self._connection: asyncpg.Connection | None = None
        self._is_open = False
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Connect. Raises StoreError."""
        self._is_open = True
        async with self.connection():
            pass

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """The connection, for one transaction or question. Raises StoreError for whatever goes wrong inside, too."""
        async with self._lock:
            try:
                connection = await self._connected()
                async with asyncio.timeout(self._timeout_s):
                    yield connection
            except BaseException as error:
                self._drop()
                if isinstance(error, _FAILURES):
                    raise StoreError(f"{self.shown}: {self._words(error)}") from None
                raise

    async def close(self) -> None:
        """Safe to call again."""
        self._is_open = False
        connection, self._connection = self._connection, None
        if connection is not None:
            # On a time-out asyncpg cuts the connection by itself.
            with contextlib.suppress(*_FAILURES):
                await connection.close(timeout=_CLOSE_S)

    async def _connected(self) -> asyncpg.Connection:
        if not self._is_open:
            raise StoreError(f"{self.shown}: the journal is not open")
        if self._connection is None or self._connection.is_closed():
            connection = await asyncpg.connect(self._url, timeout=_CONNECT_S, server_settings=self._settings)
            self._connection = connection
            await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=as_number, format="text")
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _words(self, error: BaseException) -> str:
        if isinstance(error, TimeoutError):
            return "PostgreSQL does not answer"
        password = password_of(self._url)
        words = str(error) or type(error).__name__
        return words.replace(password, "***") if password else words


def password_of(url: str) -> str:
    """The password in `url`, in the clear; empty when there is none."""
    return unquote(urlsplit(url).password or "")
