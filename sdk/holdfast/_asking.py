"""The stream of a client: many requests at once, answered in any order, asked again when the stream breaks."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

from holdfast._connection import Connection, sdk_name
from holdfast._stream import Disconnected
from holdfast._talking import Reconnecting, settled, talk
from holdfast.errors import CallRefused, HoldfastError, SidecarUnavailable, refusal_of
from holdfast_proto.v1 import client_pb2 as pb

_log = logging.getLogger("holdfast.client")

METHOD: Final = "/holdfast.v1.Client/Call"
REQUESTS_MAX: Final = 128  # in one frame


class Asking:
    """`ask` may be called as soon as `open` was; what is asked before there is a sidecar waits for one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = 0
        self._waiting: dict[int, tuple[pb.Request, asyncio.Future[pb.Reply]]] = {}
        self._queue: list[pb.Request] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sdk = ""  # said in the first frame of a stream

    def open(self) -> None:
        if self._task is not None:
            raise HoldfastError("this client is open already; one `async with` opens it, and its end closes it")
        # Its parent is the client's context manager, which no TaskGroup can be: `async with` must return while it runs.
        self._task = asyncio.get_running_loop().create_task(self._talk_for_ever(), name="holdfast client")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def ask(self, request: pb.Request) -> pb.Reply:
        """Sends one request and waits for its reply; raises what the sidecar refused it for."""
        if self._task is None:
            raise SidecarUnavailable("this client is not open; use `async with holdfast.Client() as client:`")
        if self._task.get_loop() is not asyncio.get_running_loop():
            raise HoldfastError("this client belongs to another event loop; open one here, or use holdfast.SyncClient")
        request.id = number = self._fresh()
        waiting: asyncio.Future[pb.Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (request, waiting)
        self._send(request)
        try:
            reply = await waiting
        except asyncio.CancelledError:
            self._send(pb.Request(id=self._fresh(), cancel=pb.CancelRequest(request_id=number)))
            raise
        finally:
            self._waiting.pop(number, None)
        if reply.HasField("error"):
            raise refusal_of(reply.error)
        return reply

    def fail_all(self, error: Exception) -> None:
        """Whoever waits now waits no more."""
        for _, waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)

    @property
    def outstanding(self) -> list[pb.Request]:
        return [request for request, waiting in self._waiting.values() if not waiting.done()]

    def _fresh(self) -> int:
        self._numbers += 1
        return self._numbers

    def _send(self, request: pb.Request) -> None:
        self._queue.append(request)
        self._wake.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.fail_all(SidecarUnavailable("the client was closed before the answer came"))
            return
        error = task.exception()
        _log.error("the client's stream failed in a way that it should not", exc_info=error)
        self.fail_all(SidecarUnavailable(f"the client has failed: {error!r}; see the log"))

    async def _talk_for_ever(self) -> None:
        again = Reconnecting(self._connection, _log)
        while True:
            try:
                await self._one_stream(again)
                again.failed("it stops")
            except Disconnected as error:
                again.failed(error)
                if error.is_final:
                    self.fail_all(CallRefused(f"the sidecar at {self._connection.target} refused: {error}"))
            await again.pause()

    async def _one_stream(self, again: Reconnecting) -> None:
        def take(data: bytes) -> bool:
            again.succeeded()
            frame = pb.ReplyFrame.FromString(data)
            self._take(frame)
            return frame.draining

        async with self._connection.open(METHOD) as stream:
            self._queue = self.outstanding
            self._sdk = sdk_name()
            await talk(stream, self._next_frame, take)

    def _take(self, frame: pb.ReplyFrame) -> None:
        for reply in frame.replies:
            entry = self._waiting.get(reply.id)
            if entry is not None and not entry[1].done():
                entry[1].set_result(reply)

    async def _next_frame(self) -> bytes:
        while not self._queue:
            self._wake.clear()
            await self._wake.wait()
        await settled(lambda: len(self._queue))
        requests, self._queue = self._queue[:REQUESTS_MAX], self._queue[REQUESTS_MAX:]
        frame = pb.CallFrame(requests=requests, namespace=self._connection.namespace, sdk=self._sdk)
        self._sdk = ""
        return frame.SerializeToString()
