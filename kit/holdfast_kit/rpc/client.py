"""The caller's end of a gRPC stream: one call, messages both ways, on a connection of its own.

    write -> Connection -> bytes          bytes -> Connection -> events -> read

That the server is silent is noticed as the server notices it of us (`Vigil`).
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, cast
from urllib.parse import unquote

from holdfast_kit.clock import Clock
from holdfast_kit.rpc.call import Incoming
from holdfast_kit.rpc.connection import Connection
from holdfast_kit.rpc.events import DataCame, Drained, Event, GoneAway, HeadersCame, Lost, StreamReset
from holdfast_kit.rpc.frames import PING, Code, frame
from holdfast_kit.rpc.hpack import encode
from holdfast_kit.rpc.messages import Messages, framed
from holdfast_kit.rpc.pulse import PULSE
from holdfast_kit.rpc.sockets import set_nodelay
from holdfast_kit.rpc.status import Aborted, Status
from holdfast_kit.rpc.vigil import Vigil

CONNECT_LIMIT: Final = 5.0  # seconds
_BEAT: Final = frame(PING, 0, 0, b"I am....")
_CODES: Final[Mapping[int, Status]] = {Code.REFUSED_STREAM: Status.UNAVAILABLE, Code.CANCEL: Status.CANCELLED}


@asynccontextmanager
async def open_call(
    host: str, port: int, path: str, *, metadata: Sequence[tuple[str, str]], clock: Clock, bytes_max: int
) -> AsyncGenerator[Caller]:
    """A call of that method. What keeps it from being made is told by the first `read`, as what ends it later is."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    caller = Caller(path, authority, metadata, clock=clock, bytes_max=bytes_max)
    try:
        async with asyncio.timeout(CONNECT_LIMIT):
            await asyncio.get_running_loop().create_connection(lambda: cast("asyncio.Protocol", caller), host, port)
    except TimeoutError:
        caller.fail(Status.UNAVAILABLE, f"no connection within {CONNECT_LIMIT:g} s")
    except OSError as error:
        caller.fail(Status.UNAVAILABLE, _said(error))
    try:
        yield caller
    finally:
        caller.cancel()


class Caller:
    """One call. A protocol by its methods, like the server's `Link`. One may read while another writes."""

    def __init__(
        self, path: str, authority: str, metadata: Sequence[tuple[str, str]], *, clock: Clock, bytes_max: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(is_client=True)
        self._head = encode(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                (":authority", authority),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                *metadata,
            ]
        )
        self._messages = Messages(bytes_max=bytes_max)
        self._incoming = Incoming(self._consumed)
        self._transport: asyncio.Transport | None = None
        self._stream_id = 0
        self._will_flush = False
        self._drained: asyncio.Future[None] | None = None
        self._end: Aborted | None = None  # status OK: the server has hung up
        self._vigil = Vigil(clock, ping=self._ping, give_up=self._silent)
        self._writing = threading.Lock()  # the loop's bytes and the pulse's do not mix
        self._has_written = False  # since the last beat

    # -- what the loop calls ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = stream = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        set_nodelay(stream)
        self._stream_id = self._connection.open(self._head)
        self._flush()
        self._vigil.begin()
        PULSE.add(self)  # its context ends before the loop does, and takes it out

    def data_received(self, data: bytes) -> None:
        self._vigil.heard()
        for event in self._connection.receive(data):
            self._take(event)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        PULSE.remove(self)
        with self._writing:  # whoever beats has done so: the socket is closed next
            self._transport = None
        self._vigil.end()
        self.fail(Status.UNAVAILABLE, f"the connection broke: {_said(exc)}" if exc else "the connection was closed")

    def eof_received(self) -> None:
        """Nothing more comes: the transport closes."""

    def pause_writing(self) -> None:
        """What is not read is bounded by the windows."""

    def resume_writing(self) -> None: ...

    # -- what the caller calls -------------------------------------------------------------------------------------

    async def read(self) -> bytes | None:
        """The next message; None when the server has hung up. Aborted when the call ended in another way."""
        async for message in self._incoming:
            return message
        if self._end is not None and self._end.status is not Status.OK:
            raise self._end
        return None

    async def write(self, message: bytes) -> None:
        """Returns when there is room for another one. Aborted when there never will be."""
        if self._end is not None:
            raise self._end
        self._flush_soon()
        if not self._connection.send_data(self._stream_id, framed(message)):
            self._drained = self._loop.create_future()
            await self._drained

    def done_writing(self) -> None:
        if self._end is None:
            self._connection.send_end(self._stream_id, None)
            self._flush_soon()

    def cancel(self) -> None:
        """Ends it both ways, at once. Harmless after its end."""
        self.fail(Status.CANCELLED, "canceled here")
        transport = self._transport
        if transport is not None:
            self._connection.reset(self._stream_id, Code.CANCEL)
            self._flush()
            transport.close()

    def fail(self, status: Status, text: str) -> None:
        if self._end is None:
            self._end = Aborted(status, text)
            self._incoming.end()
            self._may_write()

    # -- events ----------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        match event:
            case DataCame():
                self._take_data(event.data)
                if event.ends:
                    self.fail(Status.INTERNAL, "the call ended without a status")
            case HeadersCame():
                self._take_headers(dict(event.headers), ends=event.ends)
            case StreamReset():
                self.fail(_CODES.get(event.code, Status.INTERNAL), f"reset by the server with code {event.code}")
            case Drained():
                self._may_write()
            case GoneAway(last_id=last_id):
                if last_id < self._stream_id:
                    self.fail(Status.UNAVAILABLE, "the server takes no calls any more")
            case Lost():
                self.fail(Status.INTERNAL, event.text)

    def _take_data(self, data: bytes) -> None:
        try:
            messages = self._messages.take(data)
        except Aborted as error:
            self.fail(error.status, error.text)
            self._connection.reset(self._stream_id, Code.CANCEL)
        else:
            self._incoming.put(messages, size=len(data))

    def _take_headers(self, headers: dict[str, str], *, ends: bool) -> None:
        http, status = headers.get(":status", "200"), headers.get("grpc-status")
        if http != "200":
            self.fail(Status.UNAVAILABLE, f"what answers there speaks no gRPC: HTTP status {http}")
        elif status is not None:
            self.fail(_status(status), unquote(headers.get("grpc-message", "")))
        elif ends:
            self.fail(Status.INTERNAL, "the call ended without a status")

    def _consumed(self, size: int) -> None:
        self._connection.consumed(self._stream_id, size)
        if self._connection.has_output:
            self._flush_soon()

    def _may_write(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # -- bytes and time --------------------------------------------------------------------------------------------

    def _flush_soon(self) -> None:
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._will_flush = False
        if self._transport is not None and self._connection.has_output:
            with self._writing:
                self._has_written = True
                self._transport.write(self._connection.output())

    def _ping(self) -> None:
        self._connection.ping(b"are you?")
        self._flush()

    def beat(self) -> None:
        """In the pulse's thread. What the loop has left over is the beginning of something; nothing may follow it but
        the rest."""
        with self._writing:
            transport, is_quiet, self._has_written = self._transport, not self._has_written, False
            if transport is None or not is_quiet or transport.is_closing() or transport.get_write_buffer_size():
                return
            with suppress(OSError):  # the loop will hear of it
                os.write(transport.get_extra_info("socket").fileno(), _BEAT)

    def _silent(self, seconds: float) -> None:
        self.fail(Status.UNAVAILABLE, f"the server was silent for {seconds:.0f} s")
        if self._transport is not None:
            self._transport.abort()


def _status(text: str) -> Status:
    try:
        return Status(int(text))
    except ValueError:
        return Status.UNKNOWN


def _said(error: BaseException) -> str:
    """One address that refuses has its own exception; several, those of localhost say, are told in one text."""
    text = str(error) or type(error).__name__
    return "connection refused" if f"[Errno {errno.ECONNREFUSED}]" in text else text
