"""Links to peers that fail, whatever way: tried again for as long as the host lives, and not longer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

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
from holdfast_sidecar.cluster.security import PeerIdentity
from holdfast_sidecar.cluster.wire import Broken
from holdfast_sidecar.cluster.words import PROTOCOL, Frame, Greeting, decode_frame, encode_frame
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.stores.memory import Memory, MemoryStore

_APP = AppKey("default", "app")
_GREETING = Greeting(PROTOCOL, "default", "app", "b", "1", 4)
Then = Callable[[], Coroutine[Any, Any, bytes]]


class Peer:
    """It greets whoever calls, and then does what the test wants."""

    names: Sequence[str] = ()

    def __init__(self, then: Then, *, greets: bool = True) -> None:
        self._then = then
        self._greets = self._has_to_greet = greets
        self.calls = 0
        self.heard = list[bytes]()
        self.called = asyncio.Event()

    @asynccontextmanager
    async def dial(self, address: str) -> AsyncGenerator[Peer]:
        self.calls += 1
        self.called.set()
        self._has_to_greet = self._greets
        yield self

    def let_in(self) -> None: ...

    async def write(self, frame: bytes) -> None:
        self.heard.append(frame)

    async def read(self) -> bytes:
        if not self._has_to_greet:
            return await self._then()
        self._has_to_greet = False
        return encode_frame(Frame(greeting=_GREETING))


@asynccontextmanager
async def _linked(
    peer: Peer, *, identity: Callable[[Sequence[str]], str | None] = lambda _: None
) -> AsyncGenerator[ClusterNode]:
    """Host a, which calls host b."""
    store = MemoryStore(Memory())
    await store.open(namespace="default", partitions=4)
    host = Host(store=store, clock=SystemClock(), ids=SystemIds(), partitions=4, limits=Limits())
    me = Me(app=_APP, host_id="a", incarnation="1", address="127.0.0.1:1", partitions=4)
    away = grpc.aio.insecure_channel
    node = ClusterNode(host, me, placement=["127.0.0.1:1"], placement_channel=away, dial=peer.dial, identity=identity)
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
            raise Broken("reset") from None
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
        return encode_frame(Frame(refused="another release"))

    peer = Peer(refuses, greets=False)
    async with _linked(peer):
        while peer.calls < 4:
            peer.called.clear()
            await peer.called.wait()
    said = [record for record in caplog.records if "link to a peer" in record.message]
    assert [getattr(record, "error", "") for record in said] == ["another release"]


async def test_a_peer_with_the_certificate_of_somebody_else_hears_nothing_from_the_caller(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def never() -> bytes:
        raise AssertionError("asked")

    peer = Peer(never)
    peer.names = ["spiffe://elsewhere.test/ns/default/app/app"]
    identity = PeerIdentity(_APP, trust_domain="holdfast.local")
    async with _linked(peer, identity=identity):
        while peer.calls < 3:
            peer.called.clear()
            await peer.called.wait()
    assert not peer.heard
    [said] = [record for record in caplog.records if "link to a peer" in record.message]
    assert "elsewhere.test" in said.__dict__["error"]


class Guest:
    """Somebody who calls and greets; what is said to it is kept."""

    names: Sequence[str] = ()

    def __init__(self, greeting: Greeting) -> None:
        self._greeting = greeting
        self.told: list[Frame] = []

    def let_in(self) -> None:
        raise AssertionError("not somebody who does not fit")

    async def read(self) -> bytes:
        return encode_frame(Frame(greeting=self._greeting))

    async def write(self, frame: bytes) -> None:
        self.told.append(decode_frame(frame))


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
            await node.links.accept(guest)
    assert [cause in (frame.refused or "") for frame in guest.told] == [True] * 3
    assert len([record for record in caplog.records if record.message == "refused a peer"]) == 1
