"""TLS on the way: a relay in front of a plain server speaks it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from holdfast_sidecar.stores.contract import Outcome, StoreError
from tests.conformance.builders import create
from tests.conformance.redis import redis_store
from tests.support.valkey import Valkey


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey(appendonly=False) as started:
        yield started


@asynccontextmanager
async def _relay(target: int, context: ssl.SSLContext) -> AsyncGenerator[int]:
    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
        async with asyncio.TaskGroup() as group:
            group.create_task(copy(reader, there_writer))
            group.create_task(copy(there_reader, writer))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


async def test_rediss_checks_who_answers_and_shows_who_asks(server: Valkey, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("localhost").configure_cert(context)
    ca, cert, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(ca)
    client = authority.issue_cert("sidecar")
    client.cert_chain_pems[0].write_to_path(cert)
    client.private_key_pem.write_to_path(key)
    async with _relay(server.port, context) as port:
        store = redis_store(f"rediss://localhost:{port}?ca={ca}&cert={cert}&key={key}")
        await store.open(namespace="shop", partitions=16)
        assert await store.commit([create("order-7")]) == [Outcome.APPLIED]
        await store.close()
        for wrong in (f"rediss://localhost:{port}", f"rediss://127.0.0.1:{port}?ca={ca}&cert={cert}&key={key}"):
            refused = redis_store(wrong)
            with pytest.raises(StoreError, match="certificate"):
                await refused.open(namespace="shop", partitions=16)
            await refused.close()
