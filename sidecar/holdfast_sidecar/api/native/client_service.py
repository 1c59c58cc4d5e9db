"""`/holdfast.v1.Client/Call` and `/Once`: many requests over one stream, or one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from holdfast_kit.rpc.call import Call, ManyToMany, Methods, OneToOne
from holdfast_proto.v1 import client_pb2 as pb
from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.api.native.calls import answer
from holdfast_sidecar.api.native.replies import error_of
from holdfast_sidecar.api.refusal import refusal
from holdfast_sidecar.core.errors import InvalidRequest, Overloaded

M = TypeVar("M", bound=Message)

OUTSTANDING_MAX = 50_000  # requests of one stream: waits are long, so this is about memory, not about speed
REPLIES_MAX = 128


class ClientService:
    def __init__(self, engine: Engine, *, namespace: str) -> None:
        self._engine = engine
        self._namespace = namespace
        self._streams: set[_Stream] = set()
        self._is_draining = False

    def methods(self) -> Methods:
        return {"/holdfast.v1.Client/Call": ManyToMany(self.call), "/holdfast.v1.Client/Once": OneToOne(self.once)}

    def drain(self) -> None:
        """Ends every stream, those too that still come: what is not answered is repeated to whoever comes next."""
        self._is_draining = True
        for stream in self._streams:
            stream.drain()

    async def once(self, data: bytes, _: Call) -> bytes:
        try:
            request = _parsed(pb.Request, data)
        except InvalidRequest as error:
            raise refusal(error) from error
        return (await answer(self._engine, request)).SerializeToString()

    async def call(self, frames: AsyncIterator[bytes], call: Call) -> None:
        stream = _Stream(self._engine, self._namespace)
        self._streams.add(stream)
        if self._is_draining:
            stream.drain()
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(stream.read(frames, group))
                while (data := await stream.next()) is not None:
                    await call.write(data)
                reader.cancel()
                stream.hang_up()
        finally:
            self._streams.discard(stream)
        if stream.fault is not None:
            raise refusal(stream.fault)


class _Stream:
    """The requests of one client, each a task of the stream's group: a client that goes takes its waits with it."""

    def __init__(self, engine: Engine, namespace: str) -> None:
        self.fault: InvalidRequest | None = None
        self._engine = engine
        self._namespace = namespace
        self._replies: list[pb.Reply] = []
        self._running: dict[int, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._is_read = False
        self._drains = False
        self._has_drained = False

    def drain(self) -> None:
        self._drains = True
        self._wake.set()

    def hang_up(self) -> None:
        """Nobody hears the answers any more: a caller that is told of the end asks again elsewhere."""
        for task in self._running.values():
            task.cancel()

    async def next(self) -> bytes | None:
        """The next frame; None when the client has hung up and every request is answered, or when it was told that
        the sidecar stops: it asks again elsewhere."""
        if self._has_drained:
            return None
        while not (self._replies or self._drains):
            if self._is_read and not self._running:
                return None
            self._wake.clear()
            await self._wake.wait()
        replies, self._replies = self._replies[:REPLIES_MAX], self._replies[REPLIES_MAX:]
        self._has_drained = self._drains and not self._replies
        frame = pb.ReplyFrame(replies=replies, draining=self._has_drained)
        return frame.SerializeToString()

    async def read(self, frames: AsyncIterator[bytes], group: asyncio.TaskGroup) -> None:
        """Until the client hangs up, or sends what no client sends: then its answers end, too."""
        try:
            await self._read(frames, group)
        except InvalidRequest as error:
            self.fault = error
            self.hang_up()
        self._is_read = True
        self._wake.set()

    async def _read(self, frames: AsyncIterator[bytes], group: asyncio.TaskGroup) -> None:
        wanted = ""  # said in the first frame, and meant for all
        async for data in frames:
            frame = _parsed(pb.CallFrame, data)
            wanted = frame.namespace or wanted
            for request in frame.requests:
                if wanted in ("", self._namespace):
                    self._begin(request, group)
                else:
                    self._refuse(request, self._foreign(wanted))

    def _begin(self, request: pb.Request, group: asyncio.TaskGroup) -> None:
        if request.HasField("cancel"):
            self._cancel(request)
        elif not request.id or request.id in self._running:
            self._refuse(request, InvalidRequest(f"request id {request.id}: expected one that is not 0 and not in use"))
        elif len(self._running) >= OUTSTANDING_MAX:
            self._refuse(request, Overloaded(f"this stream has {OUTSTANDING_MAX} requests outstanding; wait for some"))
        else:
            self._running[request.id] = group.create_task(self._run(request))

    async def _run(self, request: pb.Request) -> None:
        try:
            self._reply(await answer(self._engine, request))
        finally:
            if self._running.get(request.id) is asyncio.current_task():  # its id may be used again by now
                del self._running[request.id]
            self._wake.set()

    def _cancel(self, request: pb.Request) -> None:
        task = self._running.pop(request.cancel.request_id, None)
        if task is not None:
            task.cancel()
            canceled = pb.Error(kind=pb.Error.CANCELED, code="Canceled", text="canceled by its caller")
            self._reply(pb.Reply(id=request.cancel.request_id, error=canceled))
        self._reply(pb.Reply(id=request.id, done=pb.Done()))

    def _refuse(self, request: pb.Request, error: Exception) -> None:
        self._reply(pb.Reply(id=request.id, error=error_of(error)))

    def _reply(self, reply: pb.Reply) -> None:
        if self._drains:  # from here on an answer may say that we stop, which the caller need not know
            return
        self._replies.append(reply)
        self._wake.set()

    def _foreign(self, namespace: str) -> InvalidRequest:
        return InvalidRequest(
            f"namespace {namespace!r}: this sidecar serves {self._namespace!r}; check the client's namespace"
        )


def _parsed(kind: type[M], data: bytes) -> M:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise InvalidRequest(
            f"frame: expected an encoded {kind.DESCRIPTOR.name}, found {len(data)} bytes of another form; use the SDK"
        ) from error
