"""Streams in memory: the frames of the protocol, encoded as on the wire, between a client side and a service."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Generic, TypeVar

from holdfast._asking import METHOD as CALL
from holdfast._stream import Disconnected
from holdfast_kit.rpc.call import Converse
from holdfast_kit.rpc.status import Aborted
from holdfast_proto.v1 import client_pb2 as pb

T = TypeVar("T")


class Lane(Generic[T]):
    """One direction: in order, without a bound. `close` ends it after what is in it, `cut` at once."""

    def __init__(self, moved: Callable[[], None]) -> None:
        self._items: deque[T] = deque()
        self._moved = moved
        self._wake = asyncio.Event()
        self._is_closed = False
        self._cut = ""

    @property
    def is_open(self) -> bool:
        return not (self._is_closed or self._cut)

    def put(self, item: T) -> None:
        if self.is_open:
            self._items.append(item)
            self._stir()

    def close(self) -> None:
        self._is_closed = True
        self._stir()

    def cut(self, reason: str) -> None:
        self._cut = self._cut or reason
        self._items.clear()
        self._stir()

    async def take(self) -> T | None:
        """None when it has ended; Disconnected when it was cut."""
        while not self._items:
            if self._cut:
                raise Disconnected(self._cut)
            if self._is_closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        self._moved()
        return self._items.popleft()

    def _stir(self) -> None:
        self._moved()
        self._wake.set()


class Pipe:
    """The client's side of one stream; `serve` runs the service's."""

    def __init__(self, method: str, moved: Callable[[], None]) -> None:
        self.method = method
        self._up: Lane[bytes] = Lane(moved)
        self._down: Lane[bytes] = Lane(moved)
        self._serving: asyncio.Task[None] | None = None
        self.asked = 0  # requests of a client that went up and replies that came down: the difference is outstanding
        self.answered = 0

    # -- the client's side -----------------------------------------------------------------------------------------

    async def read(self) -> bytes | None:
        data = await self._down.take()
        if data is not None and self.method == CALL:
            self.answered += len(pb.ReplyFrame.FromString(data).replies)
        return data

    async def write(self, data: bytes, /) -> None:
        if not self._up.is_open:
            raise Disconnected("the stream has ended")
        if self.method == CALL:
            self.asked += len(pb.CallFrame.FromString(data).requests)
        self._up.put(data)

    async def done_writing(self) -> None:
        self._up.close()

    def cancel(self) -> None:
        self.cut("the stream was cancelled")

    @property
    def outstanding(self) -> int:
        return self.asked - self.answered if self._down.is_open else 0

    # -- the service's side ----------------------------------------------------------------------------------------

    async def serve(self, converse: Converse) -> None:
        """Until the method returns or the pipe is cut."""
        self._serving = asyncio.current_task()
        try:
            await converse(self._frames(), _Call(self))
        except Aborted as error:
            self.cut(error.text)
        except Disconnected as error:
            self.cut(str(error))
        except Exception as error:
            self.cut(f"the sidecar's end failed: {error!r}")
            raise
        else:
            self._down.close()
        finally:
            self._serving = None

    def cut(self, reason: str) -> None:
        """Both ways, at once: what is on its way is lost. The service is cancelled, as a gRPC server does it."""
        self._up.cut(reason)
        self._down.cut(reason)
        if self._serving is not None:
            self._serving.cancel()

    def send(self, data: bytes) -> None:
        self._down.put(data)

    async def _frames(self) -> AsyncIterator[bytes]:
        try:
            while (data := await self._up.take()) is not None:
                yield data
        except Disconnected:
            await asyncio.Event().wait()  # until the cancellation comes that tells the service


class _Call:
    """What the services have of a call over the network."""

    metadata: Mapping[str, str] = {}
    peer = "memory"

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def begin(self) -> None: ...

    async def write(self, message: bytes, /) -> None:
        self._pipe.send(message)
