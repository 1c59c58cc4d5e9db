"""A gRPC server for asyncio: sockets, tasks and time around the pure connection.

    bytes -> Connection -> events -> a task per call -> handler -> messages -> Connection -> bytes

What the calls of one turn of the loop have to say leaves in one write. A caller that says nothing for a while is
pinged, and given up when it does not answer: its calls end as if it had hung up.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Final, cast

from holdfast_kit.clock import Clock, Handle
from holdfast_kit.rpc.call import Method, Methods
from holdfast_kit.rpc.connection import Connection
from holdfast_kit.rpc.events import DataCame, Drained, Event, GoneAway, HeadersCame, Lost, StreamReset
from holdfast_kit.rpc.frames import PREFACE
from holdfast_kit.rpc.hpack import Headers, encode
from holdfast_kit.rpc.serving import Serving
from holdfast_kit.rpc.sockets import set_nodelay
from holdfast_kit.rpc.status import Status, trailers
from holdfast_kit.rpc.vigil import Vigil

_log = logging.getLogger(__name__)

LINGER: Final = 0.001  # seconds that an answer which can wait may wait for company: each write has its price
UNREAD_MAX: Final = 16 << 20  # bytes that a caller leaves unread until it is cut off; windows hold it far below
ROUTES_MAX: Final = 256  # sets of headers that are remembered with what they lead to
BACKLOG: Final = 512
_NO_HTTP_1: Final = (
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This port speaks gRPC (HTTP/2). The HTTP API has a port of its own.\n"
)

Check = Callable[[Mapping[str, str]], str | None]
"""Why a call with these metadata is not let in; None when it is."""


def let_all_in(_: Mapping[str, str]) -> str | None:
    return None


class Route:
    """What a set of request headers leads to: a method, or why there is none."""

    __slots__ = ("encoding", "metadata", "method", "refusal", "timeout")

    def __init__(self, headers: Headers, methods: Methods, check: Check) -> None:
        self.metadata = dict(headers)
        self.timeout = _timeout(self.metadata.get("grpc-timeout"))
        self.encoding = self.metadata.get("grpc-encoding", "identity")
        self.method: Method | None = methods.get(self.metadata.get(":path", ""))
        self.refusal = self._refusal(check)

    def _refusal(self, check: Check) -> bytes:
        if self.metadata.get(":method") != "POST":
            return encode([(":status", "405"), ("allow", "POST")])
        if not self.metadata.get("content-type", "").startswith("application/grpc"):
            return encode([(":status", "415")])
        problem = check(self.metadata)
        if problem is not None:
            return trailers(Status.UNAUTHENTICATED, problem, with_head=True)
        if self.method is None:
            text = f"method {self.metadata.get(':path', '')}: this server has none of that name"
            return trailers(Status.UNIMPLEMENTED, text, with_head=True)
        return b""


def _timeout(text: str | None) -> float | None:
    """Seconds. None when there is none, or none that can be read: the caller bounds its waiting itself."""
    if not text or not text[:-1].isdigit():
        return None
    units = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else None


class Server:
    """Routes of methods, served on one socket. `start`, then `stop`."""

    def __init__(self, clock: Clock, *, check: Check = let_all_in) -> None:
        self._clock = clock
        self._check = check
        self._methods: dict[str, Method] = {}
        self._routes: dict[Headers, Route] = {}
        self._links = set[Link]()
        self._all_parted = asyncio.Event()
        self._all_parted.set()
        self._listening: asyncio.Server | None = None

    def add(self, methods: Methods) -> None:
        self._methods.update(methods)

    def route(self, headers: Headers) -> Route:
        route = self._routes.get(headers)
        if route is None:
            if len(self._routes) >= ROUTES_MAX:
                self._routes.clear()
            route = self._routes[headers] = Route(headers, self._methods, self._check)
        return route

    async def start(self, listener: socket.socket) -> None:
        """The socket is bound; it listens from here on, and is closed by `stop`."""
        self._listening = await asyncio.get_running_loop().create_server(
            lambda: cast("asyncio.Protocol", Link(self, self._clock)), sock=listener, backlog=BACKLOG
        )

    async def stop(self, grace: float) -> None:
        """Nothing new; what runs has `grace` seconds, then it is cut off."""
        if self._listening is not None:
            self._listening.close()
        for link in list(self._links):
            link.go_away()
        deadline = self._clock.monotonic() + grace
        while any(link.is_busy for link in self._links) and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.01)
        for link in list(self._links):
            link.cut()
        await self._all_parted.wait()

    def met(self, link: Link) -> None:
        self._links.add(link)
        self._all_parted.clear()

    def parted(self, link: Link) -> None:
        """Its connection is gone and its calls have ended."""
        self._links.discard(link)
        if not self._links:
            self._all_parted.set()


class Link:
    """One caller's connection. A protocol by its methods, as loops ask for no more: a class whose base is not compiled
    would be slow when it is."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._connection = Connection()
        self._calls: dict[int, Serving] = {}
        self._tasks = set[asyncio.Task[None]]()
        self._will_flush = False
        self._is_going = False
        self._vigil = Vigil(clock, ping=self._ping, give_up=self._silent)
        self._lingering: Handle | None = None  # until what can wait leaves by itself
        self._first = b""
        self.peer = "unknown"

    # -- what the loop calls ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = stream = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self.peer = _named(stream)
        set_nodelay(stream)
        self._server.met(self)
        self._vigil.begin()  # who speaks no HTTP/2 hears it in words

    def data_received(self, data: bytes) -> None:
        self._vigil.heard()
        if len(self._first) < len(PREFACE):
            self._first += data[: len(PREFACE)]
        for event in self._connection.receive(data):
            self._take(event)
        if self._lingering is None:  # else what there is to say leaves in a moment
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._vigil.end()
        for call in list(self._calls.values()):
            call.hung_up()
        self._calls.clear()
        if not self._tasks:
            self._server.parted(self)

    def eof_received(self) -> None:
        """Who says nothing more is not answered any more: the transport closes."""

    def pause_writing(self) -> None:
        """What is not read is bounded by the windows, and by `UNREAD_MAX`."""

    def resume_writing(self) -> None: ...

    # -- what the server calls -------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return bool(self._calls)

    def go_away(self) -> None:
        """The caller shall open its next call elsewhere."""
        if not self._is_going:
            self._is_going = True
            self._connection.close()
            self.flush_soon()
        self._close_if_done()

    def cut(self) -> None:
        if self._transport is not None:
            self._flush()
            self._transport.close()
        for call in list(self._calls.values()):
            call.hung_up()

    # -- events ----------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        match event:
            case HeadersCame():
                self._headers(event)
            case DataCame(stream_id=stream_id):
                call = self._calls.get(stream_id)
                if call is None:
                    self._connection.consumed(stream_id, len(event.data))
                else:
                    call.data(event.data, ends=event.ends)
            case StreamReset(stream_id=stream_id):
                call = self._calls.pop(stream_id, None)
                if call is not None:
                    call.hung_up()
            case Drained(stream_id=stream_id):
                call = self._calls.get(stream_id)
                if call is not None:
                    call.drained()
            case GoneAway():
                pass  # it opens no streams any more; those that are open go on
            case Lost():
                self._lost(event)

    def _headers(self, event: HeadersCame) -> None:
        stream_id = event.stream_id
        call = self._calls.get(stream_id)
        if call is not None:  # a caller's trailers say nothing but that it is done
            call.data(b"", ends=True)
            return
        route = self._server.route(event.headers)
        if route.refusal or route.method is None:
            self._connection.send_end(stream_id, route.refusal)
            return
        self._calls[stream_id] = call = Serving(self, self._connection, stream_id, route.method, route.metadata)
        call.begin_reading(route.encoding, timeout=route.timeout, clock=self._clock)
        if event.ends:
            call.data(b"", ends=True)

    def _lost(self, event: Lost) -> None:
        if self._first[:4] in (b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"PATC"):
            self._connection.output()
            if self._transport is not None:
                self._transport.write(_NO_HTTP_1)
        else:
            _log.info("closed a connection", extra={"peer": self.peer, "reason": event.text, "code": event.code.name})
        self._flush()
        if self._transport is not None:
            self._transport.close()

    # -- what calls call -------------------------------------------------------------------------------------------

    def run(self, call: Serving) -> asyncio.Task[None]:
        """A task is kept by its link until it has ended; a call that is over cancels its own."""
        task = self._loop.create_task(call.run())
        self._tasks.add(task)
        task.add_done_callback(self._ran)
        return task

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._transport is None and not self._tasks:
            self._server.parted(self)

    def over(self, stream_id: int, *, can_wait: bool) -> None:
        self._calls.pop(stream_id, None)
        if can_wait and not self._is_going:
            if self._lingering is None:
                self._lingering = self._clock.call_later(LINGER, self._flush)
            return
        self.flush_soon()
        if self._is_going:
            self._close_if_done()

    def flush_soon(self) -> None:
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self._flush)

    # -- bytes and time --------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._will_flush = False
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        transport = self._transport
        if transport is None or not self._connection.has_output:
            return
        transport.write(self._connection.output())
        if transport.get_write_buffer_size() > UNREAD_MAX:
            _log.warning("cut off a caller that reads nothing", extra={"peer": self.peer})
            transport.abort()

    def _close_if_done(self) -> None:
        if not self._calls and self._transport is not None:
            self._flush()
            self._transport.close()

    def _ping(self) -> None:
        self._connection.ping(b"are you?")
        self._flush()

    def _silent(self, seconds: float) -> None:
        _log.info("closed a connection", extra={"peer": self.peer, "reason": f"silent for {seconds:.0f} s"})
        if self._transport is not None:
            self._transport.abort()


def _named(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) >= 2 else "unknown"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
