"""A whole system in one test: sidecar, worker and client in memory, on a clock that jumps.

    async with Cluster(checkout, charge) as cluster:
        cluster.fake(charge, lambda order: Receipt(order.id))
        assert await cluster.client.run(checkout, order) == ...

It is the real engine, the real worker and the real client; only the store, the wire and the clock are of memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar, cast, overload

from holdfast._stream import Disconnected, Stream
from holdfast._worker.info import current
from holdfast.authoring import Activity
from holdfast.client import Client
from holdfast.errors import HoldfastError
from holdfast.registry import Registry
from holdfast.testing import stuck
from holdfast.testing.fakes import Fake, stand_in, unknown
from holdfast.testing.sidecar import NAMESPACE, Sidecar
from holdfast.testing.stuck import Stuck
from holdfast.testing.time import NANOS, PATIENCE, JumpingClock, Movement
from holdfast.worker import Worker
from holdfast_kit.clock import Clock, to_datetime
from holdfast_kit.ids import Ids, SeededIds
from holdfast_proto.v1 import client_pb2 as pb
from holdfast_sidecar.core.limits import DEFAULT_LIMITS, Limits
from holdfast_sidecar.stores.memory import Memory

P = ParamSpec("P")
R = TypeVar("R")

BEGINNING: Final = datetime(2030, 1, 1, tzinfo=UTC)
STUCK_AFTER: Final = 1.0  # real seconds in which nothing moves and nothing is planned, until a test is told
_RESTART: Final = 0.001  # seconds that a restart takes at least


class MemoryConnection:
    """What workers and clients are given as their `address`."""

    target = "memory"
    namespace = NAMESPACE

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @property
    def clock(self) -> Clock:
        return self._cluster.clock

    @property
    def ids(self) -> Ids:
        return self._cluster.ids

    @asynccontextmanager
    async def open(self, method: str) -> AsyncGenerator[Stream]:
        sidecar = self._cluster.sidecar
        pipe = None if sidecar is None else sidecar.connect(method, self._cluster.movement.stir)
        if pipe is None:
            raise Disconnected("it was killed")
        try:
            yield pipe
        finally:
            pipe.cut("the stream was closed")

    async def pause(self, seconds: float) -> None:
        """Until there is a sidecar: no time has to pass for that."""
        await self._cluster.is_up.wait()
        await asyncio.sleep(0)


class Cluster:
    """`offers`: what its worker runs; none, and workers come by `Worker(..., address=cluster.connection)`.

    `starts_at`: its time at the beginning. `replay_every_turn`: finds workflows that depend on anything but their
    history. `seed`: of the identities that are made up. `cache_max`, `limits`: as of a worker and of a sidecar.
    """

    def __init__(
        self,
        *offers: object,
        starts_at: datetime = BEGINNING,
        replay_every_turn: bool = False,
        cache_max: int = 10_000,
        limits: Limits = DEFAULT_LIMITS,
        seed: int = 0,
    ) -> None:
        self._offers = offers
        self._options: dict[str, Any] = {"replay_every_turn": replay_every_turn, "cache_max": cache_max}
        self._limits = limits
        self._memory = Memory()
        self._fakes: dict[str, Activity[..., Any]] = {}
        self._epoch = 0
        self._idle_activities = 0  # that wait for this clock and nothing else
        self._sleepers = 0
        self._is_held = False
        self._task: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._sidecar_task: asyncio.Task[None] | None = None
        self._worker_task: asyncio.Task[None] | None = None
        self.movement = Movement()
        self.clock = JumpingClock(starts_at, self.movement.stir)
        self.ids = SeededIds(seed)
        self.is_up = asyncio.Event()
        self.sidecar: Sidecar | None = None
        self.worker: Worker | None = None
        self.connection = MemoryConnection(self)
        self.client = Client(self.connection)

    # -- life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        ready = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._live(ready), name="holdfast test cluster")
        self._task.add_done_callback(lambda _: ready.set())
        await ready.wait()
        if self._task.done():
            await self._task
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _live(self, ready: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self.start_sidecar()
            async with self.client:
                if self._offers:
                    await self.start_worker()
                group.create_task(self._keep_time())
                ready.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    await _gone(self._worker_task)

    @property
    def _tasks(self) -> asyncio.TaskGroup:
        if self._group is None:
            raise HoldfastError("this cluster is not open; use `async with Cluster(...) as cluster:`")
        return self._group

    # -- crashes ---------------------------------------------------------------------------------------------------

    async def crash_sidecar(self, *, restart: bool = True) -> None:
        """As kill -9: what was not durable is gone. Worker and client connect again, on their own."""
        if self.sidecar is not None:
            self.sidecar.kill()
        self.sidecar = None
        self.is_up.clear()
        await _gone(self._sidecar_task)
        if restart:
            await self.start_sidecar()

    async def start_sidecar(self) -> None:
        """On what the one before has left."""
        if self.sidecar is not None:
            raise HoldfastError("this cluster has a sidecar; crash it first")
        self._epoch += 1
        if self._epoch > 1:
            self.clock.advance(_RESTART)  # nothing of the past has the present's time
        self.sidecar = Sidecar(self._memory, self.clock, self.ids, epoch=self._epoch, limits=self._limits)
        self._sidecar_task = self._tasks.create_task(self.sidecar.run(self.is_up.set))
        await self.is_up.wait()

    async def crash_worker(self, *, restart: bool = True) -> None:
        """As kill -9: its cached runs and its running activities are gone; those are run again by the next one.

        In an activity it never returns, as there is nobody to return to.
        """
        if current.get(None) is None:
            await self._crash_worker(restart)
        else:
            self._tasks.create_task(self._crash_worker(restart))
            await self.hang()

    async def _crash_worker(self, restart: bool) -> None:
        if self.sidecar is not None:
            self.sidecar.cut_workers()
        await _gone(self._worker_task)
        self.worker = None
        if restart:
            await self.start_worker()

    async def start_worker(self, *offers: object) -> None:
        """With other `offers`: today's code instead of yesterday's."""
        if self.worker is not None:
            await self._crash_worker(False)
        self._offers = offers or self._offers
        worker = self.worker = Worker(*self._offers, address=self.connection, name="worker", **self._options)
        for activity in self._fakes.values():
            worker.registry.put(activity)
        self._worker_task = self._tasks.create_task(worker.run())
        if self.sidecar is not None:
            await worker.connected()

    # -- activities ------------------------------------------------------------------------------------------------

    @overload
    def fake(self, activity: Activity[P, Awaitable[R]], function: Callable[P, R | Awaitable[R]]) -> Fake: ...
    @overload
    def fake(self, activity: Activity[P, R], function: Callable[P, R | Awaitable[R]]) -> Fake: ...
    @overload
    def fake(self, activity: str, function: Callable[..., Any]) -> Fake: ...
    def fake(self, activity: Any, function: Callable[..., Any]) -> Fake:
        """Runs `function` instead of the activity from now on; it may be sync or async, and runs in the test's loop.

        Arguments and results are written and read as those of the activity. What it was called with is in `calls`.
        """
        known = self._declared(activity, function)
        fake = Fake(known.name, function)
        self._fakes[known.name] = stand_in(known, fake)
        if self.worker is not None:
            is_new = known.name not in self.worker.registry.activities
            self.worker.registry.put(self._fakes[known.name])
            if is_new:
                self._reconnect_worker()
        return fake

    def _reconnect_worker(self) -> None:
        """It says what it has when it connects."""
        if self.sidecar is not None:
            self.sidecar.cut_workers()

    def _declared(self, activity: Any, function: Callable[..., Any]) -> Activity[..., Any]:
        if isinstance(activity, Activity):
            return cast("Activity[..., Any]", activity)
        if not isinstance(activity, str):
            raise HoldfastError(f"fake(): expected an activity or the name of one, found {activity!r}")
        return Registry(*self._offers).activities.get(activity) or unknown(activity, function)

    async def sleep(self, seconds: float | timedelta) -> None:
        """Waits until this cluster's clock has moved on by so much. In an activity, time may jump meanwhile."""
        with self._counted(is_activity=current.get(None) is not None):
            await self.clock.sleep(_seconds(seconds))

    async def hang(self) -> None:
        """For an activity that never ends: until it is cancelled. Time may jump meanwhile."""
        with self._counted(is_activity=True):
            await asyncio.Event().wait()

    # -- time ------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return to_datetime(self.clock.now_ns())

    async def settle(self) -> None:
        """Until all has happened that can happen without time passing, activities included that do not hang."""
        while True:
            await self.movement.quiet()
            if self.clock.until_next() == 0:
                self.clock.advance_to_next()
            elif not self._busy or not await self.movement.stirred(within=PATIENCE):
                return

    async def advance(self, by: float | timedelta) -> None:
        """Moves the clock on; what is due on the way happens in its time. Does not wait for activities that hang."""
        end = self.clock.now_ns() + round(_seconds(by) * NANOS)
        self._is_held, was_held = True, self._is_held
        try:
            await self.settle()
            while (due := await self._next_due()) is not None and due <= end:
                await self._jump_to(due)
                await self.settle()
            await self._jump_to(end)
            await self.settle()
        finally:
            self._is_held = was_held
            self.movement.stir()

    async def _keep_time(self) -> None:
        while True:
            await self.movement.quiet()
            if self.clock.until_next() == 0:
                self.clock.advance_to_next()
            elif self._is_held or self._busy or not self._is_awaited:
                await self.movement.stirred()
            elif (due := await self._next_due()) is not None:
                await self._jump_to(due)
            elif not await self.movement.stirred(within=STUCK_AFTER):
                await self._say_stuck()

    @property
    def _busy(self) -> bool:
        return self.sidecar is not None and self.sidecar.running_activities > self._idle_activities

    @property
    def _is_awaited(self) -> bool:
        return self._sleepers > 0 or (self.sidecar is not None and self.sidecar.outstanding > 0)

    async def _next_due(self) -> int | None:
        until = self.clock.until_next()
        planned = None if until is None else self.clock.now_ns() + round(until * NANOS)
        stored = None if self.sidecar is None else await self.sidecar.next_due()
        return min((at for at in (planned, stored) if at is not None), default=None)

    async def _jump_to(self, at: int) -> None:
        self.clock.advance(max(0, at - self.clock.now_ns()) / NANOS)
        if self.sidecar is not None:
            await self.sidecar.ring()

    # -- when nothing will happen ----------------------------------------------------------------------------------

    async def _say_stuck(self) -> None:
        lines = [await self._told(request) for request in self.client.asking.outstanding]
        if lines:
            self.client.asking.fail_all(Stuck("nothing will ever happen any more:\n" + "\n".join(lines)))
        await self.movement.stirred()

    async def _told(self, request: pb.Request) -> str:
        if self.sidecar is None:
            return "there is no sidecar: start_sidecar()"
        match request.WhichOneof("kind"):
            case "wait":
                instance_id = request.wait.instance_id
            case "run":
                instance_id = request.run.start.instance_id or request.run.start.execution_id
            case kind:
                return f"a request is not answered: {kind}"
        return await stuck.told(instance_id, self.sidecar, self.worker)

    # -- inside ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _counted(self, *, is_activity: bool) -> Generator[None]:
        self._idle_activities += is_activity
        self._sleepers += not is_activity
        self.movement.stir()
        try:
            yield
        finally:
            self._idle_activities -= is_activity
            self._sleepers -= not is_activity
            self.movement.stir()


async def _gone(task: asyncio.Task[None] | None) -> None:
    if task is None or task.done():
        return
    ended = asyncio.Event()
    task.add_done_callback(lambda _: ended.set())
    task.cancel()
    await ended.wait()


def _seconds(given: float | timedelta) -> float:
    return given.total_seconds() if isinstance(given, timedelta) else given
