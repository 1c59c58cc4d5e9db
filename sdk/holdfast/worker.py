"""A worker: runs workflows and activities for the sidecar beside it.

    async with holdfast.Worker(checkout, charge):
        ...                                  # or: await holdfast.Worker(checkout, charge).run()

It dials out and needs no port. When the sidecar goes away it connects again, for ever, and says so in the log.

    connecting --welcome--> working --stop()--> draining --all answered, or drain_limit--> ended
        ^                      |
        +--- pause, longer ----+   the stream broke
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from holdfast._connection import Connection, connection_of, sdk_name
from holdfast._stream import Disconnected
from holdfast._talking import Reconnecting, talk
from holdfast._worker.activities import Activities
from holdfast._worker.frames import Frames
from holdfast._worker.turns import Turns
from holdfast._worker.watchdog import Watchdog
from holdfast.errors import DefinitionError, HoldfastError, WorkerRefused
from holdfast.registry import Registry
from holdfast_proto.v1 import worker_pb2 as pb

_log = logging.getLogger("holdfast.worker")

METHOD: Final = "/holdfast.v1.Worker/Work"
PROTOCOL: Final = 1
CAPABILITIES: Final = ("fused", "cancel", "heartbeat")
ALIVE_EVERY: Final = 5.0  # seconds between two touches of the liveness file; probes look every ten or so
_ANY_SIZE: Final = 1 << 62  # of a sidecar that names no limit


class Worker:
    """`offers`: workflows, activities, objects with activity methods, modules.

    `address`, `namespace`, `token`: as for holdfast.Client.
    `turn_slots`, `activity_slots`: how much is sent here at once. `threads`, `processes`: of what is sent, how many
    sync activities run side by side. `cache_max`: how many workflows are kept alive between their turns; what does not
    fit is replayed. `drain_limit`: seconds that running activities get at the end. `blocked_after`: seconds after which
    a workflow that does not yield is reported with its stack; 0 never does. `liveness_file` is touched every few
    seconds while the worker is connected and its loop turns, for probes.

    `replay_every_turn` is for tests: each turn is also decided by a run built anew from the whole history, and must be
    decided the same way, else the instance stalls and says what differs. It finds what depends on anything but history.
    """

    def __init__(
        self,
        *offers: object,
        address: str | Connection = "",
        namespace: str = "",
        token: str = "",
        name: str = "",
        turn_slots: int = 1_000,
        activity_slots: int = 1_000,
        threads: int = 64,
        processes: int | None = None,
        cache_max: int = 10_000,
        drain_limit: float = 30.0,
        blocked_after: float = 2.0,
        liveness_file: str | os.PathLike[str] | None = None,
        replay_every_turn: bool = False,
    ) -> None:
        _check(turn_slots=turn_slots, activity_slots=activity_slots, threads=threads)
        self.registry = Registry(*offers)
        _check_processes(self.registry)
        self._connection = connection_of(address, namespace, token)
        self.name = name or f"{socket.gethostname()}:{os.getpid()}:{self._connection.ids.token()[:8]}"
        self._turn_slots = turn_slots
        self._activity_slots = activity_slots
        self._threads = threads
        self._processes = processes or os.cpu_count() or 1
        self._cache_max = cache_max
        self.drain_limit = drain_limit
        self._blocked_after = blocked_after
        self._replay_every_turn = replay_every_turn
        self._liveness_file = None if liveness_file is None else Path(liveness_file)
        self._connected = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._turns: Turns | None = None
        self._is_connected = False
        self.left_behind = 0  # activities that had not ended when `run` returned

    # -- life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Starts in the background; waits until the sidecar has welcomed it, or raises what it was refused for."""
        # Its parent is this context manager, which no TaskGroup can be: `async with` must return while it runs.
        task = self._task = asyncio.get_running_loop().create_task(self.run(), name=f"holdfast worker {self.name}")
        task.add_done_callback(self._ended)
        try:
            await self._connected.wait()
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            task.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._task is not None:
            await self._task

    @property
    def is_connected(self) -> bool:
        """Whether a sidecar has welcomed it and the stream stands."""
        return self._is_connected

    async def connected(self) -> None:
        """Waits until a sidecar has welcomed it for the first time, or it has ended."""
        await self._connected.wait()

    def where(self, instance_id: str) -> str:
        """The lines of workflow code at which a workflow waits that is kept alive here; "" for any other."""
        return "" if self._turns is None else self._turns.where(instance_id)

    def stop(self) -> None:
        """Takes nothing new, lets running activities end (for at most `drain_limit`), then `run` returns."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until `stop`. Raises WorkerRefused when the sidecar says that it will never serve this worker."""
        if self._turns is not None:
            raise HoldfastError(f"worker {self.name}: it ran already; a worker has one life, make a new one")
        ended: HoldfastError | None = None
        with Watchdog(self._blocked_after) as watchdog:
            turns = self._turns = self._make_turns(watchdog)
            async with asyncio.TaskGroup() as group:
                activities = Activities(
                    self.registry,
                    group,
                    slots=self._activity_slots,
                    threads=self._threads,
                    processes=self._processes,
                    fuse=turns.fuse,
                )
                try:
                    await self._work_for_ever(turns, activities)
                except HoldfastError as error:
                    ended = error  # raised below: out of the group it would come wrapped
                finally:
                    turns.close()
                    self.left_behind = activities.close()
        if ended is not None:
            raise ended

    def _make_turns(self, watchdog: Watchdog) -> Turns:
        return Turns(
            self.registry,
            self._connection.clock,
            cache_max=self._cache_max,
            watched=watchdog.watch,
            replay_every_turn=self._replay_every_turn,
        )

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and self._connected.is_set():
            _log.error("worker %s has ended: %s", self.name, error)
        self._connected.set()

    async def _work_for_ever(self, turns: Turns, activities: Activities) -> None:
        again = Reconnecting(self._connection, _log)
        while not self._stopping.is_set():
            try:
                await self._one_stream(turns, activities, again)
                if self._stopping.is_set():
                    return
                again.failed("it stops")
            except Disconnected as error:
                if error.is_final:
                    raise WorkerRefused(f"the sidecar at {self._connection.target} refused: {error}") from error
                again.failed(error)
            await self._pause(again)

    async def _pause(self, again: Reconnecting) -> None:
        """Ends early when the worker is stopped."""
        async with asyncio.TaskGroup() as group:
            pause = group.create_task(again.pause())
            stopping = group.create_task(self._stopping.wait())
            pause.add_done_callback(lambda _: stopping.cancel())
            stopping.add_done_callback(lambda _: pause.cancel())

    # -- one stream ------------------------------------------------------------------------------------------------

    async def _one_stream(self, turns: Turns, activities: Activities, again: Reconnecting) -> None:
        frames = Frames(pb.WorkerFrame(hello=self._hello()))
        frames.grant(turns=self._turn_slots)
        turns.connected(frames)
        activities.connected(frames)

        def take(data: bytes) -> bool:
            self._take(pb.SidecarFrame.FromString(data), turns, activities, frames, again)
            return False

        async with self._connection.open(METHOD) as stream:
            ended: Disconnected | HoldfastError | None = None
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(self._drain(frames, activities)), group.create_task(self._show_life())]
                try:
                    await talk(stream, frames.next, take)
                except (Disconnected, HoldfastError) as error:
                    ended = error
                self._is_connected = False
                for task in beside:
                    task.cancel()
            if ended is not None:
                raise ended

    def _take(
        self, frame: pb.SidecarFrame, turns: Turns, activities: Activities, frames: Frames, again: Reconnecting
    ) -> None:
        if frame.HasField("refusal"):
            raise WorkerRefused(
                f"the sidecar at {self._connection.target} refused: {frame.refusal.text}", code=frame.refusal.code
            )
        if frame.HasField("welcome"):
            again.succeeded()
            self._welcomed(frame.welcome, turns, activities)
        for drop in frame.drops:
            turns.drop(drop.instance_id)
        for turn in frame.turns:
            turns.take(turn)
        for item in frame.activities:
            activities.take(item)
        for cancel in frame.cancels:
            activities.cancel(cancel)
        if frame.ping:
            frames.item().pong = frame.ping
        if frame.draining:
            _log.info("the sidecar at %s stops, finishing what runs", self._connection.target)
            frames.close()

    def _welcomed(self, welcome: pb.WorkerWelcome, turns: Turns, activities: Activities) -> None:
        turns.payload_bytes_max = activities.payload_bytes_max = welcome.payload_bytes_max or _ANY_SIZE
        _log.info("worker %s connected to %s (%s)", self.name, self._connection.target, welcome.sidecar)
        self._is_connected = True
        self._connected.set()

    async def _drain(self, frames: Frames, activities: Activities) -> None:
        """Once asked to stop: says so, waits for running activities, hangs up."""
        await self._stopping.wait()
        frames.item().draining = True
        activities.drain()
        try:
            async with asyncio.timeout(self.drain_limit):
                await activities.idle.wait()
        except TimeoutError:
            _log.warning(
                "%d activities still run after %.0f s, leaving them to another worker",
                len(activities),
                self.drain_limit,
            )
        frames.close()

    async def _show_life(self) -> None:
        if self._liveness_file is None:
            return
        await self._connected.wait()
        while True:
            self._liveness_file.touch()
            await asyncio.sleep(ALIVE_EVERY)

    def _hello(self) -> pb.WorkerHello:
        hello = pb.WorkerHello(
            protocol=PROTOCOL,
            namespace=self._connection.namespace,
            worker_id=self.name,
            sdk=sdk_name(),
            capabilities=CAPABILITIES,
            activities=sorted(self.registry.activities),
            cache_max=self._cache_max,
            turn_slots=self._turn_slots,
            activity_slots=self._activity_slots,
        )
        for name, versions in sorted(self.registry.versions.items()):
            hello.workflows.add(name=name, versions=versions)
        return hello


def _check_processes(registry: Registry) -> None:
    for activity in registry.activities.values():
        if activity.in_process and "<locals>" in activity.__qualname__:
            raise DefinitionError(
                f"activity {activity.name!r}: expected a function at module level, found {activity.__qualname__}; "
                "another process finds it by its name only (in_process=True)"
            )


def _check(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"Worker({name}): expected at least 1, found {count}")
