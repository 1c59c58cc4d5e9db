"""Placement of a simulated world: replicas around the real view, plan, table, hub and rules of admission.

What is left out is the client of etcd and grpc. A leader writes tables, guarded by the revision that it has planned
from; while there is none tables stop changing. A replica that is down or behind costs its hosts a reconnect, or time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from random import Random

from holdfast_placement import admission
from holdfast_placement.admission import PROTOCOL, Code, Refused, app_of, host_of
from holdfast_placement.hub import Hub
from holdfast_placement.keys import FloorPlace, Keys, MemberPlace, TablePlace
from holdfast_placement.plan import Situation, next_table, situation
from holdfast_placement.records import Member, decode_member, encode_member, encode_table
from holdfast_placement.session import parse, refusal
from holdfast_placement.table import AppKey, Table, empty, encode
from holdfast_placement.view import Entry, View
from holdfast_proto.v1 import placement_pb2 as pb
from tests.simulation.cluster.etcd import Away, Etcd
from tests.simulation.cluster.machine import Machine, MachineLoop, nobodys
from tests.simulation.cluster.network import Context, Network, Place

LEASE = 3.0
COALESCE = 0.05  # changes this close together make one table
PATIENCE = 0.5  # until a leader that could not write tries again
APP = AppKey("shop", "app")
KEYS = Keys()

NextTable = Callable[[Situation], Table]


class Placement:
    """All replicas of one world, and who of them leads."""

    def __init__(
        self,
        loop: MachineLoop,
        network: Network,
        *,
        rng: Random,
        partitions: int,
        note: Callable[[str, str], None],
        next_table: NextTable = next_table,
    ) -> None:
        self.etcd = Etcd(loop, rng=rng, lease=LEASE)
        self.note = note
        self.rng = rng
        self.next_table = next_table
        self.leaders = frozenset({0})
        self.heard_at: dict[str, float] = {}  # by incarnation: when a heartbeat was last received
        self.replicas = [Replica(number, self, loop, network, partitions) for number in range(2)]

    @property
    def addresses(self) -> list[str]:
        return [replica.address for replica in self.replicas]

    @property
    def table(self) -> Table:
        """The newest that any replica knows."""
        return max((replica.table for replica in self.replicas), key=lambda table: table.version)

    def lead(self, *leaders: int) -> None:
        """Two may think that they lead; only one of two writes that follow from the same table is taken."""
        self.leaders = frozenset(leaders)
        self.note("placement", " and ".join(f"p{leader} leads" for leader in leaders) or "has no leader")
        for leader in leaders:
            self.replicas[leader].consider()

    def etcd_back(self) -> None:
        self.note("etcd", "back")
        self.etcd.come_back()
        self.lead(*self.leaders)

    def recover(self) -> None:
        """Everything is there again, and somebody leads."""
        for number, replica in enumerate(self.replicas):
            self.etcd.delay(number, 0.0)
            if replica.is_down:
                replica.come_back()
        self.etcd.come_back()
        self.lead(0)

    def vanish(self) -> None:
        """No replica is there any more, for good."""
        for replica in self.replicas:
            replica.go_down()


class Replica:
    def __init__(self, number: int, placement: Placement, loop: MachineLoop, network: Network, partitions: int) -> None:
        self.number = number
        self.name = f"p{number}"
        self.address = f"{self.name}:7000"
        self.placement = placement
        self.etcd = placement.etcd
        self.loop = loop
        self.hub = Hub()
        self.view = View(KEYS, partitions={APP.namespace: partitions})
        self.is_down = False
        self._network = network
        self._partitions = partitions
        self._is_planning = False
        self._place = Place(self.name, Machine(loop))
        self.etcd.watch(self._hears)
        self.come_back()

    @property
    def table(self) -> Table:
        return self.hub.table(APP) or empty(APP, self._partitions)

    def go_down(self) -> None:
        self.is_down = True
        self.placement.note(self.name, "goes down")
        self._network.listeners.pop(self.address, None)
        self._network.break_all(self.name)

    def come_back(self) -> None:
        self.is_down = False
        self._network.listen(self.address, self._place, self._converse)
        self.consider()

    # -- tables ----------------------------------------------------------------------------------------------------

    def _hears(self, entry: Entry, revision: int) -> None:
        """Members, floors and tables, one by one. A replica that is down reads everything when it comes back."""
        for place in self.view.apply([entry], revision).places:
            if isinstance(place, TablePlace) and (stored := self.view.tables.get(APP)) is not None:
                self.hub.publish(stored.value)
            if isinstance(place, MemberPlace | FloorPlace | TablePlace):  # a table of another leader may be outdated
                self.consider()

    def consider(self, delay: float = COALESCE) -> None:
        if not self._is_planning:
            self._is_planning = True
            self.loop.call_later(delay, self._plan, context=nobodys())

    def _plan(self) -> None:
        self._is_planning = False
        now = situation(self.view, APP)
        if self.is_down or self.number not in self.placement.leaders or now is None or not now.is_due:
            return
        table = self.placement.next_table(now)
        try:
            done = self.etcd.put(KEYS.of(TablePlace(APP)), encode_table(table), unchanged=now.table_revision)
        except Away:
            done = 0
        if done:
            owners = " ".join(f"{row.host or '-'}{row.epoch}" for row in table.rows)
            self.placement.note("placement", f"table {table.version}: {owners}")
        self.consider(PATIENCE)  # a write that was lost, or of which this replica has not heard, is looked at again

    # -- hosts -----------------------------------------------------------------------------------------------------

    async def _converse(self, frames: AsyncIterator[bytes], context: Context) -> None:
        hello = parse(await anext(frames)).hello
        session = Session(self, hello, context)
        try:
            admission.check_hello(hello)
            session.join()
            await session.serve(frames)
        except Refused as refused:
            context.say(refusal(refused).SerializeToString())
        finally:
            session.end()


class Session:
    """One stream of one host."""

    def __init__(self, replica: Replica, hello: pb.Hello, context: Context) -> None:
        self._replica = replica
        self._etcd = replica.etcd
        self._hello = hello
        self._context = context
        self._key = KEYS.of(MemberPlace(APP, hello.host_id))
        self._revision = 0  # of the host's key as this session last wrote it; 0: not claimed yet
        self._is_serving = hello.serving
        self._version: int | None = None

    def join(self) -> None:
        """Claims the host's key. While etcd is away whoever is a member may come back, by the last view."""
        try:
            self._claim()
        except Away:
            known = self._replica.view.member(APP, self._hello.host_id)
            if known is None or known.value.host != host_of(self._hello):
                raise admission.etcd_unavailable(self._hello.host_id, "away") from None
        welcome = pb.Welcome(
            protocol=PROTOCOL,
            replica_id=self._replica.name,
            lease_ms=int(LEASE * 1000),
            heartbeat_ms=int(LEASE * 1000 / 3),
        )
        self._say(pb.ToHost(welcome=welcome))
        if self._replica.hub.table(APP) is None:
            self._say(pb.ToHost(table=encode(self._replica.table)))
        self._replica.hub.subscribe(APP, self._tell_table)
        self._tell_table()

    def end(self) -> None:
        self._replica.hub.unsubscribe(APP, self._tell_table)

    def _claim(self) -> None:
        value, revision = self._etcd.value_of(self._key), self._etcd.revision_of(self._key)
        if value is not None:
            holder = decode_member(value, APP, self._hello.host_id)
            admission.check_holder(self._hello, holder, timedelta(seconds=LEASE))
        self._write(revision)

    def _write(self, unchanged: int) -> None:
        member = Member(app_of(self._hello), host_of(self._hello), self._is_serving, self._replica.name, 0)
        revision = self._etcd.put(self._key, encode_member(member), unchanged=unchanged)
        if not revision:
            raise Refused(Code.SUPERSEDED, f"{self._hello.host_id}: connected elsewhere since", timedelta(seconds=1))
        self._revision = revision
        self._etcd.keep(self._key)

    # -- the conversation ------------------------------------------------------------------------------------------

    async def serve(self, frames: AsyncIterator[bytes]) -> None:
        while True:
            try:
                async with asyncio.timeout(LEASE):
                    message = parse(await anext(frames))
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise Refused(Code.SILENT, "heard nothing for a lease", timedelta(milliseconds=1)) from None
            if self._take(message):
                return

    def _take(self, message: pb.FromHost) -> bool:
        """Whether the host has left."""
        match message.WhichOneof("kind"):
            case "heartbeat":
                self._beaten(message.heartbeat.seq)
            case "serve":
                self._is_serving = True
                self._tell_etcd()
            case "leaving":
                self._is_serving = False
                self._tell_etcd()
            case "leave":
                return self._leave()
            case "fenced":
                self._heed_fence(message.fenced)
            case _:
                pass
        return False

    def _beaten(self, seq: int) -> None:
        self._replica.placement.heard_at[self._hello.incarnation] = self._replica.loop.time()
        self._tell_etcd()
        silence_ms = int(self._etcd.silence * 1000)
        self._say(pb.ToHost(heartbeat_ack=pb.HeartbeatAck(seq=seq, etcd_silence_ms=silence_ms)))

    def _tell_etcd(self) -> None:
        """What the host wants, if etcd does not know it yet, and that it lives. Every heartbeat tries again."""
        try:
            self._join_again_if_lost()
            value = self._etcd.value_of(self._key)
            if value is not None and decode_member(value, APP, self._hello.host_id).serving != self._is_serving:
                self._write(self._revision)
            self._etcd.keep(self._key)
        except Away:
            return

    def _join_again_if_lost(self) -> None:
        revision = self._etcd.revision_of(self._key)
        if revision == 0 or self._revision == 0:
            self._claim()
        elif revision != self._revision:
            raise Refused(Code.SUPERSEDED, f"{self._hello.host_id}: connected elsewhere since", timedelta(seconds=1))

    def _leave(self) -> bool:
        try:
            self._etcd.delete(self._key, unchanged=self._revision)
        except Away:
            return False
        self._say(pb.ToHost(left=pb.Left()))
        return True

    def _heed_fence(self, fenced: pb.Fenced) -> None:
        now = self._replica.table.rows[fenced.partition].epoch
        if now > fenced.epoch > 0 or now >= fenced.fence:
            return
        key = KEYS.of(FloorPlace(APP))
        try:
            if int(self._etcd.value_of(key) or b"0") < fenced.fence:
                self._etcd.put(key, str(fenced.fence).encode(), unchanged=self._etcd.revision_of(key))
        except Away:
            return

    def _tell_table(self) -> None:
        """Not one that is older than the host's own, nor one that takes it for its predecessor."""
        table = self._replica.hub.table(APP)
        frame = self._replica.hub.frame(APP, self._version)
        if table is None or frame is None or table.version < self._hello.table_version:
            return
        mine = table.host(self._hello.host_id)
        if mine is None or mine.incarnation == self._hello.incarnation:
            self._version = frame[0]
            self._context.say(frame[1])

    def _say(self, message: pb.ToHost) -> None:
        self._context.say(message.SerializeToString())
