"""Frames over one TCP connection: what links between sidecars are made of.

A frame is its length in four bytes, and then so many bytes. Nothing else is between two sidecars, for a link carries
one kind of thing for as long as both live: what HTTP/2 and gRPC add for many short calls would cost more than the
frame itself. With certificates the connection is TLS, with the newest ones each time, and both sides show theirs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, cast

STRANGER_MAX: Final = 64 * 1024  # bytes of a frame of somebody who was not let in yet
_FRIEND_MAX: Final = 2**32 - 1
_LENGTH: Final = 4
_UNREAD_MAX: Final = 64  # frames: then the other side has to wait


class Broken(Exception):
    """The connection is gone, or never was; the text says why."""


class Wire(Protocol):
    """One side of a connection. One task reads, one writes."""

    @property
    def names(self) -> Sequence[str]:
        """Who the other side is, by its certificate."""
        ...

    async def read(self) -> bytes:
        """The next frame. Raises `Broken`."""
        ...

    async def write(self, frame: bytes) -> None:
        """Waits while too much lies here unsent. Raises `Broken`."""
        ...

    def let_in(self) -> None:
        """From now on frames may be large."""
        ...


Dial = Callable[[str], AbstractAsyncContextManager[Wire]]


class TcpWire:
    """A protocol of the event loop by its methods alone: a base that is not compiled would make it slow when it is."""

    def __init__(self, accepted: Callable[[TcpWire], None] | None = None) -> None:
        self._accepted = accepted
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._frame_max = STRANGER_MAX
        self._frames = deque[bytes]()
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._is_full = False  # what was written is not taken
        self._end: Broken | None = None

    # -- for whoever holds it --------------------------------------------------------------------------------------

    @property
    def names(self) -> Sequence[str]:
        found: dict[str, Sequence[tuple[str, str]]] | None = self._open().get_extra_info("peercert")
        return [value for _, value in (found or {}).get("subjectAltName", ())]

    async def read(self) -> bytes:
        while not self._frames:
            if self._end is not None:
                raise self._end
            self._reader = self._loop.create_future()
            await self._reader
        if len(self._frames) == _UNREAD_MAX and self._end is None:
            self._open().resume_reading()
        return self._frames.popleft()

    async def write(self, frame: bytes) -> None:
        while self._is_full and self._end is None:
            self._writer = self._loop.create_future()
            await self._writer
        if self._end is not None:
            raise self._end
        self._open().write(b"".join((len(frame).to_bytes(_LENGTH, "big"), frame)))

    def let_in(self) -> None:
        self._frame_max = _FRIEND_MAX

    def close(self) -> None:
        """What was written still goes out."""
        if self._transport is not None:
            self._transport.close()

    def _open(self) -> asyncio.Transport:
        if self._transport is None:
            raise self._end or Broken("not connected")
        return self._transport

    # -- for the event loop ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses
        if self._accepted is not None:
            self._accepted(self)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at, had = 0, len(self._frames)
        while len(buffer) - at >= _LENGTH:
            size = int.from_bytes(buffer[at : at + _LENGTH], "big")
            if size > self._frame_max:
                return self._refuse(f"expected a greeting, found a frame of {size} bytes")
            end = at + _LENGTH + size
            if len(buffer) < end:
                break
            self._frames.append(bytes(buffer[at + _LENGTH : end]))
            at = end
        del buffer[:at]
        if len(self._frames) > had:
            _wake(self._reader)
        if len(self._frames) >= _UNREAD_MAX:
            self._open().pause_reading()

    def _refuse(self, text: str) -> None:
        self._buffer.clear()
        self._over(Broken(text))
        self._open().abort()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        _wake(self._writer)

    def eof_received(self) -> None:
        """Who says nothing more is gone: the transport closes."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._over(Broken(str(exc) or type(exc).__name__ if exc is not None else "the other side hung up"))

    def _over(self, end: Broken) -> None:
        """The first cause counts."""
        if self._end is None:
            self._end = end
            _wake(self._reader)
            _wake(self._writer)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def for_loop(wire: TcpWire) -> asyncio.Protocol:
    """To loops a protocol is what has its methods."""
    return cast("asyncio.Protocol", wire)
