"""One sidecar of a simulated cluster: the real host, engine, links, placement stream, ownership and router."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from holdfast_kit.ids import SeededIds
from holdfast_placement.table import Table
from holdfast_sidecar.actors.engine import Asking, Engine
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.cluster.node import ClusterNode
from holdfast_sidecar.cluster.placement_stream import Me
from holdfast_sidecar.cluster.router import Rule
from holdfast_sidecar.core.errors import Unavailable
from holdfast_sidecar.core.limits import DEFAULT_LIMITS
from holdfast_sidecar.stores.contract import Store
from holdfast_sidecar.stores.faults import Chances, FaultyStore
from tests.simulation.clock import SimClock
from tests.simulation.cluster.machine import Machine, MachineLoop, nobodys
from tests.simulation.cluster.network import Context, End, Network, Place, Wire
from tests.simulation.cluster.placement import APP, Placement
from tests.simulation.cluster.witness import Witness
from tests.simulation.disk import Disk, Journal
from tests.simulation.loop import NANOS
from tests.simulation.process import BOUNDS, Weather
from tests.simulation.worker import SimWorker


class SimNode(ClusterNode):
    """Remembers since when it hears placement without a break."""

    trusts_since: float | None = None

    def _trust(self, is_trusted: bool) -> None:
        self.trusts_since = self._host.clock.monotonic() if is_trusted else None
        super()._trust(is_trusted)


class Cluster:
    """What all members of a world share."""

    def __init__(
        self,
        loop: MachineLoop,
        *,
        disk: Callable[..., Disk],
        journal: Journal,
        network: Network,
        placement: Placement,
        rng: Random,
        rule: Rule,
        drain_limit: float,
        weather: Weather,
        partitions: int,
        note: Callable[[str, str], None],
        spawned: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self.loop = loop
        self.disk = disk
        self.journal = journal
        self.network = network
        self.placement = placement
        self.rng = rng
        self.rule: Rule = rule
        self.drain_limit = drain_limit
        self.weather = weather
        self.partitions = partitions
        self.note = note
        self.spawned = spawned


class Member:
    disk_type: type[Disk] = Disk
    host_type: type[Host] = Host
    node_type: type[SimNode] = SimNode

    def __init__(self, host_id: str, number: int, cluster: Cluster) -> None:
        self.host_id = host_id
        self.name = f"{host_id}{number}"
        self.is_leaving = False
        self.workers: list[SimWorker] = []
        self._cluster = cluster
        self._rng = rng = cluster.rng
        self._calls: dict[asyncio.Future[None], None] = {}
        self.machine = Machine(cluster.loop)
        self.place = Place(self.name, self.machine)
        self.clock = SimClock(cluster.loop, skew_ns=rng.randint(-2_000, 2_000) * (NANOS // 1000))
        self.ids = SeededIds(rng.getrandbits(32))
        weather = cluster.weather
        self.disk = cluster.disk(self.disk_type, clock=self.clock)
        chances = Chances(
            rng=rng, fail=weather.fails, lose=weather.loses, cut=weather.cuts, slow=0.3, slow_seconds_max=0.03
        )
        self.store = FaultyStore(self.disk, plan=chances, clock=self.clock)
        self.machine.run(self._put_together)
        cluster.network.listen(self.me.address, self.place, self._accept)
        cluster.spawned(self.machine.spawn(self._run()))

    def _put_together(self) -> None:
        cluster = self._cluster
        self.me = Me(
            app=APP,
            host_id=self.host_id,
            incarnation=self.name,
            address=f"{self.name}:7000",
            partitions=cluster.partitions,
        )
        self.host = self.make_host(self.store)
        channels = cluster.network.channels_of(self.place)
        self.node = self.node_type(
            self.host,
            self.me,
            placement=self._rng.sample(cluster.placement.addresses, 2),
            placement_channel=channels,
            dial=cluster.network.dialer_of(self.place),
            rule=cluster.rule,
        )
        self.host.router = Witness(
            self.node.router, journal=cluster.journal, clock=self.clock, rng=self._rng, weather=cluster.weather
        )
        self.engine = Engine(
            router=self.make_front(),
            store=self.store,
            clock=self.clock,
            ids=self.ids,
            limits=DEFAULT_LIMITS,
            partition_of=self.host.partition_of,
            check_room=self.host.check_room,
        )

    # What a planted bug replaces.

    def make_host(self, store: Store) -> Host:
        return self.host_type(
            store=store,
            clock=self.clock,
            ids=self.ids,
            partitions=self._cluster.partitions,
            limits=DEFAULT_LIMITS,
            bounds=BOUNDS,
        )

    def make_front(self) -> Asking:
        return self.node.router

    # -- life ------------------------------------------------------------------------------------------------------

    @property
    def is_dead(self) -> bool:
        return self.machine.is_off

    @property
    def is_paused(self) -> bool:
        return self.machine.is_paused

    @property
    def table(self) -> Table | None:
        return self.node.stream.table

    async def _run(self) -> None:
        await self.store.open(namespace=APP.namespace, partitions=self._cluster.partitions)
        async with asyncio.TaskGroup() as group:
            await self.host.run(group)
            self.node.start(group)

    async def _accept(self, frames: End, context: Context) -> None:
        await self.node.links.accept(Wire(frames, context.say))

    def crash(self) -> None:
        """Power is gone. Packets that had left arrive."""
        if self.is_dead:
            return
        self._cluster.note(self.name, "crash")
        self._end()

    def _end(self) -> None:
        self.machine.lose_power()
        for worker in self.workers:
            worker.is_dead = True
        self._cluster.network.break_all(self.name)
        calls, self._calls = self._calls, {}
        for call in calls:
            self._cluster.loop.call_later(self._rng.random(), _hang_up, call, context=nobodys())

    def pause(self) -> None:
        self._cluster.note(self.name, "stands still")
        self.machine.pause()

    def resume(self) -> None:
        if self.is_paused and not self.is_dead:
            self._cluster.note(self.name, "goes on")
            self.machine.resume()

    def leave(self) -> None:
        """A planned end, as on SIGTERM."""
        if not (self.is_dead or self.is_leaving):
            self._cluster.note(self.name, "leaves")
            self.is_leaving = True
            self._cluster.spawned(self.machine.spawn(self._leave()))

    async def _leave(self) -> None:
        await self.node.leave(self._cluster.drain_limit)
        await self.host.drain(1.0)
        self.host.release(tuple(self.host.owned))
        self.node.router.stop()
        self._cluster.loop.call_soon(self._gone, context=nobodys())

    def _gone(self) -> None:
        if not self.is_dead:
            self._cluster.note(self.name, "is gone")
            self._end()

    def clear(self) -> None:
        """The store fails no more, and the machine runs."""
        self.disk.late = 0.0
        self.store.plan = Chances(rng=self._rng)
        self.resume()

    # -- workers and clients ---------------------------------------------------------------------------------------

    def connect(self, worker_id: str) -> None:
        cluster = self._cluster
        worker = SimWorker(
            worker_id,
            host=self.host,
            journal=cluster.journal,
            clock=self.clock,
            rng=self._rng,
            temper=cluster.weather,
        )
        cluster.note(self.name, f"worker {worker_id} connects")
        self.workers.append(worker)
        self._soon(lambda: self.host.pool.connect(worker))

    def disconnect(self, worker: SimWorker) -> None:
        self._cluster.note(self.name, f"worker {worker.id} leaves")
        worker.is_dead = True
        self.workers.remove(worker)
        self._soon(lambda: self.host.pool.disconnect(worker))

    def _soon(self, fn: Callable[[], object]) -> None:
        """On the machine, once it runs."""
        self.machine.run(lambda: self._cluster.loop.call_soon(fn))

    async def answer(self, call: Callable[[Engine], Awaitable[object]]) -> None:
        """A client calls. Its connection ends with the process; when it hangs up, only the waiting ends."""
        reply: asyncio.Future[None] = self._cluster.loop.create_future()
        self._calls[reply] = None
        task = self.machine.spawn(_called(call, self.engine))
        task.add_done_callback(lambda done: _tell(done, reply), context=nobodys())
        try:
            await reply
        finally:
            self._calls.pop(reply, None)
            task.cancel()


async def _called(call: Callable[[Engine], Awaitable[object]], engine: Engine) -> None:
    await call(engine)


def _tell(done: asyncio.Task[None], reply: asyncio.Future[None]) -> None:
    error = None if done.cancelled() else done.exception()
    if reply.done():
        return
    if error is not None:
        reply.set_exception(error)
    elif done.cancelled():
        reply.set_exception(Unavailable("the call was cut off"))
    else:
        reply.set_result(None)


def _hang_up(reply: asyncio.Future[None]) -> None:
    if not reply.done():
        reply.set_exception(Unavailable("the process is gone"))
