"""The network of a simulated world: streams between processes, each in order, any of them late, cut or broken.

It stands where TCP and grpc stand: the real `Links` dial on it, the real `PlacementStream` opens channels, and what
they write are bytes.

    dial --> open --frames, in order, each direction by itself--> broken (both sides hear of it, each in its time)
               \\--> cut: frames wait on the wire; a cut that lasts breaks the stream
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol, cast

import grpc

from holdfast_sidecar.cluster.wire import Broken, Dial
from tests.simulation.cluster.machine import Machine, MachineLoop, nobodys

NOTICED_AFTER = 3.0  # seconds until a silent other side is taken for gone, at most
_NEXT = 1e-6  # seconds between two frames of one direction, so that they keep their order

Handler = Callable[[Any, Any], Coroutine[Any, Any, None]]


def _unseen(*_: object) -> None:
    """Nobody looks at what is carried."""


class Roads(Protocol):
    """How the wires are; each is a chance for every frame, or seconds."""

    @property
    def delays(self) -> float: ...

    @property
    def seconds_max(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Place:
    """One end of wires: a process by its name."""

    name: str
    machine: Machine


def unavailable(details: str) -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, details=details)


class End:
    """What has arrived at one side of a stream and was not read yet."""

    def __init__(self, loop: MachineLoop, place: Place) -> None:
        self.place = place
        self._loop = loop
        self._frames = deque[bytes]()
        self._waiter: asyncio.Future[None] | None = None
        self._is_over = False
        self._error: BaseException | None = None

    def arrive(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._wake()

    def finish(self, error: BaseException | None) -> None:
        """The first one counts. What had arrived before it is still read."""
        if not self._is_over:
            self._is_over, self._error = True, error
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._frames:
            if self._is_over:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._frames.popleft()


class Line:
    """One stream, from who dialed to who answered."""

    def __init__(self, network: Network, near: Place, address: str) -> None:
        self._network = network
        self._loop = network.loop
        self._address = address
        self.near = End(network.loop, near)
        self.far: End | None = None
        self.is_over = False
        self._server: asyncio.Task[None] | None = None
        self._waiting = deque[bytes]()  # written before the line was open
        self._stuck: dict[str, deque[bytes]] = {"near": deque(), "far": deque()}  # on a wire that is cut, by target
        self._last: dict[str, float] = {"near": 0.0, "far": 0.0}

    # -- opening ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        network = self._network
        listener = network.listeners.get(self._address)
        if listener is None or listener[0].machine.is_off:
            self.fail(unavailable(f"nobody is at {self._address}"))
        elif network.is_cut(self.near.place, listener[0]) or network.is_cut(listener[0], self.near.place):
            self._loop.call_later(1.0, self.fail, unavailable(f"{self._address} does not answer"), context=nobodys())
        elif not self.is_over:
            self._answer(*listener)

    def _answer(self, place: Place, handler: Handler) -> None:
        self.far = End(self._loop, place)
        context = Context(self)
        self._server = place.machine.spawn(handler(self.far, context))
        self._server.add_done_callback(lambda _: self._served(), context=nobodys())
        waiting, self._waiting = self._waiting, deque[bytes]()
        for frame in waiting:
            self.send(frame, to="far")

    def _served(self) -> None:
        """The far side has said its last word."""
        at = max(self._last["near"], self._loop.time()) + _NEXT
        self._loop.call_at(at, self.fail, None, context=nobodys())

    # -- frames ----------------------------------------------------------------------------------------------------

    def send(self, frame: bytes, *, to: str) -> None:
        if self.is_over:
            return
        if self.far is None:
            self._waiting.append(frame)
            return
        at = max(self._loop.time() + self._network.latency(), self._last[to] + _NEXT)
        self._last[to] = at
        self._loop.call_at(at, self._arrive, frame, to, context=nobodys())

    def _arrive(self, frame: bytes, to: str) -> None:
        assert self.far is not None
        source, target = (self.near, self.far) if to == "far" else (self.far, self.near)
        if self.is_over:
            return
        if self._stuck[to] or self._network.is_cut(source.place, target.place):
            self._stuck[to].append(frame)
        else:
            self._network.carried(source.place, target.place, frame)
            target.arrive(frame)

    def heal(self) -> None:
        for to, frames in self._stuck.items():
            waiting, self._stuck[to] = frames, deque[bytes]()
            for frame in waiting:
                self._arrive(frame, to)

    # -- ends ------------------------------------------------------------------------------------------------------

    def touches(self, name: str) -> bool:
        return name in (self.near.place.name, self.far.place.name if self.far is not None else "")

    def fail(self, error: BaseException | None) -> None:
        """The near side hears that it is over; the far side, if it still talks, is cut off."""
        if self.is_over:
            return
        self.is_over = True
        self._network.lines.pop(self, None)
        self.near.finish(error)
        if self._server is not None:
            self._server.cancel()

    def break_(self) -> None:
        """Both sides hear of it, each in its time. Nothing arrives any more."""
        if self.is_over:
            return
        self.is_over = True
        self._network.lines.pop(self, None)
        self._later(lambda: self.near.finish(unavailable("the connection broke")))
        if (server := self._server) is not None:
            self._later(server.cancel)

    def _later(self, fn: Callable[[], object]) -> None:
        rng = self._network.rng
        delay = rng.random() * (NOTICED_AFTER if rng.random() < 0.2 else 0.05)
        self._loop.call_later(delay, fn, context=nobodys())


class Context:
    """What a handler holds of its stream."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def say(self, frame: bytes) -> None:
        self._line.send(frame, to="near")


class Call:
    """What a caller holds of its stream."""

    def __init__(self, line: Line, serializer: Callable[[Any], bytes], deserializer: Callable[[bytes], Any]) -> None:
        self._line = line
        self._serializer = serializer
        self._deserializer = deserializer

    async def write(self, message: object) -> None:
        if self._line.is_over:
            raise asyncio.InvalidStateError("the stream is over")
        self._line.send(self._serializer(message), to="far")

    def __aiter__(self) -> Call:
        return self

    async def __anext__(self) -> object:
        return self._deserializer(await self._line.near.__anext__())

    def cancel(self) -> None:
        self._line.fail(asyncio.CancelledError())


class Wire:
    """A stream as peers hold it, on either side."""

    names: Sequence[str] = ()  # nobody has certificates

    def __init__(self, frames: End, say: Callable[[bytes], None]) -> None:
        self._frames = frames
        self._say = say

    def let_in(self) -> None: ...

    async def read(self) -> bytes:
        try:
            return await anext(self._frames)
        except StopAsyncIteration:
            raise Broken("the other side hung up") from None
        except grpc.aio.AioRpcError as error:
            raise Broken(error.details() or "") from error

    async def write(self, frame: bytes) -> None:
        self._say(frame)


class Channel:
    def __init__(self, network: Network, near: Place, address: str) -> None:
        self._network = network
        self._near = near
        self._address = address
        self._lines = list[Line]()

    async def __aenter__(self) -> Channel:
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in self._lines:
            line.fail(None)

    def stream_stream(
        self,
        method: str,
        *,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
    ) -> Callable[[], Call]:
        def call() -> Call:
            line = self._network.dial(self._near, self._address)
            self._lines.append(line)
            return Call(line, request_serializer, response_deserializer)

        return call


class Network:
    def __init__(self, loop: MachineLoop, *, rng: Random, roads: Roads) -> None:
        self.loop = loop
        self.rng = rng
        self.listeners: dict[str, tuple[Place, Handler]] = {}
        self.lines: dict[Line, None] = {}  # in the order in which they were dialed
        self.carried: Callable[[Place, Place, bytes], None] = _unseen
        self._roads = roads
        self._cuts = set[tuple[str, str]]()

    def listen(self, address: str, place: Place, handler: Callable[..., Coroutine[Any, Any, None]]) -> None:
        self.listeners[address] = (place, handler)

    def channels_of(self, near: Place) -> Callable[[str], grpc.aio.Channel]:
        """Where the product makes channels of grpc, it makes these. They offer what it uses of them."""
        return lambda address: cast("grpc.aio.Channel", Channel(self, near, address))

    def dialer_of(self, near: Place) -> Dial:
        @asynccontextmanager
        async def dial(address: str) -> AsyncGenerator[Wire]:
            line = self.dial(near, address)

            def say(frame: bytes) -> None:
                if line.is_over:
                    raise Broken("the stream is over")
                line.send(frame, to="far")

            try:
                yield Wire(line.near, say)
            finally:
                line.fail(None)

        return dial

    def dial(self, near: Place, address: str) -> Line:
        line = Line(self, near, address)
        self.lines[line] = None
        self.loop.call_later(self.latency(), line.open, context=nobodys())
        return line

    def latency(self) -> float:
        rng, roads = self.rng, self._roads
        if rng.random() < roads.delays:
            return rng.random() * roads.seconds_max
        return 0.0005

    # -- what goes wrong -------------------------------------------------------------------------------------------

    def is_cut(self, source: Place, target: Place) -> bool:
        return bool(self._cuts) and (source.name, target.name) in self._cuts

    def cut(self, source: str, target: str) -> None:
        """Nothing that `source` sends reaches `target`. A stream between them breaks when it lasts."""
        self._cuts.add((source, target))
        self.loop.call_later(
            NOTICED_AFTER * (1 + self.rng.random()), self._break_if_cut, source, target, context=nobodys()
        )

    def _break_if_cut(self, source: str, target: str) -> None:
        if (source, target) in self._cuts:
            self.break_between(source, target)

    def heal(self, source: str, target: str) -> None:
        self._cuts.discard((source, target))
        for line in list(self.lines):
            if line.touches(source) and line.touches(target):
                line.heal()

    def heal_all(self) -> None:
        for source, target in sorted(self._cuts):
            self.heal(source, target)

    def break_between(self, one: str, other: str) -> None:
        for line in list(self.lines):
            if line.touches(one) and line.touches(other):
                line.break_()

    def break_all(self, name: str) -> None:
        """The process is gone, or its machine has no network any more."""
        for line in list(self.lines):
            if line.touches(name):
                line.break_()
