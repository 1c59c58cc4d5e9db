"""A worker: runs workflows and activities for the sidecar beside it.

    async with holdfast.Worker(checkout, charge):
        ...                                  # or: await holdfast.Worker(checkout, charge).run()

It dials out and needs no port. When the sidecar goes away it connects again, for ever, and says so in the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

import grpc

from holdfast._connection import FATAL, IDS, Endpoint, reconnecting, sdk_name
from holdfast._worker.activities import Activities
from holdfast._worker.frames import Frames
from holdfast._worker.turns import Turns
from holdfast._worker.watchdog import Watchdog
from holdfast.errors import WorkerRefused
from holdfast.registry import Registry
from holdfast_kit.backoff import Backoff
from holdfast_proto.v1 import worker_pb2 as pb

_log = logging.getLogger("holdfast.worker")

METHOD: Final = "/holdfast.v1.Worker/Work"
PROTOCOL: Final = 1
CAPABILITIES: Final = ("fused", "cancel", "heartbeat", "local-first")


_Call: TypeAlias = "grpc.aio.StreamStreamCall[pb.WorkerFrame, pb.SidecarFrame]"  # generic only for type checkers


class Worker:
    """`offers`: workflows, activities, objects with activity methods, modules.

    `turn_slots`, `activity_slots`: how much is sent here at once. `cache_max`: how many workflows are kept alive
    between their turns; what does not fit is replayed. `drain_limit`: seconds that running activities get at the end.
    `blocked_after`: seconds after which a workflow that does not yield is reported with its stack.
    `liveness_file` is touched while the worker is connected, for probes.
    """

    def __init__(
        self,
        *offers: object,
        address: str = "",
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
    ) -> None:
        self.registry = Registry(*offers)
        self.name = name or f"{socket.gethostname()}:{os.getpid()}:{IDS.token()[:8]}"
        self._endpoint = Endpoint(address, namespace, token)
        self._turn_slots = turn_slots
        self._activity_slots = activity_slots
        self._threads = threads
        self._processes = processes or os.cpu_count() or 1
        self._cache_max = cache_max
        self._drain_limit = drain_limit
        self._blocked_after = blocked_after
        self._liveness_file = None if liveness_file is None else Path(liveness_file)
        self._connected = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Starts in the background; waits until the sidecar has welcomed it, or raises what it was refused for."""
        # Its parent is this context manager, which no TaskGroup can be: `async with` must return while it runs.
        self._task = asyncio.get_running_loop().create_task(self.run(), name=f"holdfast worker {self.name}")
        self._task.add_done_callback(lambda _: self._connected.set())
        await self._connected.wait()
        if self._task.done():
            self._task.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._task is not None:
            await self._task

    def stop(self) -> None:
        """Takes nothing new, lets running activities end (for at most `drain_limit`), then `run` returns."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until `stop`. Raises WorkerRefused when the sidecar says that it will never serve this worker."""
        reason: BaseException | None = None
        watchdog = Watchdog(self._blocked_after)
        turns = Turns(self.registry, Frames(), cache_max=self._cache_max, watched=watchdog.watch)
        try:
            async with asyncio.TaskGroup() as group:
                activities = Activities(
                    self.registry,
                    Frames(),
                    group,
                    threads=self._threads,
                    processes=self._processes,
                    fuse=turns.fuse,
                )
                try:
                    await self._work_for_ever(turns, activities)
                finally:
                    activities.close()
        except* WorkerRefused as refused:
            reason = refused.exceptions[0]
        finally:
            watchdog.stop()
        if reason is not None:
            raise reason

    async def _work_for_ever(self, turns: Turns, activities: Activities) -> None:
        backoff = reconnecting()
        while not self._stopping.is_set():
            try:
                await self._one_stream(turns, activities, backoff)
            except grpc.aio.AioRpcError as error:
                if error.code() in FATAL:
                    raise WorkerRefused(f"the sidecar at {self._endpoint.target} refused: {error.details()}") from error
                self._say_away(error.details() or str(error.code()), backoff)
            if not self._stopping.is_set():
                await self._pause(backoff.next())

    def _say_away(self, reason: str, backoff: Backoff) -> None:
        """Once when it begins, then rarely: a sidecar that is away for an hour is one line a minute, not thousands."""
        if backoff.failures in (0, 3) or backoff.failures % 20 == 0:
            _log.warning(
                "no sidecar at %s (%s), trying again; is `holdfast dev` running?", self._endpoint.target, reason
            )

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    # -- one stream ------------------------------------------------------------------------------------------------

    async def _one_stream(self, turns: Turns, activities: Activities, backoff: Backoff) -> None:
        frames = Frames()
        turns.connected(frames)
        activities.connected(frames)
        async with self._endpoint.channel() as channel:
            call: _Call = channel.stream_stream(
                METHOD,
                request_serializer=_serialized,
                response_deserializer=pb.SidecarFrame.FromString,
            )(metadata=self._endpoint.metadata())
            ended: grpc.aio.AioRpcError | WorkerRefused | None = None
            async with asyncio.TaskGroup() as group:
                drainer = group.create_task(self._drain(frames, activities))
                writer = group.create_task(self._write_for_ever(call, frames))
                try:
                    async for frame in call:
                        self._take(frame, turns, activities, frames, backoff)
                except (grpc.aio.AioRpcError, WorkerRefused) as error:
                    ended = error  # raised below: out of the group it would come wrapped
                finally:
                    call.cancel()
                drainer.cancel()
                writer.cancel()
        if ended is not None:
            raise ended

    async def _write_for_ever(self, call: _Call, frames: Frames) -> None:
        """Ends with the stream: what a write would say of a broken one, the reader says better."""
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.write(pb.WorkerFrame(hello=self._hello()))
            while (frame := await frames.next()) is not None:
                await call.write(frame)
            await call.done_writing()

    def _take(
        self, frame: pb.SidecarFrame, turns: Turns, activities: Activities, frames: Frames, backoff: Backoff
    ) -> None:
        if frame.HasField("refusal"):
            raise WorkerRefused(f"the sidecar at {self._endpoint.target} refused: {frame.refusal.text}")
        if frame.HasField("welcome"):
            self._welcomed(frame.welcome, turns, activities, frames, backoff)
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
            self._touch()
        if frame.draining:
            _log.info("the sidecar at %s stops, finishing what runs", self._endpoint.target)
            frames.close()

    def _welcomed(
        self, welcome: pb.WorkerWelcome, turns: Turns, activities: Activities, frames: Frames, backoff: Backoff
    ) -> None:
        backoff.reset()
        turns.payload_bytes_max = activities.payload_bytes_max = welcome.payload_bytes_max or 1 << 62
        frames.grant(turns=self._turn_slots, activities=self._activity_slots)
        _log.info("worker %s connected to %s (%s)", self.name, self._endpoint.target, welcome.sidecar)
        self._touch()
        self._connected.set()

    async def _drain(self, frames: Frames, activities: Activities) -> None:
        """Once asked to stop: says so, waits for running activities, hangs up."""
        await self._stopping.wait()
        frames.item().draining = True
        try:
            async with asyncio.timeout(self._drain_limit):
                await activities.idle.wait()
        except TimeoutError:
            _log.warning("%d activities still run after %.0f s, leaving them", len(activities), self._drain_limit)
        frames.close()

    def _hello(self) -> pb.WorkerHello:
        hello = pb.WorkerHello(
            protocol=PROTOCOL,
            namespace=self._endpoint.namespace,
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

    def _touch(self) -> None:
        if self._liveness_file is not None:
            self._liveness_file.touch()


def _serialized(frame: pb.WorkerFrame) -> bytes:
    return frame.SerializeToString()
