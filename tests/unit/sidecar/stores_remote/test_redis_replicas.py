"""A replica that lags: what it does not have does not count, however often one asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from holdfast_sidecar.stores.contract import Outcome, StoreError
from holdfast_sidecar.stores.redis import RedisStore
from tests.conformance.builders import create, follow, place
from tests.conformance.redis import redis_store
from tests.support.valkey import Valkey

LAGS = "expected 1 replicas"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Valkey, Valkey]]:
    with Valkey(appendonly=False) as master:
        follow_it = ("--replicaof", f"127.0.0.1 {master.port}", "--repl-diskless-sync-delay", "0")
        with Valkey(appendonly=False, options=follow_it) as replica:
            replica.wait(lambda client: client.info("replication")["master_link_status"] == "up", "following")
            yield master, replica


@pytest.fixture
async def store(servers: tuple[Valkey, Valkey]) -> AsyncIterator[RedisStore]:
    opened = redis_store(f"{servers[0].url}?wait_replicas=1&wait_timeout=100ms")
    await opened.open(namespace="shop", partitions=16)
    yield opened
    await opened.close()


async def test_a_fence_is_held_only_when_the_replica_has_it_too(
    servers: tuple[Valkey, Valkey], store: RedisStore
) -> None:
    _, replica = servers
    replica.pause()
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match=LAGS):
                await store.acquire([3], 7)
    finally:
        replica.resume()
    assert await store.acquire([3], 7) == [3]
    assert replica.call("GET", "{hf:shop:3}:fence") == "7"


async def test_a_commit_that_is_found_by_a_load_is_on_the_replica(
    servers: tuple[Valkey, Valkey], store: RedisStore
) -> None:
    _, replica = servers
    first = create("order-7", epoch=9)
    replica.pause()
    try:
        with pytest.raises(StoreError, match=LAGS):
            await store.commit([first])
        for _ in range(2):
            with pytest.raises(StoreError, match=LAGS):
                await store.load([place("order-7")])
    finally:
        replica.resume()
    (found,) = await store.load([place("order-7")])
    assert found is not None
    assert replica.call("HGET", f"{{hf:shop:{place('order-7')[0]}}}:workflow:order-7", "etag") == "1 0 0"
    assert await store.commit([follow(first)]) == [Outcome.APPLIED]
