"""Partitions come and go table by table, and whoever waits for an instance hears of its end wherever it was written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import grpc

from holdfast_kit.clock import SystemClock
from holdfast_kit.ids import SystemIds
from holdfast_placement.table import AppKey, Table, empty, moved
from holdfast_placement.table import Host as Place
from holdfast_proto.history import Status
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.cluster.dialer import Dialer
from holdfast_sidecar.cluster.node import ClusterNode
from holdfast_sidecar.cluster.placement_stream import Me
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.state import Record, View
from holdfast_sidecar.stores.contract import StoreError
from holdfast_sidecar.stores.memory import Memory, MemoryStore
from tests.unit.sidecar.actors.house import HandWorker

_APP = AppKey("default", "app")
_PARTITIONS = 4
_HOSTS = [Place("a", "127.0.0.1:1", "1"), Place("b", "127.0.0.1:2", "1")]


class Store(MemoryStore):
    """Notes what is acquired; may be away at first; one instance ends just before the fence is raised."""

    def __init__(self, *, away: int = 0) -> None:
        super().__init__(Memory())
        self.away = away
        self.waits_for_look = False
        self._looked = asyncio.Event()
        self.acquired: list[tuple[list[int], int]] = []

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        if self.away:
            self.away -= 1
            raise StoreError("away")
        if self.waits_for_look:
            await self._looked.wait()
        self.acquired.append((list(partitions), epoch))
        return await super().acquire(partitions, epoch)

    async def view(self, instances: Sequence[tuple[int, str]], *, payloads: bool) -> Sequence[View | None]:
        self._looked.set()
        status = Status.COMPLETED if self.acquired else Status.RUNNING
        return [
            View(record=Record(id=one, name="w", status=status, created_at=1, updated_at=1, execution_id="e"))
            for _, one in instances
        ]


def _host(store: Store) -> Host:
    return Host(store=store, clock=SystemClock(), ids=SystemIds(), partitions=_PARTITIONS, limits=Limits())


@asynccontextmanager
async def _node(store: Store, host: Host | None = None) -> AsyncGenerator[ClusterNode]:
    """Host a, whose placement is away: tables come from the test."""
    await store.open(namespace="default", partitions=_PARTITIONS)
    host = host or _host(store)
    me = Me(app=_APP, host_id="a", incarnation="1", address="127.0.0.1:1", partitions=_PARTITIONS)
    away = grpc.aio.insecure_channel
    dial = Dialer(None, server_name="")
    node = ClusterNode(host, me, placement=["127.0.0.1:1"], placement_channel=away, dial=dial)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        tasks = node.start(group)
        try:
            yield node
        finally:
            for task in tasks:
                task.cancel()


async def _apply(node: ClusterNode, table: Table) -> None:
    node.ownership.applied.clear()
    node.ownership.want(table)
    while node.ownership.applied_version != table.version:
        await node.ownership.applied.wait()
        node.ownership.applied.clear()


def _table(owners: Sequence[str | None], *, version: int, before: Table | None = None) -> Table:
    return moved(before or empty(_APP, _PARTITIONS), _HOSTS, owners=owners, version=version)


async def test_what_the_table_gives_is_fenced_with_its_epoch_and_what_it_takes_is_released() -> None:
    store = Store()
    async with _node(store) as node:
        first = _table(["a", "a", "b", "b"], version=5)
        await _apply(node, first)
        assert (store.acquired, node.ownership.owned) == ([([0, 1], 5)], 2)
        await _apply(node, _table(["a", "b", "a", "b"], version=6, before=first))
        assert store.acquired[1:] == [([2], 6)]
        assert node.ownership.owned == 2


async def test_a_store_that_is_away_is_asked_again_until_it_answers() -> None:
    store = Store(away=1)
    async with _node(store) as node:
        await _apply(node, _table(["a"] * 4, version=1))
        assert store.acquired == [([0, 1, 2, 3], 1)]


async def test_a_partition_lost_to_a_higher_epoch_is_taken_again_when_a_newer_table_gives_it() -> None:
    store = Store()
    async with _node(store) as node:
        first = _table(["a"] * 4, version=1)
        await _apply(node, first)
        node.ownership.lost(2)
        assert node.ownership.owned == 3
        there = _table(["a", "a", "b", "a"], version=2, before=first)
        await _apply(node, _table(["a"] * 4, version=3, before=there))
        assert store.acquired[1:] == [([2], 3)]


async def test_an_end_that_the_owner_before_wrote_just_before_the_fence_is_told() -> None:
    store = Store()
    async with _node(store) as node:
        first = _table(["b"] * 4, version=1)
        await _apply(node, first)
        store.waits_for_look = True
        ended = asyncio.get_running_loop().create_future()
        node.router.watch("order-1", ended.set_result, for_end=True)
        await _apply(node, _table(["a"] * 4, version=2, before=first))
        view = await ended
        assert view.record.status is Status.COMPLETED


async def test_a_host_in_a_cluster_counts_the_workers_that_come() -> None:
    store = Store()
    host = _host(store)
    async with _node(store, host):
        host.pool.connect(HandWorker())
        assert host.connects == 1
