"""Slots that move between masters, and masters that die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.crc import key_slot

from holdfast_sidecar.stores.contract import Outcome, StoreError
from holdfast_sidecar.stores.redis import RedisStore
from tests.conformance.builders import create, follow, place
from tests.conformance.redis import redis_store
from tests.support.valkey import Valkey, ValkeyCluster

PATIENCE = 20


@pytest.fixture(scope="module")
def cluster() -> Iterator[ValkeyCluster]:
    with ValkeyCluster() as started:
        yield started


@pytest.fixture
async def store(cluster: ValkeyCluster) -> AsyncIterator[RedisStore]:
    for node in cluster.nodes:
        node.call("FLUSHALL")
    opened = redis_store(f"redis+cluster://127.0.0.1:{cluster.nodes[0].port}?timeout=2s")
    await opened.open(namespace="shop", partitions=16)
    yield opened
    await opened.close()


def _slot(instance_id: str) -> int:
    return key_slot(f"{{hf:shop:{place(instance_id)[0]}}}".encode())


def _owner(cluster: ValkeyCluster, slot: int) -> Valkey:
    share = -(-16_384 // len(cluster.nodes))
    return cluster.nodes[slot // share]


def _begin_move(slot: int, source: Valkey, target: Valkey) -> None:
    target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source.call("CLUSTER", "MYID"))
    source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target.call("CLUSTER", "MYID"))
    for key in source.call("CLUSTER", "GETKEYSINSLOT", slot, 1000):
        source.call("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)


def _end_move(cluster: ValkeyCluster, slot: int, target: Valkey) -> None:
    for node in (target, *cluster.nodes):
        node.call("CLUSTER", "SETSLOT", slot, "NODE", target.call("CLUSTER", "MYID"))


async def test_a_slot_that_has_moved_is_found_where_it_is(cluster: ValkeyCluster, store: RedisStore) -> None:
    first = create("order-7")
    others = [create(f"order-{number}") for number in range(100, 150)]
    assert await store.commit([first, *others]) == [Outcome.APPLIED] * 51
    slot = _slot("order-7")
    source = _owner(cluster, slot)
    target = next(node for node in cluster.nodes if node is not source)

    _begin_move(slot, source, target)
    with pytest.raises(StoreError, match=r"(?i)ask|tryagain"):
        await store.commit([follow(first, events=[b"on the way"])])
    _end_move(cluster, slot, target)

    changes = [follow(commit, events=[b"a"]) for commit in (first, *others)]
    assert await store.commit(changes) == [Outcome.APPLIED] * 51
    (found,) = await store.load([place("order-7")])
    assert found is not None
    assert found.history == (b"a",)
    _begin_move(slot, target, source)
    _end_move(cluster, slot, source)


async def test_a_dead_master_takes_only_its_own_partitions_along(cluster: ValkeyCluster, store: RedisStore) -> None:
    orders = [f"order-{number}" for number in range(60)]
    assert await store.commit([create(order) for order in orders]) == [Outcome.APPLIED] * 60
    dead = cluster.nodes[1]
    for node in cluster.nodes:
        node.call("CONFIG", "SET", "cluster-require-full-coverage", "no")
    dead.kill()
    alive = [order for order in orders if _owner(cluster, _slot(order)) is not dead]
    gone = [order for order in orders if _owner(cluster, _slot(order)) is dead]
    assert None not in await store.load([place(order) for order in alive])
    with pytest.raises(StoreError, match=str(dead.port)):
        await store.load([place(order) for order in gone])

    dead.start()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                assert None not in await store.load([place(order) for order in orders])
                break
            except StoreError:
                await asyncio.sleep(0.05)
