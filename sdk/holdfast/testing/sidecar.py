"""One life of a sidecar in memory: the real host, engine and native services, on a store that outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from holdfast.testing.pipes import Pipe
from holdfast_kit.clock import Clock, Handle
from holdfast_kit.ids import Ids
from holdfast_kit.rpc.call import ManyToMany
from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.local import LocalRouter
from holdfast_sidecar.api.native.client_service import ClientService
from holdfast_sidecar.api.native.service import WorkerService
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.state import NEVER_AT
from holdfast_sidecar.stores.memory import Memory, MemoryStore

PARTITIONS: Final = 8  # as good as a thousand here, and quicker to take over
NAMESPACE: Final = "default"
WORK: Final = "/holdfast.v1.Worker/Work"


class LifeClock:
    """Time as one process has it: with its death everything that it had planned is gone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._planned: dict[int, Handle] = {}
        self._numbers = 0

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def call_later(self, delay: float, fn: Callable[[], object]) -> Handle:
        self._numbers += 1
        number = self._numbers

        def run() -> None:
            self._planned.pop(number, None)
            fn()

        handle = self._planned[number] = self._clock.call_later(delay, run)
        return handle

    def kill(self) -> None:
        for handle in self._planned.values():
            handle.cancel()
        self._planned.clear()


class Sidecar:
    """`run` until cancelled. `kill` is what kill -9 does: nothing that is not in the store outlives it."""

    def __init__(self, memory: Memory, clock: Clock, ids: Ids, *, epoch: int, limits: Limits) -> None:
        self._clock = LifeClock(clock)
        self._epoch = epoch
        self._pipes: set[Pipe] = set()
        self._group: asyncio.TaskGroup | None = None
        self._is_ending = False
        self.store = MemoryStore(memory)
        self.host = Host(store=self.store, clock=self._clock, ids=ids, partitions=PARTITIONS, limits=limits)
        self.host.router = router = LocalRouter(self.host)
        self.engine = Engine(
            router=router,
            store=self.store,
            clock=self._clock,
            ids=ids,
            limits=limits,
            partition_of=self.host.partition_of,
            check_room=self.host.check_room,
        )
        workers = WorkerService(self.host, namespace=NAMESPACE, host_id="memory", version="in-memory")
        self._methods = {**workers.methods(), **ClientService(self.engine, namespace=NAMESPACE).methods()}

    async def run(self, ready: Callable[[], None]) -> None:
        """The reminder loop is not started: whoever moves the clock asks for what is due."""
        await self.store.open(namespace=NAMESPACE, partitions=PARTITIONS)
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self.host.committer.run())
            group.create_task(self.host.loader.run())
            await self.host.acquire(range(PARTITIONS), self._epoch)
            ready()
            try:
                await asyncio.Event().wait()
            finally:
                self._is_ending = True  # whatever ends it: nothing can be started any more

    def cut_workers(self) -> None:
        for pipe in [pipe for pipe in self._pipes if pipe.method == WORK]:
            pipe.cut("the stream was cut")

    def kill(self) -> None:
        self._clock.kill()
        self._group = None
        for pipe in self._pipes:
            pipe.cut("the sidecar was killed")
        self._pipes.clear()

    # -- streams ---------------------------------------------------------------------------------------------------

    def connect(self, method: str, moved: Callable[[], None]) -> Pipe | None:
        """None when it is not up, or goes down."""
        if self._group is None or self._is_ending:
            return None
        serving = self._methods[method]
        assert isinstance(serving, ManyToMany), f"{method} takes one message; only streams come through here"
        pipe = Pipe(method, moved)
        self._pipes.add(pipe)
        task = self._group.create_task(pipe.serve(serving.run))
        task.add_done_callback(lambda _: self._pipes.discard(pipe))
        return pipe

    @property
    def outstanding(self) -> int:
        """Requests of clients that are not answered yet."""
        return sum(pipe.outstanding for pipe in self._pipes)

    @property
    def running_activities(self) -> int:
        return self.host.pool.running_activities

    # -- time ------------------------------------------------------------------------------------------------------

    async def next_due(self) -> int | None:
        """When the next reminder is due that lies in the future."""
        now = self._clock.now_ns()
        due = await self.store.due(range(PARTITIONS), after=now, until=NEVER_AT - 1, limit=1)
        return due.reminders[0].due_at if due.reminders else None

    async def ring(self) -> None:
        """Fires what is due by now."""
        await self.host.reminders.run_once()
