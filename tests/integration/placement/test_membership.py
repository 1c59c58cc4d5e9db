"""Joining, serving, handing over, leaving, dying: one replica, one etcd, many sidecars."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from typing import Any
from zlib import crc32

import pytest

from holdfast_kit.clock import SystemClock
from holdfast_placement.assignment import bound
from holdfast_placement.etcd import Etcd as Client
from holdfast_placement.table import AppKey
from holdfast_proto.v1 import placement_pb2 as pb
from tests.integration.placement.client import Fleet, Sidecar
from tests.integration.placement.client import fleet as running_fleet
from tests.integration.placement.replicas import Replica, Replicas
from tests.support.etcd import Etcd
from tests.support.procs import wait_until

LEASE_S = 2.0


@pytest.fixture(scope="module")
def replicas(etcd_server: Etcd) -> Iterator[Replicas]:
    with Replicas(etcd_server.endpoints, settings={"lease": f"{LEASE_S}s", "etcd_prefix": "/membership"}) as started:
        yield started


@pytest.fixture
def replica(replicas: Replicas) -> Replica:
    return replicas[0]


@pytest.fixture
async def fleet() -> AsyncGenerator[Fleet]:
    async with running_fleet() as started:
        yield started


@pytest.fixture
def key(request: pytest.FixtureRequest) -> AppKey:
    """An app of its own for every test."""
    name: str = request.node.name
    return AppKey("default", name.partition("[")[0][:90] + str(crc32(name.encode()) % 1000))


async def test_the_first_host_gets_everything_and_a_second_its_share(
    replica: Replica, fleet: Fleet, key: AppKey
) -> None:
    a = fleet.start(Sidecar([replica.address], "a", key))
    await a.until_hosts("a")
    assert len(a.owned) == 64
    before = dict(a.owned)
    b = fleet.start(Sidecar([replica.address], "b", key))
    await a.until_hosts("a", "b")
    await b.until_hosts("a", "b")
    assert a.table == b.table
    assert len(a.owned) + len(b.owned) == 64
    assert max(len(a.owned), len(b.owned)) <= bound(64, 2)
    assert a.owned.items() <= before.items()
    assert all(epoch > before[partition] for partition, epoch in b.owned.items())
    assert a.diffs >= 1
    assert b.tables >= 1


async def test_a_host_that_does_not_serve_is_a_guest_in_the_table_and_owns_nothing(
    replica: Replica, fleet: Fleet, key: AppKey
) -> None:
    idle = fleet.start(Sidecar([replica.address], "idle", key, serving=False))
    await idle.until(lambda: idle.table is not None and bool(idle.table.hosts))
    assert idle.owned == {}
    a = fleet.start(Sidecar([replica.address], "a", key))
    await idle.until_hosts("a")
    await a.until(lambda: len(a.owned) == 64)
    assert a.table is not None
    assert [(host.id, host.is_guest) for host in a.table.hosts] == [("a", False), ("idle", True)]
    await idle.say(serve=pb.Serve())
    await a.until_hosts("a", "idle")
    await idle.until(lambda: len(idle.owned) > 20)


async def test_a_planned_leave_hands_over_before_it_ends_and_is_quick(
    replica: Replica, fleet: Fleet, key: AppKey
) -> None:
    a, b = (fleet.start(Sidecar([replica.address], name, key)) for name in "ab")
    await a.until_hosts("a", "b")
    await b.until_hosts("a", "b")
    started = time.monotonic()
    await b.leave()
    elapsed = time.monotonic() - started
    await a.until_hosts("a")
    assert len(a.owned) == 64
    assert b.refusals == []
    assert elapsed < LEASE_S
    await asyncio.to_thread(
        wait_until, lambda: [host["id"] for host in _app(replica, key)["hosts"]] == ["a"], "the page without b"
    )


async def test_a_host_may_stop_serving_and_start_again(replica: Replica, fleet: Fleet, key: AppKey) -> None:
    a, b = (fleet.start(Sidecar([replica.address], name, key)) for name in "ab")
    await a.until_hosts("a", "b")
    await a.say(leaving=pb.Leaving())
    await b.until_hosts("b")
    await a.say(serve=pb.Serve())
    await b.until_hosts("a", "b")
    assert a.connections == 1


async def test_a_leave_without_leaving_first_moves_everything_at_once(
    replica: Replica, fleet: Fleet, key: AppKey
) -> None:
    a, b = (fleet.start(Sidecar([replica.address], name, key)) for name in "ab")
    await a.until_hosts("a", "b")
    await b.say(leave=pb.Leave())
    await a.until_hosts("a", within=LEASE_S)


async def test_a_killed_host_is_gone_after_its_lease_and_not_before(
    replica: Replica, fleet: Fleet, key: AppKey
) -> None:
    a, b = (fleet.start(Sidecar([replica.address], name, key)) for name in "ab")
    await a.until_hosts("a", "b")
    await b.until(lambda: b.acks > 0)
    killed_at = time.monotonic()
    fleet.kill(b)
    await a.until_hosts("a", within=LEASE_S + 1)
    assert time.monotonic() - killed_at > LEASE_S / 2
    assert len(a.owned) == 64


async def test_a_host_that_stops_beating_is_dead_although_its_connection_stands(
    replica: Replica, fleet: Fleet, key: AppKey
) -> None:
    a, b = (fleet.start(Sidecar([replica.address], name, key)) for name in "ab")
    await a.until_hosts("a", "b")
    await b.until_hosts("a", "b")
    epochs = dict(b.owned)
    b.mute()
    await b.until(lambda: "SILENT" in b.codes, within=LEASE_S + 2)
    await b.until(lambda: b.connections > 1)
    await a.until(lambda: a.table is not None and a.table.host("b") is None, within=LEASE_S + 2)
    assert all(a.owned[partition] > epoch for partition, epoch in epochs.items())


async def test_a_reconnect_within_the_lease_keeps_every_epoch(replica: Replica, fleet: Fleet, key: AppKey) -> None:
    a, b = (fleet.start(Sidecar([replica.address], name, key)) for name in "ab")
    await a.until_hosts("a", "b")
    await b.until_hosts("a", "b")
    table = a.table
    fleet.kill(b)
    again = fleet.start(Sidecar([replica.address], "b", key))
    await again.until(lambda: again.acks > 5)
    assert again.table == a.table == table


async def test_a_restarted_process_waits_for_the_lease_and_gets_new_epochs(
    replica: Replica, fleet: Fleet, key: AppKey
) -> None:
    a = fleet.start(Sidecar([replica.address], "a", key))
    await a.until_hosts("a")
    fleet.kill(a)
    again = fleet.start(Sidecar([replica.address], "a", key, incarnation="second"))
    await again.until(lambda: len(again.owned) == 64)
    assert set(again.codes) == {"HOST_ID_TAKEN"}
    assert min(again.owned.values()) > max(a.owned.values())


async def test_a_second_process_with_the_same_id_is_refused_by_name_and_logged_once(
    replica: Replica, fleet: Fleet, key: AppKey
) -> None:
    a = fleet.start(Sidecar([replica.address], "a", key))
    await a.until_hosts("a")
    twin = fleet.start(Sidecar([replica.address], "a", key, incarnation="other", address="elsewhere:7000"))
    await twin.until(lambda: len(twin.refusals) >= 3)
    refusal = twin.refusals[0]
    assert refusal.code == pb.Refusal.Code.HOST_ID_TAKEN
    assert "the id is held by the process first at a:7000, found process other at elsewhere:7000" in refusal.text
    assert refusal.retry_after_ms == LEASE_S * 1000
    logged = [entry for entry in replica.logged("host refused") if key.app_id in entry["reason"]]
    assert len(logged) == 1
    assert len(a.owned) == 64


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"partitions": 128}, "PARTITION_COUNT", "namespace default has 64 partitions, found 128 in the sidecar"),
        ({"protocol": 7}, "PROTOCOL", "expected protocol version 1, found 7"),
        ({"app": AppKey("default", "a/b")}, "INVALID", "expected as app id"),
        ({"address": "nowhere"}, "INVALID", "expected an address host:port"),
    ],
)
async def test_what_cannot_join_is_told_why(
    replica: Replica, fleet: Fleet, key: AppKey, changes: dict[str, object], code: str, text: str
) -> None:
    first = fleet.start(Sidecar([replica.address], "a", key))
    await first.until_hosts("a")
    wrong = Sidecar([replica.address], "wrong", key)
    for name, value in changes.items():
        setattr(wrong, name, value)
    fleet.start(wrong)
    await wrong.until(lambda: wrong.is_over)
    assert wrong.codes == [code]
    assert text in wrong.refusals[0].text
    assert wrong.connections == 0


async def test_a_newer_stream_of_the_same_process_ends_the_older(replica: Replica, fleet: Fleet, key: AppKey) -> None:
    older = fleet.start(Sidecar([replica.address], "a", key))
    await older.until_hosts("a")
    table = older.table
    newer = fleet.start(Sidecar([replica.address], "a", key))
    await newer.until_hosts("a")
    await older.until(lambda: "SUPERSEDED" in older.codes)
    assert newer.table == table


async def test_the_table_of_another_app_can_be_watched(replica: Replica, fleet: Fleet, key: AppKey) -> None:
    other = AppKey(key.namespace, "billing")
    theirs = fleet.start(Sidecar([replica.address], "b", other))
    await theirs.until_hosts("b")
    a = fleet.start(Sidecar([replica.address], "a", key))
    await a.until_hosts("a")
    await a.say(watch=pb.Watch(app_id="billing"))
    await a.until(lambda: other in a.others)
    assert a.others[other] == theirs.table


async def test_a_fence_in_the_store_above_the_epoch_raises_all_epochs(
    replica: Replica, fleet: Fleet, key: AppKey
) -> None:
    a = fleet.start(Sidecar([replica.address], "a", key))
    await a.until_hosts("a")
    (epoch,) = set(a.owned.values())
    await a.say(fenced=pb.Fenced(partition=3, fence=epoch))
    await a.say(fenced=pb.Fenced(partition=3, fence=epoch + 10_000, epoch=epoch))
    await a.until(lambda: set(a.owned.values()) == {epoch + 10_001})


async def test_a_host_that_was_refused_because_it_was_late_raises_nothing(
    replica: Replica, fleet: Fleet, key: AppKey
) -> None:
    a = fleet.start(Sidecar([replica.address], "a", key))
    await a.until_hosts("a")
    epoch = a.owned[3]
    await a.say(fenced=pb.Fenced(partition=3, fence=10**12, epoch=epoch - 1))
    b = fleet.start(Sidecar([replica.address], "b", key))
    await a.until_hosts("a", "b")
    await a.until_beats(2)
    await b.leave()
    await a.until_hosts("a")
    assert max(a.owned.values()) < 10**12


async def test_a_table_older_than_its_own_is_not_sent_to_a_host(replica: Replica, fleet: Fleet, key: AppKey) -> None:
    a = fleet.start(Sidecar([replica.address], "a", key))
    await a.until_hosts("a")
    assert a.table is not None
    ahead = replace(a.table, version=a.table.version + 500)
    again = fleet.start(Sidecar([replica.address], "a", key, table=ahead))
    await again.until_epochs_above(ahead.version)
    assert again.tables == 1


async def test_many_joins_at_once_make_few_tables(replica: Replica, fleet: Fleet, key: AppKey) -> None:
    hosts = [fleet.start(Sidecar([replica.address], f"h{number:02}", key)) for number in range(20)]
    async with asyncio.TaskGroup() as group:
        for host in hosts:
            group.create_task(host.until_hosts(*(other.host_id for other in hosts)))
    tables = {host.table.version for host in hosts if host.table}
    assert len(tables) == 1
    assert all(host.tables + host.diffs <= 15 for host in hosts)


async def test_foreign_keys_are_ignored_and_logged_once(
    replica: Replica, fleet: Fleet, key: AppKey, etcd_server: Etcd
) -> None:
    await _put(etcd_server, b"/membership/foreign", b"x", times=3)
    await _put(etcd_server, f"/membership/ns/default/app/{key.app_id}/host/x".encode(), b"\xff\xff")
    await _put(etcd_server, f"/membership/ns/default/app/{key.app_id}/table".encode(), b"\xff\xff")
    a = fleet.start(Sidecar([replica.address], "a", key))
    await a.until_hosts("a")
    logged = [entry["key"] for entry in replica.logged("foreign key in etcd ignored")]
    assert logged.count("/membership/foreign") == 1


async def test_page_json_and_metrics_show_the_cluster(replica: Replica, fleet: Fleet, key: AppKey) -> None:
    a, b = (fleet.start(Sidecar([replica.address], name, key)) for name in "ab")
    await a.until_hosts("a", "b")
    await b.until_hosts("a", "b")
    shown = _app(replica, key)
    assert {host["id"]: host["partitions"] for host in shown["hosts"]} == {"a": len(a.owned), "b": len(b.owned)}
    assert shown["unowned"] == 0
    assert key.app_id in [move["app_id"] for move in replica.state()["moves"]]
    page = replica.get("/").decode()
    assert key.app_id in page
    assert "<script" not in page
    metrics = replica.get("/metrics").decode()
    assert f'holdfast_placement_hosts{{app_id="{key.app_id}",namespace="default"}} 2.0' in metrics
    assert b'"status": "ok"' in replica.get("/healthz")


def _app(replica: Replica, key: AppKey) -> dict[str, Any]:
    found: dict[str, Any] = next(app for app in replica.state()["apps"] if app["app_id"] == key.app_id)
    return found


async def _put(server: Etcd, name: bytes, value: bytes, *, times: int = 1) -> None:
    client = Client(server.endpoints, clock=SystemClock())
    for _ in range(times):
        await client.put(name, value)
    await client.close()
