"""One sidecar process of a simulated world: the real host, engine and loops; a skewed clock; a store that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any, Protocol, TypeAlias

from holdfast_kit.ids import SeededIds
from holdfast_proto.codec import decode_event
from holdfast_proto.history import WorkflowStarted
from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.actors.host import Bounds, Host
from holdfast_sidecar.actors.local import LocalRouter
from holdfast_sidecar.actors.ports import Reply, no_reply
from holdfast_sidecar.core.limits import DEFAULT_LIMITS
from holdfast_sidecar.core.messages import ActivityAnswer, Message, StartChild, encode_message
from holdfast_sidecar.stores.contract import Store, StoreError
from holdfast_sidecar.stores.faults import Chances, FaultyStore
from holdfast_sidecar.stores.memory import Memory
from tests.simulation.clock import SimClock
from tests.simulation.disk import Disk, Journal, Violation
from tests.simulation.loop import SimLoop
from tests.simulation.worker import SimWorker, Temper

PARTITIONS = 8
BOUNDS = Bounds(idle_instances_max=2, awake_instances_max=3)  # so that unloading happens all the time


class Weather(Temper, Protocol):
    """What may go wrong around a process; each is a chance for every call."""

    @property
    def fails(self) -> float: ...

    @property
    def loses(self) -> float: ...

    @property
    def cuts(self) -> float: ...

    @property
    def late(self) -> float: ...

    @property
    def duplicates(self) -> float: ...

    @property
    def delays(self) -> float: ...


Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class SimRouter(LocalRouter):
    """The network between instances: late, twice, out of order. It asks of each message: was it durable first?"""

    def __init__(self, host: Host, *, journal: Journal, clock: SimClock, rng: Random, weather: Weather) -> None:
        super().__init__(host)
        self._journal = journal
        self._clock = clock
        self._rng = rng
        self._weather = weather

    def send(self, message: Message, reply: Reply, *, delay: float = 0.1) -> None:
        check_departure(message, self._journal)
        rng, weather = self._rng, self._weather
        if rng.random() < weather.duplicates:
            self._clock.call_later(rng.random() * 3, lambda: self._deliver(message, no_reply, delay))
        if rng.random() < weather.delays:
            self._clock.call_later(rng.random(), lambda: self._deliver(message, reply, delay))
        else:
            self._deliver(message, reply, delay)

    def _deliver(self, message: Message, reply: Reply, delay: float) -> None:
        super().send(message, reply, delay=delay)


def check_departure(message: Message, journal: Journal) -> None:
    """I2: whatever leaves an instance was durable before."""
    if isinstance(message, ActivityAnswer) or encode_message(message) in journal.outbox:
        return
    if isinstance(message, StartChild) and _is_scheduled(message, journal):
        return
    raise Violation(f"{type(message).__name__} to {message.instance_id} left before it was durable")


def _is_scheduled(message: StartChild, journal: Journal) -> bool:
    started = decode_event(message.event)
    parent = started.parent if isinstance(started, WorkflowStarted) else None
    if parent is None:
        return False
    return (parent.instance_id, parent.execution_id, parent.seq, parent.row) in journal.children


class Process:
    disk_type: type[Disk] = Disk
    host_type: type[Host] = Host

    def __init__(
        self,
        name: str,
        *,
        epoch: int,
        loop: SimLoop,
        memory: Memory,
        journal: Journal,
        rng: Random,
        weather: Weather,
        note: Callable[[str, str], None],
        spawn: Spawn,
    ) -> None:
        self.name = name
        self.epoch = epoch
        self.is_dead = False
        self.is_ready = False
        self.workers: list[SimWorker] = []
        self._loop = loop
        self._rng = rng
        self._weather = weather
        self._note = note
        self._journal = journal
        self.clock = SimClock(loop, skew_ns=rng.randint(-2_000, 2_000) * 1_000_000)
        self.disk = self.disk_type(memory, journal, clock=self.clock, rng=rng, late=weather.late)
        self.chances = Chances(
            rng=rng, fail=weather.fails, lose=weather.loses, cut=weather.cuts, slow=0.3, slow_seconds_max=0.03
        )
        self.store = FaultyStore(self.disk, plan=self.chances, clock=self.clock)
        self.host = self.make_host(self.store)
        self.host.router = self.router = self.make_router()
        self.engine = Engine(
            router=self.router,
            store=self.store,
            clock=self.clock,
            ids=self.host.ids,
            limits=DEFAULT_LIMITS,
            partition_of=self.host.partition_of,
            check_room=self.host.check_room,
        )
        self._task = spawn(self._run())

    # What a planted bug replaces.

    def make_host(self, store: Store) -> Host:
        return self.host_type(
            store=store,
            clock=self.clock,
            ids=SeededIds(self.epoch),
            partitions=PARTITIONS,
            limits=DEFAULT_LIMITS,
            bounds=BOUNDS,
        )

    def make_router(self) -> SimRouter:
        return SimRouter(self.host, journal=self._journal, clock=self.clock, rng=self._rng, weather=self._weather)

    async def _run(self) -> None:
        await self.store.open(namespace="shop", partitions=PARTITIONS)
        async with asyncio.TaskGroup() as group:
            await self.host.run(group)
            while not self.is_ready:
                try:
                    held = await self.host.acquire(range(PARTITIONS), self.epoch)
                    self.is_ready = len(held) == PARTITIONS
                    if not self.is_ready:
                        return
                except StoreError:
                    await self.clock.sleep(0.2)

    async def answer(self, call: Callable[[Engine], Awaitable[object]]) -> None:
        """A client calls."""
        await call(self.engine)

    # -- life ------------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """Power is gone. What the memory holds stays, and packets that had left arrive."""
        if self.is_dead:
            return
        self._note(self.name, "crash")
        self.is_dead = True
        self.is_ready = False
        for worker in self.workers:
            worker.is_dead = True
        self.clock.kill()
        self._task.cancel()

    def clear(self) -> None:
        """The store fails no more."""
        self.disk.late = 0.0
        self.store.plan = Chances(rng=self._rng)

    def connect(self, worker_id: str) -> None:
        worker = SimWorker(
            worker_id,
            host=self.host,
            journal=self._journal,
            clock=self.clock,
            rng=self._rng,
            temper=self._weather,
        )
        self._note(self.name, f"worker {worker_id} connects")
        self.workers.append(worker)
        self.host.pool.connect(worker)

    def disconnect(self, worker: SimWorker) -> None:
        self._note(self.name, f"worker {worker.id} leaves")
        worker.is_dead = True
        self.workers.remove(worker)
        self.host.pool.disconnect(worker)
