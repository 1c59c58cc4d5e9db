"""What dies: replicas, the leader, etcd members, all of etcd. What must hold: ownership, and coming back by itself."""

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, Iterator

import pytest

from holdfast_placement.table import AppKey
from holdfast_proto.v1 import placement_pb2 as pb
from tests.integration.placement.client import Fleet, Sidecar
from tests.integration.placement.client import fleet as running_fleet
from tests.integration.placement.replicas import Replicas
from tests.support.etcd import Etcd
from tests.support.procs import wait_until

LEASE_S = 2.0
# etcd as it comes: elections after a second, hence leases of two seconds at least.
DEFAULT_TIMES = ("--heartbeat-interval=100", "--election-timeout=1000")


@pytest.fixture
def three_etcd() -> Iterator[Etcd]:
    with Etcd(members=3, options=DEFAULT_TIMES) as server:
        yield server


@pytest.fixture
def one_etcd() -> Iterator[Etcd]:
    with Etcd(options=DEFAULT_TIMES) as server:
        yield server


@pytest.fixture
async def fleet() -> AsyncGenerator[Fleet]:
    async with running_fleet() as started:
        yield started


@pytest.fixture
def key() -> AppKey:
    return AppKey("default", "orders")


def three_replicas(server: Etcd) -> Replicas:
    return Replicas(server.endpoints, number=3, settings={"lease": f"{LEASE_S}s"})


async def started(fleet: Fleet, replicas: Replicas, key: AppKey, names: str) -> list[Sidecar]:
    sidecars = [fleet.start(Sidecar(replicas.addresses, name, key)) for name in names]
    for sidecar in sidecars:
        await sidecar.until_hosts(*names)
        await sidecar.until_beats(1)
    return sidecars


async def test_a_killed_replica_costs_its_sidecars_a_reconnect_and_no_ownership(
    one_etcd: Etcd, fleet: Fleet, key: AppKey
) -> None:
    with three_replicas(one_etcd) as replicas:
        sidecars = await started(fleet, replicas, key, "abcdef")
        table = sidecars[0].table
        victim = replicas.named(sidecars[0].replica_id)
        moved = [sidecar for sidecar in sidecars if sidecar.replica_id == victim.id]
        victim.child.kill()
        for sidecar in moved:
            await sidecar.until_connected(2, within=LEASE_S)
        await _beats(sidecars, 4)
        assert {sidecar.table and sidecar.table.version for sidecar in sidecars} == {table and table.version}


async def test_a_host_that_moved_to_another_replica_is_not_removed_by_the_first(
    one_etcd: Etcd, fleet: Fleet, key: AppKey
) -> None:
    with three_replicas(one_etcd) as replicas:
        first, second = replicas.addresses[:2]
        a, b = (fleet.start(Sidecar([first], name, key)) for name in "ab")
        await a.until_hosts("a", "b")
        table = a.table
        fleet.kill(b)
        again = fleet.start(Sidecar([second], "b", key))
        await again.until_beats(6)  # two leases
        assert again.table == a.table == table
        assert replicas[0].logged("host removed, nothing heard for a lease") == []


async def test_a_stopping_replica_sends_its_sidecars_to_the_others(one_etcd: Etcd, fleet: Fleet, key: AppKey) -> None:
    with three_replicas(one_etcd) as replicas:
        sidecars = await started(fleet, replicas, key, "abcd")
        table = sidecars[0].table
        victim = replicas.leader()
        moved = [sidecar for sidecar in sidecars if sidecar.replica_id == victim.id]
        exit_code = await asyncio.to_thread(victim.child.terminate)
        assert exit_code == 0
        for sidecar in moved:
            await sidecar.until_connected(2, within=LEASE_S)
            assert sidecar.go_aways == 1
        await _beats(sidecars, 4)
        assert all(sidecar.table == table for sidecar in sidecars)
        assert (await asyncio.to_thread(replicas.leader)).id != victim.id


async def test_after_the_leader_is_killed_a_host_joins_within_two_seconds(
    one_etcd: Etcd, fleet: Fleet, key: AppKey
) -> None:
    with three_replicas(one_etcd) as replicas:
        sidecars = await started(fleet, replicas, key, "ab")
        leader = replicas.leader()
        leader.child.kill()
        killed_at = time.monotonic()
        late = fleet.start(Sidecar(replicas.addresses, "late", key))
        await late.until_hosts("a", "b", "late", within=2.0)
        print(f"leader killed: a host joined after {time.monotonic() - killed_at:.2f} s")
        assert len(late.owned) > 10
        assert all(sidecar.refusals == [] for sidecar in sidecars)
        assert replicas.leader().id != leader.id


async def test_a_paused_leader_writes_nothing_when_it_comes_back(one_etcd: Etcd, fleet: Fleet, key: AppKey) -> None:
    with three_replicas(one_etcd) as replicas:
        await started(fleet, replicas, key, "ab")
        leader = replicas.leader()
        leader.child.pause()
        others = [replica.address for replica in replicas.all if replica is not leader]
        late = fleet.start(Sidecar(others, "late", key))
        await late.until(lambda: late.table is not None and late.table.host("late") is not None, within=5)
        leader.child.resume()
        await asyncio.to_thread(wait_until, lambda: not leader.state()["is_leader"], "the old leader to step down")
        later = fleet.start(Sidecar(others, "later", key))
        await later.until(lambda: later.table is not None and later.table.host("later") is not None)
        leaders = [replica.state()["is_leader"] for replica in replicas.all]
        assert leaders.count(True) == 1


async def test_while_etcd_is_down_the_table_stays_and_nobody_joins_and_then_all_is_as_before(
    one_etcd: Etcd, fleet: Fleet, key: AppKey
) -> None:
    with three_replicas(one_etcd) as replicas:
        sidecars = await started(fleet, replicas, key, "abc")
        table = sidecars[0].table
        one_etcd.kill()
        await sidecars[0].until(lambda: sidecars[0].etcd_silence_ms > 2200)
        stranger = fleet.start(Sidecar(replicas.addresses, "stranger", key))
        await stranger.until(lambda: "ETCD_UNAVAILABLE" in stranger.codes)
        assert all(sidecar.connections == 1 for sidecar in sidecars)
        assert all(replica.get("/readyz") for replica in replicas.all)
        await asyncio.to_thread(one_etcd.start)
        await stranger.until(lambda: stranger.connections == 1)
        for sidecar in sidecars:
            await sidecar.until_hosts("a", "b", "c", "stranger")
        after = sidecars[0].table
        assert table is not None
        assert after is not None
        kept = [row for row, old in zip(after.rows, table.rows, strict=True) if row == old]
        assert len(kept) >= 64 * 0.7


async def test_a_member_may_reconnect_to_another_replica_while_etcd_is_down(
    one_etcd: Etcd, fleet: Fleet, key: AppKey
) -> None:
    with three_replicas(one_etcd) as replicas:
        sidecars = await started(fleet, replicas, key, "ab")
        table = sidecars[0].table
        one_etcd.kill()
        await sidecars[0].until(lambda: sidecars[0].etcd_silence_ms > 2200)
        replicas.named(sidecars[0].replica_id).child.kill()
        await sidecars[0].until(lambda: sidecars[0].connections == 2)
        await asyncio.to_thread(one_etcd.start)
        await sidecars[0].until(lambda: sidecars[0].etcd_silence_ms < 1000)
        await _beats(sidecars, 4)
        assert all(sidecar.table == table for sidecar in sidecars)


async def test_an_etcd_member_after_the_other_may_die(three_etcd: Etcd, fleet: Fleet, key: AppKey) -> None:
    with three_replicas(three_etcd) as replicas:
        sidecars = await started(fleet, replicas, key, "abc")
        table = sidecars[0].table
        for member in range(3):
            three_etcd.kill(member)
            await _beats(sidecars, 4)
            await asyncio.to_thread(three_etcd.start, member)
        assert all(sidecar.table == table for sidecar in sidecars)
        assert all(sidecar.refusals == [] for sidecar in sidecars)


async def test_without_a_quorum_the_table_stays_and_with_it_joins_go_on(
    three_etcd: Etcd, fleet: Fleet, key: AppKey
) -> None:
    with three_replicas(three_etcd) as replicas:
        sidecars = await started(fleet, replicas, key, "ab")
        table = sidecars[0].table
        three_etcd.kill(0)
        three_etcd.kill(1)
        await _beats(sidecars, 4)
        assert all(sidecar.table == table for sidecar in sidecars)
        late = fleet.start(Sidecar(replicas.addresses, "late", key))
        await asyncio.to_thread(three_etcd.start, 0)
        await late.until_hosts("a", "b", "late", within=30)


async def test_everything_restarted_at_once_comes_back_with_higher_epochs(
    one_etcd: Etcd, fleet: Fleet, key: AppKey
) -> None:
    with three_replicas(one_etcd) as replicas:
        sidecars = await started(fleet, replicas, key, "ab")
        before = max(row.epoch for row in sidecars[0].table.rows) if sidecars[0].table else 0
        for sidecar in sidecars:
            fleet.kill(sidecar)
        for replica in replicas.all:
            replica.child.kill()
        await asyncio.to_thread(one_etcd.restart)
        for replica in replicas.all:
            replica.restart()
        again = [fleet.start(Sidecar(replicas.addresses, name, key, incarnation="second")) for name in "ab"]
        await again[0].until(lambda: sorted(_owners(again[0])) == [("a", "second"), ("b", "second")], within=30)
        table = again[0].table
        assert table is not None
        assert min(row.epoch for row in table.rows) > before


async def test_an_etcd_started_again_empty_is_filled_by_who_is_there_and_no_epoch_is_repeated(
    fleet: Fleet, key: AppKey
) -> None:
    with Etcd() as server, three_replicas(server) as replicas:
        sidecars = await started(fleet, replicas, key, "ab")
        await _raise_epochs(sidecars[0], sidecars, above=5_000)
        await asyncio.to_thread(_start_empty, server)
        for sidecar in sidecars:
            await sidecar.until_epochs_above(5_001)
            await sidecar.until_hosts("a", "b")


async def test_when_only_sidecars_remember_their_tables_no_epoch_is_repeated(fleet: Fleet, key: AppKey) -> None:
    with Etcd() as server, three_replicas(server) as replicas:
        sidecars = await started(fleet, replicas, key, "ab")
        await _raise_epochs(sidecars[0], sidecars, above=5_000)
        for replica in replicas.all:
            replica.child.kill()
        await asyncio.to_thread(_start_empty, server)
        for replica in replicas.all:
            replica.restart()
        for sidecar in sidecars:
            await sidecar.until_epochs_above(5_001)
            await sidecar.until_hosts("a", "b")


async def test_when_only_the_store_remembers_a_refused_host_raises_the_epochs(fleet: Fleet, key: AppKey) -> None:
    with Etcd() as server, three_replicas(server) as replicas:
        (a,) = await started(fleet, replicas, key, "a")
        await a.say(fenced=pb.Fenced(partition=5, fence=7_777, epoch=a.owned[5]))
        await a.until_epochs_above(7_777)


async def test_a_replica_and_its_sidecar_killed_together_are_noticed_by_etcd(
    one_etcd: Etcd, fleet: Fleet, key: AppKey
) -> None:
    with three_replicas(one_etcd) as replicas:
        a = fleet.start(Sidecar([replicas[0].address], "a", key))
        b = fleet.start(Sidecar([replicas[1].address], "b", key))
        await a.until_hosts("a", "b")
        await b.until_beats(1)
        replicas[1].child.kill()
        fleet.kill(b)
        killed_at = time.monotonic()
        await a.until_hosts("a", within=LEASE_S + 3)
        print(f"replica and sidecar killed: moved after {time.monotonic() - killed_at:.2f} s")


async def _raise_epochs(by: Sidecar, sidecars: list[Sidecar], *, above: int) -> None:
    """So far that a new etcd's revision cannot reach there by itself."""
    await by.say(fenced=pb.Fenced(partition=0, fence=above))
    for sidecar in sidecars:
        await sidecar.until_epochs_above(above)


def _start_empty(server: Etcd) -> None:
    server.kill()
    shutil.rmtree(server.folder / "etcd-0")
    server.start()


def _owners(sidecar: Sidecar) -> set[tuple[str, str]]:
    table = sidecar.table
    owners = [table.owner(partition) for partition in range(table.partitions)] if table else []
    return {(owner.id, owner.incarnation) for owner in owners if owner}


async def _beats(sidecars: list[Sidecar], number: int) -> None:
    """Every sidecar has heard so many more answers to its heartbeats."""
    async with asyncio.TaskGroup() as group:
        for sidecar in sidecars:
            group.create_task(sidecar.until_beats(number))
