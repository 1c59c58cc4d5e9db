"""The driver behind a narrow, typed door: a pool of connections, and its errors by our names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol, cast

import asyncpg

from holdfast_sidecar.stores.contract import StoreError, StoreFull
from holdfast_sidecar.stores.urls import PostgresUrl

Row = Mapping[str, Any]
_CLOSING_S: Final = 2.0
_TRIES: Final = 3  # of a statement that the server undid as a whole


class Connection(Protocol):
    """What is used of asyncpg's connections."""

    async def fetch(self, query: str, *args: object) -> Sequence[Row]: ...
    async def execute(self, query: str) -> str: ...
    def transaction(self) -> AbstractAsyncContextManager[object]: ...
    def terminate(self) -> None: ...


class _Pool(Protocol):
    """What is used of asyncpg's pools."""

    def acquire(self, *, timeout: float) -> AbstractAsyncContextManager[Connection]: ...
    async def close(self) -> None: ...
    def terminate(self) -> None: ...


def _errors(*names: str) -> tuple[type[Exception], ...]:
    return tuple(cast("type[Exception]", getattr(asyncpg, name)) for name in names)


_UNDONE: Final[tuple[type[Exception], ...]] = _errors("DeadlockDetectedError", "SerializationError")
_FULL: Final = _errors("DiskFullError")
_WRONG: Final[tuple[type[Exception], ...]] = _errors("DataError", "ProgramLimitExceededError")
_ENDED: Final = _errors("InternalClientError")  # on a connection that was told goodbye and is not closed yet
_ANY: Final[tuple[type[Exception], ...]] = (
    *_errors("PostgresError", "InterfaceError"), *_ENDED, OSError, TimeoutError
)  # fmt: skip
_create_pool: Final = cast("Callable[..., Any]", asyncpg.create_pool)


class _Undisturbed(asyncpg.Connection):
    """Given back as it is: we leave no state behind, and resetting it would cost a round trip per use."""

    def get_reset_query(self) -> str:
        return ""


class WrongValue(ValueError):
    """A value that its column cannot hold. The statement did nothing."""


class Postgres:
    def __init__(self, url: PostgresUrl) -> None:
        self.name = url.server
        self._url = url
        self._pool: _Pool | None = None

    async def open(self) -> None:
        timeout_s = self._url.timeout.total_seconds()
        settings = {
            "application_name": "holdfast",
            "statement_timeout": f"{int(timeout_s * 1000)}",
            "idle_in_transaction_session_timeout": f"{int(timeout_s * 1000)}",
            "jit": "off",  # compiles for longer than our statements run
            "enable_seqscan": "off",  # a plan made while a table was empty must not be kept when it is full
        }
        pool = _create_pool(
            str(self._url.dsn),
            min_size=1,
            max_size=self._url.connections_max,
            timeout=timeout_s,
            command_timeout=timeout_s + 1,  # the server's own timeout comes first and says more
            connection_class=_Undisturbed,
            server_settings=settings,
        )
        try:
            self._pool = cast("_Pool", await pool)
        except _ANY as error:
            raise self._failure(error) from error

    async def close(self) -> None:
        """Waits a moment for what is in flight, which then counts as not known."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CLOSING_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def fetch(self, query: str, *args: object) -> Sequence[Row]:
        """One statement, in a transaction of its own. What the server undid as a whole is tried again."""
        tries = _TRIES
        while True:
            try:
                async with self._connection() as connection, _never_again(connection):
                    return await connection.fetch(query, *args)
            except _UNDONE as error:
                tries -= 1
                if not tries:
                    raise self._failure(error) from error
            except _WRONG as error:
                raise WrongValue(str(error)) from error
            except _ANY as error:
                raise self._failure(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        try:
            async with self._connection() as connection, _never_again(connection), connection.transaction():
                yield connection
        except _ANY as error:
            raise self._failure(error) from error

    def _connection(self) -> AbstractAsyncContextManager[Connection]:
        if self._pool is None:
            raise StoreError(f"postgres {self.name}: expected an open store, found a closed one")
        return self._pool.acquire(timeout=self._url.timeout.total_seconds())

    def _failure(self, error: BaseException) -> StoreError:
        text = f"postgres {self.name}: {type(error).__name__}: {error}"
        return (
            StoreFull(f"{text}; nothing was written; make room on its disk")
            if isinstance(error, _FULL)
            else StoreError(text)
        )


@asynccontextmanager
async def _never_again(connection: Connection) -> AsyncGenerator[None]:
    """The pool would hand out a connection that cannot be used any more until its socket is closed, too."""
    try:
        yield
    except _ENDED:
        connection.terminate()
        raise
