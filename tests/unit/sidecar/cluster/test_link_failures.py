"""Links to peers that fail, whatever way: tried again for as long as the host lives, and not longer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, cast

import grpc
import pytest
from msgspec.structs import replace

from holdfast_kit.clock import SystemClock
from holdfast_kit.ids import SystemIds
from holdfast_placement.table import AppKey, Table, empty, moved
from holdfast_placement.table import Host as Place
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.cluster.node import ClusterNode
from holdfast_sidecar.cluster.placement_stream import Me
from holdfast_sidecar.cluster.words import PROTOCOL, Frame, Greeting, encode_frame
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.stores.memory import Memory, MemoryStore

_APP = AppKey("default", "app")
_GREETING = Greeting(PROTOCOL, "default", "app", "b", "1", 4)
Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Then = Callable[[], Coroutine[Any, Any, bytes]]


class Peer:
    """As gRPC shows one: it greets whoever calls, and then does what the test wants."""

    def __init__(self, then: Then, *, greets: bool = True) -> None:
        self._then = then
        self._greets = greets
        self.calls = 0
        self.called = asyncio.Event()

    def channel(self, address: str) -> grpc.aio.Channel:
        return cast("grpc.aio.Channel", self._channel())

    @asynccontextmanager
    async def _channel(self) -> AsyncGenerator[Peer]:
        yield self

    def stream_stream(self, *_: object, **__: object) -> Callable[[], Call]:
        self.calls += 1
        self.called.set()
        return lambda: Call(self._then, greets=self._greets)


class Call:
    def __init__(self, then: Then, *, greets: bool) -> None:
        self._then = then
        self._has_greeted = not greets

    async def write(self, data: bytes) -> None: ...

    def __aiter__(self) -> Call:
        return self

    async def __anext__(self) -> bytes:
        if self._has_greeted:
            return await self._then()
        self._has_greeted = True
        return encode_frame(Frame(greeting=_GREETING))


@asynccontextmanager
async def _linked(peer: Peer) -> AsyncGenerator[ClusterNode]:
    """Host a, which calls host b."""
    store = MemoryStore(Memory())
    await store.open(namespace="default", partitions=4)
    host = Host(store=store, clock=SystemClock(), ids=SystemIds(), partitions=4, limits=Limits())
    me = Me(app=_APP, host_id="a", incarnation="1", address="127.0.0.1:1", partitions=4)
    away = grpc.aio.insecure_channel
    node = ClusterNode(host, me, placement=["127.0.0.1:1"], placement_channel=away, peer_channel=peer.channel)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(node.links.run())
        node.links.use(_table())
        yield node
        running.cancel()


def _table() -> Table:
    hosts = [Place(name, "127.0.0.1:1", "1") for name in ("a", "b")]
    return moved(empty(_APP, 4), hosts, owners=["a"] * 4, version=1)


async def test_a_host_that_ends_while_a_peer_refuses_it_does_end() -> None:
    is_reading = asyncio.Event()

    async def refuses_when_cancelled() -> bytes:
        is_reading.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.PERMISSION_DENIED, nothing, nothing) from None
        return b""

    peer = Peer(refuses_when_cancelled)
    async with _linked(peer):
        await is_reading.wait()  # the end of this block is the end of the host
    assert peer.calls == 1


async def test_a_peer_that_sends_what_is_no_frame_is_called_again() -> None:
    async def says_nonsense() -> bytes:
        return b"\xc1 is no msgpack"

    peer = Peer(says_nonsense)
    async with _linked(peer):
        while peer.calls < 3:
            peer.called.clear()
            await peer.called.wait()


async def test_a_peer_that_refuses_is_complained_about_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def refuses() -> bytes:
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(grpc.StatusCode.PERMISSION_DENIED, nothing, nothing, "another release")

    peer = Peer(refuses, greets=False)
    async with _linked(peer):
        while peer.calls < 4:
            peer.called.clear()
            await peer.called.wait()
    said = [record for record in caplog.records if "link to a peer" in record.message]
    assert [getattr(record, "error", "") for record in said] == ["another release"]


class Guest:
    """The server's side of a call, as gRPC shows it."""

    def __init__(self, greeting: Greeting) -> None:
        self._greeting = greeting
        self.refused: list[str] = []

    async def frames(self) -> AsyncGenerator[bytes]:
        yield encode_frame(Frame(greeting=self._greeting))

    async def abort(self, code: grpc.StatusCode, text: str) -> None:
        self.refused.append(text)
        raise grpc.aio.AbortError(text)


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"protocol": PROTOCOL + 1}, "run sidecars of one release"),
        ({"partitions": 8}, "partition count: expected 4, found 8"),
        ({"app_id": "other"}, "not default/other"),
        ({"namespace": "other"}, "not other/app"),
        ({"host_id": "c"}, "host 'c' is in no table known here yet"),
        ({"incarnation": "2"}, "is another process than the one in the table"),
    ],
)
async def test_a_peer_that_does_not_fit_is_told_why_and_logged_once(
    changed: dict[str, Any], cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def says_nothing() -> bytes:
        await asyncio.Event().wait()
        return b""

    async with _linked(Peer(says_nothing)) as node:
        guest = Guest(replace(_GREETING, **changed))
        for _ in range(3):
            with pytest.raises(grpc.aio.AbortError):
                await node.links.accept(guest.frames(), cast("Context", guest))
    assert all(cause in text for text in guest.refused)
    assert len([record for record in caplog.records if record.message == "refused a peer"]) == 1
