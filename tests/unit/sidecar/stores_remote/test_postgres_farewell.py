"""A server that says goodbye on a connection nobody uses at that moment: first the words come, later the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from struct import pack

import pytest

from holdfast_sidecar.stores.contract import StoreError
from holdfast_sidecar.stores.postgres import PostgresStore
from tests.conformance.builders import place
from tests.conformance.postgres import postgres_store
from tests.support.postgres import Postgres

PATIENCE = 20


class Relay:
    """Between store and server; can speak to the store as the server would, and keeps the connection open then."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self._group = asyncio.TaskGroup()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Relay:
        await self._group.__aenter__()
        self._server = await asyncio.start_server(self._met, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._group.__aexit__(None, None, None)

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, back]
        self._group.create_task(_pass_on(reader, back))
        self._group.create_task(_pass_on(there, writer))

    async def say_goodbye(self) -> None:
        fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0"
        for writer in self._writers[::2]:
            writer.write(b"E" + pack("!i", len(fields) + 4) + fields)
            await writer.drain()
        for _ in range(10):  # the store reads it in this very loop, in one of its next passes
            await asyncio.sleep(0)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


@pytest.fixture
async def relay(postgres_server: Postgres) -> AsyncIterator[Relay]:
    async with Relay(postgres_server.port) as between:
        yield between


@pytest.fixture
async def store(postgres_server: Postgres, relay: Relay) -> AsyncIterator[PostgresStore]:
    url = f"{postgres_server.url.replace(str(postgres_server.port), str(relay.port))}?schema=farewell"
    opened = postgres_store(url)
    await opened.open(namespace="shop", partitions=16)
    yield opened
    await opened.close()


async def test_a_connection_that_was_told_goodbye_is_a_store_error_once_and_is_not_used_again(
    relay: Relay, store: PostgresStore
) -> None:
    await store.load([place("order-7")])
    await relay.say_goodbye()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(StoreError):
            await store.load([place("order-7")])
        assert await store.load([place("order-7")]) == [None]
