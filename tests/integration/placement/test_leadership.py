"""Two replicas that both think they lead: only one of them writes. Step by step, against a real etcd."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import SystemClock, VirtualClock
from holdfast_placement.etcd import Etcd as Client
from holdfast_placement.etcd_lease import LeaseKeeper
from holdfast_placement.keys import Keys, TablePlace
from holdfast_placement.leadership import LeaderRules, Leadership
from holdfast_placement.members import Members, Superseded
from holdfast_placement.mirror import Mirror
from holdfast_placement.stats import Stats
from holdfast_placement.table import AppKey
from holdfast_placement.view import View
from holdfast_proto.v1 import placement_pb2 as pb
from tests.support.etcd import Etcd

CLOCK = SystemClock()
LEASE = timedelta(seconds=5)
RULES = LeaderRules(lease=LEASE, coalesce=timedelta(0), patience=timedelta(milliseconds=500))
ORDERS, BILLING = AppKey("default", "orders"), AppKey("default", "billing")


@dataclass(frozen=True, slots=True)
class Parts:
    """A replica without its loops: what it sees changes only when `mirror.load` is called."""

    mirror: Mirror
    members: Members
    leadership: Leadership
    etcd: Client
    clock: VirtualClock

    async def look_and_act(self) -> None:
        await self.mirror.load()
        await self.leadership.run_once()

    async def has_table(self, app: AppKey) -> bool:
        return (await self.etcd.range(self.mirror.view.keys.of(TablePlace(app)))).count == 1


Make = Callable[[str], Parts]


@asynccontextmanager
async def replicas(server: Etcd, prefix: str) -> AsyncGenerator[Make]:
    client = Client(server.endpoints, clock=CLOCK)

    def backoff() -> Backoff:
        return Backoff(random.Random(1), base=timedelta(milliseconds=10), cap=timedelta(seconds=1))

    keeper = LeaseKeeper(client, clock=CLOCK, backoff=backoff(), answer_timeout=timedelta(seconds=1))

    def make(name: str) -> Parts:
        keys, clock = Keys(prefix), VirtualClock()
        mirror = Mirror(client, View(keys), clock=CLOCK, backoff=backoff, beat=lambda: None)
        members = Members(client, keeper, keys=keys, replica_id=name, lease=LEASE, clock=CLOCK)
        leadership = Leadership(
            client,
            mirror,
            members,
            keeper,
            replica_id=name,
            http_address="",
            rules=RULES,
            clock=clock,
            rng=random.Random(1),
            stats=Stats(),
            beat=lambda: None,
        )
        return Parts(mirror, members, leadership, client, clock)

    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(keeper.run())
        yield make
        keeping.cancel()
    await client.close()


def hello(app: AppKey, host_id: str = "a") -> pb.Hello:
    return pb.Hello(
        protocol=1,
        namespace=app.namespace,
        app_id=app.app_id,
        host_id=host_id,
        incarnation="1",
        address="a:1",
        partitions=8,
    )


async def test_the_first_to_look_leads_and_the_others_follow(etcd_server: Etcd) -> None:
    async with replicas(etcd_server, "/l1") as make:
        first, second = make("p1"), make("p2")
        await first.look_and_act()
        await second.look_and_act()
        assert (first.leadership.is_leader, second.leadership.is_leader) == (True, False)


async def test_two_that_campaign_at_once_do_not_both_win(etcd_server: Etcd) -> None:
    async with replicas(etcd_server, "/l2") as make:
        first, second = make("p1"), make("p2")
        await first.mirror.load()
        await second.mirror.load()
        await first.leadership.run_once()
        await second.leadership.run_once()
        assert (first.leadership.is_leader, second.leadership.is_leader) == (True, False)


async def test_work_that_lies_around_is_taken_over_and_the_old_leader_writes_nothing(etcd_server: Etcd) -> None:
    async with replicas(etcd_server, "/l3") as make:
        old, new = make("p1"), make("p2")
        await old.look_and_act()
        await new.members.join(hello(ORDERS), serving=True)
        await new.look_and_act()
        was_patient = not new.leadership.is_leader
        new.clock.advance(1)
        await new.look_and_act()
        assert (was_patient, new.leadership.is_leader) == (True, True)
        assert await new.has_table(ORDERS)
        await new.members.join(hello(BILLING), serving=True)
        await old.mirror.load()
        await _act_as_if_the_election_was_not_seen(old)
        assert not old.leadership.is_leader
        assert not await old.has_table(BILLING)
        await new.look_and_act()
        assert await new.has_table(BILLING)


async def _act_as_if_the_election_was_not_seen(parts: Parts) -> None:
    """The work that is due is in its view, the new leader not yet."""
    parts.mirror.view.revision = 0
    assert parts.leadership.is_leader
    await parts.leadership.run_once()


async def test_who_resigns_lets_the_next_one_lead_at_once(etcd_server: Etcd) -> None:
    async with replicas(etcd_server, "/l4") as make:
        first, second = make("p1"), make("p2")
        await first.look_and_act()
        await first.leadership.resign()
        await second.look_and_act()
        assert (first.leadership.is_leader, second.leadership.is_leader) == (False, True)


async def test_a_table_written_by_somebody_else_is_not_written_over(etcd_server: Etcd) -> None:
    async with replicas(etcd_server, "/l5") as make:
        leader = make("p1")
        await leader.members.join(hello(ORDERS), serving=True)
        await leader.look_and_act()
        table = (await leader.etcd.range(leader.mirror.view.keys.of(TablePlace(ORDERS)))).kvs[0]
        await leader.members.join(hello(ORDERS, "b"), serving=True)
        await leader.mirror.load()
        await leader.etcd.put(table.key, b"foreign")
        await leader.leadership.run_once()
        assert (await leader.etcd.range(table.key)).kvs[0].value == b"foreign"
        await leader.look_and_act()
        mended = leader.mirror.view.versions[ORDERS]
        assert (await leader.etcd.range(table.key)).kvs[0].value != b"foreign"
        await leader.mirror.load()
        assert leader.mirror.view.versions[ORDERS] > mended


async def test_the_later_claim_of_a_host_wins_and_the_earlier_is_told(etcd_server: Etcd) -> None:
    async with replicas(etcd_server, "/l6") as make:
        first, second = make("p1"), make("p2")
        earlier = await first.members.join(hello(ORDERS), serving=True)
        later = await second.members.join(hello(ORDERS), serving=True)
        assert later.lease == earlier.lease
        with pytest.raises(Superseded):
            await first.members.serve(earlier, serving=False)
        assert not await first.members.leave(earlier)
        assert await second.members.leave(later)
