"""Links between processes of this machine that can be cut, made one-way and healed: a proxy, which needs no rights.

    with Network() as network:
        port = network.expose("store", server.port)  # others connect here
        network.name("a", lambda: child.pid)
        network.hold("a", "store")
        network.heal("a", "store")

Who connects is found out from the process that has the other end of the connection, so that one port serves everybody
and each pair can be troubled by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from types import TracebackType
from typing import Final, Self, TypeVar

from tests.support.ports import free_port

T = TypeVar("T")
UNKNOWN: Final = "unknown"
_LIMIT_S: Final = 30.0
_KEPT_MAX: Final = 256 * 1024  # bytes on their way; whoever says more than fits has to wait
_RESET: Final = struct.pack("ii", 1, 0)  # lingers no time: the other side sees a reset, not an end

# What Linux calls them: include/uapi/linux/sock_diag.h and inet_diag.h.
_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST: Final = 1
_ERROR: Final = 2
_HEADER: Final = 16
_INODE_AT: Final = _HEADER + 68
_ANY: Final = 0xFFFFFFFF  # state, or number of the socket


@dataclass
class _Link:
    """From one process to another; `towards` is what the one who connected says."""

    is_held: dict[str, bool] = field(default_factory=lambda: {"towards": False, "back": False})
    is_refused: bool = False
    ends: set[_End] = field(default_factory=set["_End"])
    opened: int = 0

    @property
    def is_open(self) -> bool:
        return not any(self.is_held.values())

    def reset(self) -> None:
        for end in [*self.ends]:
            end.abort()

    def release(self) -> None:
        for end in [*self.ends]:
            end.release()


class _End(asyncio.Protocol):
    """One side of a connection. What it hears goes to the other side, or is kept, as a network sends again."""

    def __init__(self, link: _Link, direction: str) -> None:
        self._link = link
        self._direction = direction
        self._kept = list[bytes]()
        self._has_ended = False
        self._transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._link.ends.add(self)

    def data_received(self, data: bytes) -> None:
        if self._goes_through and not self._kept:
            self._say(data)
        else:
            self._kept.append(data)
            if sum(map(len, self._kept)) > _KEPT_MAX:
                self._listen(on=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = True
        self.release()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other._listen(on=False)

    def resume_writing(self) -> None:
        if self.other is not None and not self.other._kept:
            self.other._listen(on=True)

    def release(self) -> None:
        """Everything that was kept arrives, in order, also that the connection has ended."""
        if not self._goes_through:
            return
        for data in self._kept:
            self._say(data)
        self._kept.clear()
        self._listen(on=True)
        if self._has_ended:
            self._link.ends.discard(self)
            if self.other is not None:
                self.other.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        self._kept.clear()
        self._link.ends.discard(self)
        if self._transport is not None:
            if not self._transport.is_closing():
                self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        if self.other is not None and self.other in self._link.ends:
            self.other.abort()

    @property
    def _goes_through(self) -> bool:
        return self.other is not None and not self._link.is_held[self._direction]

    def _say(self, data: bytes) -> None:
        to = None if self.other is None else self.other._transport
        if to is not None and not to.is_closing():
            to.write(data)

    def _listen(self, *, on: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


class Network:
    """Its loop runs in a thread; every method may be called from the test's own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._links = defaultdict[tuple[str, str], _Link](_Link)
        self._pids: dict[str, Callable[[], int | None]] = {}
        self._connecting = set[asyncio.Task[None]]()
        self._servers = list[asyncio.Server]()

    def expose(self, target: str, port: int) -> int:
        """The port at which others reach what listens on `port`."""

        def accepting() -> asyncio.Protocol:
            return _Caller(self, target, port)

        async def serve() -> int:
            entrance = free_port()
            self._servers.append(await self._loop.create_server(accepting, "127.0.0.1", entrance))
            return entrance

        return asyncio.run_coroutine_threadsafe(serve(), self._loop).result(_LIMIT_S)

    def name(self, source: str, pid: Callable[[], int | None]) -> None:
        """Connections of the process with that id are those of `source`; None while there is none."""
        self._pids[source] = pid

    def hold(self, source: str, target: str, *, towards: bool = True, back: bool = True) -> None:
        """Nothing arrives any more, or in one direction only. Nobody is told, as when a cable is pulled."""

        def do(link: _Link) -> None:
            link.is_held["towards"] |= towards
            link.is_held["back"] |= back

        self._on(source, target, do)

    def refuse(self, source: str, target: str) -> None:
        """Connections are reset, and so are new ones."""

        def do(link: _Link) -> None:
            link.is_refused = True
            link.reset()

        self._on(source, target, do)

    def heal(self, source: str, target: str, *, resets: bool = False) -> None:
        """What was kept arrives late; with `resets` it is lost, together with its connections."""

        def do(link: _Link) -> None:
            link.is_refused = False
            link.is_held = dict.fromkeys(link.is_held, False)
            if resets:
                link.reset()
            link.release()

        self._on(source, target, do)

    def heal_all(self) -> None:
        for pair in [*self._links]:
            self.heal(*pair)

    def opened(self, source: str, target: str) -> int:
        """How many connections there have been so far."""
        return self._on(source, target, lambda link: link.opened)

    def _on(self, source: str, target: str, do: Callable[[_Link], T]) -> T:
        async def done() -> T:
            return do(self._links[source, target])

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(_LIMIT_S)

    # -- in the loop ---------------------------------------------------------------------------------------------------

    def link_of(self, from_port: int, entrance: int, target: str) -> _Link:
        link = self._links[self._who(from_port, entrance), target]
        link.opened += 1
        return link

    def connect(self, caller: _End, link: _Link, port: int) -> None:
        task = self._loop.create_task(self._connect(caller, link, port))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, caller: _End, link: _Link, port: int) -> None:
        callee = _End(link, "back")
        try:
            if link.is_refused:
                raise ConnectionRefusedError
            await self._loop.create_connection(lambda: callee, "127.0.0.1", port)
        except OSError:
            caller.abort()
            return
        caller.other, callee.other = callee, caller
        caller.release()  # also when it has ended meanwhile
        callee.release()

    def _who(self, port: int, entrance: int) -> str:
        wanted = _socket_at(port, entrance)
        for name, pid in self._pids.items():
            if wanted is not None and wanted in _sockets_of(pid()):
                return name
        return UNKNOWN

    # -- its life ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        async def close() -> None:
            for server in self._servers:
                server.close()
            for link in self._links.values():
                link.reset()
            for task in [*self._connecting]:
                task.cancel()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(_LIMIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Caller(_End):
    """The side that connected. Greeting each other takes both directions: while one is held nobody hears of it."""

    def __init__(self, network: Network, target: str, port: int) -> None:
        super().__init__(_Link(), "towards")
        self._network = network
        self._target, self._port = target, port
        self._is_connecting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        caller, entrance = (transport.get_extra_info(end)[1] for end in ("peername", "sockname"))
        self._link = self._network.link_of(caller, entrance, self._target)
        super().connection_made(transport)
        self.release()

    def release(self) -> None:
        if self.other is not None:
            super().release()
        elif self._has_ended:
            self._link.ends.discard(self)
        elif self._link.is_open and not self._is_connecting:
            self._is_connecting = True
            self._network.connect(self, self._link, self._port)


def _socket_at(port: int, peer_port: int) -> str | None:
    """How /proc names the socket at that end. The kernel looks up this one pair: its table of all may leave some
    out while it changes, and reading it is slow in a storm of connections to somebody who is away."""
    here, there = (socket.inet_aton("127.0.0.1") + bytes(12),) * 2
    ends = struct.pack(">HH", port, peer_port) + here + there + struct.pack("=III", 0, _ANY, _ANY)
    request = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY) + ends
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.send(struct.pack("=IHHII", _HEADER + len(request), _BY_FAMILY, _REQUEST, 0, 0) + request)
        answer = kernel.recv(4096)
    _, kind, *_ = struct.unpack_from("=IHHII", answer)
    if kind == _ERROR:
        return None
    (inode,) = struct.unpack_from("=I", answer, _INODE_AT)
    return f"socket:[{inode}]" if inode else None  # 0: one that has ended and lingers


def _sockets_of(pid: int | None) -> set[str]:
    found = set[str]()
    with suppress(OSError):  # the process ends while we look, or closes something
        for entry in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.add(os.readlink(f"/proc/{pid}/fd/{entry}"))
    return found
