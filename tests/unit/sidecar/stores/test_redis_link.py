"""Connections that fail in ways of their own become errors of the store."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from holdfast_sidecar.stores.contract import StoreError
from holdfast_sidecar.stores.redis_link import Connection, LinkSettings, Node


class Pool:
    def __init__(self) -> None:
        self.released = 0

    async def get_connection(self) -> Connection:
        return Closed()

    async def release(self, connection: Connection) -> None:
        self.released += 1

    async def disconnect(self, inuse_connections: bool = True) -> None: ...


class Closed:
    """A connection that the server has reset: uvloop says so by a RuntimeError when one writes to it."""

    async def disconnect(self, nowait: bool) -> None: ...

    async def send_packed_command(self, command: Sequence[bytes], check_health: bool) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    async def read_response(self, disable_decoding: bool) -> object:
        return b"PONG"


async def test_a_connection_that_was_closed_is_an_error_of_the_store_and_given_back() -> None:
    pool = Pool()
    with pytest.raises(StoreError, match="the handler is closed"):
        await Node("server", pool, LinkSettings()).call([("PING",)])
    assert pool.released == 1
