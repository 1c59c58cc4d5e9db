"""The other ends of the native streams, as plain frames: a worker and a client."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

import grpc

from holdfast_proto.history import Status
from holdfast_proto.v1 import client_pb2, history_pb2
from holdfast_proto.v1 import worker_pb2 as pb
from tests.unit.sidecar.api.world import DEADLINE, NAMESPACE, World, until

T = TypeVar("T")
Call = grpc.aio.StreamStreamCall[bytes, bytes]


class WorkerEnd:
    """One stream of /holdfast.v1.Worker/Work. What came and was not asked for yet waits in its list."""

    def __init__(self, world: World) -> None:
        self._world = world
        method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = world.channel.stream_stream(
            "/holdfast.v1.Worker/Work", None, None
        )
        self._call: Call = method()
        self.turns: deque[pb.Turn] = deque()
        self.activities: deque[pb.Activity] = deque()
        self.cancels: deque[pb.Cancel] = deque()
        self.drops: deque[pb.Drop] = deque()
        self.frames: list[pb.SidecarFrame] = []

    async def send(self, frame: pb.WorkerFrame | bytes) -> None:
        await self._call.write(frame if isinstance(frame, bytes) else frame.SerializeToString())

    async def try_to_send(self, data: bytes) -> None:
        """The sidecar may have ended the stream already."""
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self.send(data)

    async def try_to_hang_up(self) -> None:
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._call.done_writing()
        while await self.frame() is not None:
            pass
        await until(lambda: not self._world.host.pool.workers)

    async def answer(
        self,
        turn: pb.Turn,
        *actions: history_pb2.Action,
        is_cached: bool = False,
        credits: tuple[int, int] = (0, 0),
        **fields: object,
    ) -> None:
        done = pb.TurnDone(token=turn.token, actions=actions, is_cached=is_cached, **fields)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await self.send(pb.WorkerFrame(turns=[done], credits=granted(*credits)))

    async def finish(self, activity: pb.Activity, result: str = '"done"', *, credits: tuple[int, int] = (0, 0)) -> None:
        done = pb.ActivityDone(token=activity.token, result=result)
        await self.send(pb.WorkerFrame(activities=[done], credits=granted(*credits)))

    async def frame(self) -> pb.SidecarFrame | None:
        """None when the sidecar has ended the stream."""
        try:
            async with asyncio.timeout(DEADLINE):
                data = await self._call.read()
        except grpc.aio.AioRpcError:
            return None
        if not isinstance(data, bytes):
            return None
        frame = pb.SidecarFrame.FromString(data)
        self.frames.append(frame)
        self.turns += frame.turns
        self.activities += frame.activities
        self.cancels += frame.cancels
        self.drops += frame.drops
        return frame

    async def turn(self) -> pb.Turn:
        return await self._next(self.turns)

    async def activity(self) -> pb.Activity:
        return await self._next(self.activities)

    async def cancel(self) -> pb.Cancel:
        return await self._next(self.cancels)

    async def drop(self) -> pb.Drop:
        return await self._next(self.drops)

    async def _next(self, waiting: deque[T]) -> T:
        while not waiting:
            assert await self.frame() is not None, "the stream has ended"
        return waiting.popleft()

    async def hang_up(self) -> None:
        """Cleanly: nothing more will be said; what is left to read is read."""
        before = len(self._world.host.pool.workers)
        await self._call.done_writing()
        while await self.frame() is not None:
            pass
        await until(lambda: len(self._world.host.pool.workers) < before)

    async def break_off(self) -> None:
        before = len(self._world.host.pool.workers)
        self._call.cancel()
        await until(lambda: len(self._world.host.pool.workers) < before)

    async def code(self) -> grpc.StatusCode:
        async with asyncio.timeout(DEADLINE):
            return await self._call.code()

    async def details(self) -> str:
        return await self._call.details() or ""


def hello(
    *, activities: Iterable[str] = ("charge",), names: Sequence[pb.WorkflowName] = (), cache_max: int = 0
) -> pb.WorkerHello:
    return pb.WorkerHello(
        protocol=1,
        namespace=NAMESPACE,
        worker_id="w",
        workflows=names or [pb.WorkflowName(name="order")],
        activities=activities,
        cache_max=cache_max,
    )


def granted(turns: int = 0, activities: int = 0) -> pb.Credits | None:
    return pb.Credits(turns=turns, activities=activities) if turns or activities else None


async def a_worker(
    world: World, *, turns: int = 10, activities: int = 10, greeting: pb.WorkerHello | None = None
) -> WorkerEnd:
    """Welcomed, with so many credits."""
    worker = WorkerEnd(world)
    await worker.send(pb.WorkerFrame(hello=greeting or hello(), credits=granted(turns, activities)))
    frame = await worker.frame()
    assert frame is not None
    assert frame.HasField("welcome")
    return worker


def schedule(seq: int, name: str = "charge") -> history_pb2.Action:
    return history_pb2.Action(seq=seq, schedule_activity=history_pb2.ScheduleActivity(name=name))


def complete(seq: int = 99, result: str = '"ok"') -> history_pb2.Action:
    action = history_pb2.Action(seq=seq)
    action.complete_workflow.status = Status.COMPLETED
    action.complete_workflow.result.value = result
    return action


class ClientEnd:
    """One stream of /holdfast.v1.Client/Call."""

    def __init__(self, world: World) -> None:
        method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = world.channel.stream_stream(
            "/holdfast.v1.Client/Call", None, None
        )
        self._call: Call = method()
        self._replies: dict[int, client_pb2.Reply] = {}
        self.is_draining = False

    async def send(self, *requests: client_pb2.Request, namespace: str = "") -> None:
        await self.send_bytes(client_pb2.CallFrame(requests=requests, namespace=namespace).SerializeToString())

    async def send_bytes(self, data: bytes) -> None:
        await self._call.write(data)

    async def try_to_send(self, data: bytes) -> None:
        """The sidecar may have ended the stream already."""
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self.send_bytes(data)

    async def reply(self, request_id: int) -> client_pb2.Reply:
        while request_id not in self._replies:
            assert await self.read(), "the stream has ended"
        return self._replies.pop(request_id)

    async def read(self) -> bool:
        """Whether there was a frame."""
        try:
            async with asyncio.timeout(DEADLINE):
                data = await self._call.read()
        except grpc.aio.AioRpcError:
            return False
        if not isinstance(data, bytes):
            return False
        frame = client_pb2.ReplyFrame.FromString(data)
        self._replies.update({reply.id: reply for reply in frame.replies})
        self.is_draining = self.is_draining or frame.draining
        return True

    async def ask(self, request: client_pb2.Request) -> client_pb2.Reply:
        await self.send(request)
        return await self.reply(request.id)

    async def hang_up(self) -> None:
        await self._call.done_writing()

    def break_off(self) -> None:
        self._call.cancel()

    async def code(self) -> grpc.StatusCode:
        async with asyncio.timeout(DEADLINE):
            return await self._call.code()

    async def details(self) -> str:
        return await self._call.details() or ""
