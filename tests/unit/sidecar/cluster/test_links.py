"""When frames leave for a peer: at once, unless the one before showed that more are coming."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import NoReturn

import pytest
import pytest_asyncio

from holdfast_kit.clock import VirtualClock
from holdfast_kit.ids import SystemIds
from holdfast_placement.table import AppKey, empty, moved
from holdfast_placement.table import Host as Member
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import no_reply
from holdfast_sidecar.cluster import links
from holdfast_sidecar.cluster.links import GATHER, Links
from holdfast_sidecar.cluster.placement_stream import Me
from holdfast_sidecar.cluster.router import ClusterRouter
from holdfast_sidecar.cluster.words import PROTOCOL, Frame, Greeting, decode_frame, encode_frame
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.messages import Purge
from holdfast_sidecar.stores.memory import MemoryStore

_APP = AppKey("default", "app")
_HOSTS = [Member("a", "127.0.0.1:1", "1"), Member("b", "127.0.0.1:2", "1")]


class Stream:
    """Host a's call of host b, seen from b: a greets and says no more; what b writes is kept."""

    names: Sequence[str] = ()

    def __init__(self) -> None:
        self.written: asyncio.Queue[Frame] = asyncio.Queue()
        self._says = [Frame(greeting=Greeting(PROTOCOL, "default", "app", "a", "1", 1))]

    def let_in(self) -> None: ...

    async def read(self) -> bytes:
        if not self._says:
            await asyncio.Event().wait()
        return encode_frame(self._says.pop())

    async def write(self, frame: bytes) -> None:
        self.written.put_nowait(decode_frame(frame))


def never(_: str) -> NoReturn:
    raise AssertionError("the one with the smaller id calls")


class Here:
    """Host b, linked with host a, which owns everything."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.stream = Stream()
        host = Host(store=MemoryStore(), clock=self.clock, ids=SystemIds(), partitions=1, limits=Limits())
        table = moved(empty(_APP, 1), _HOSTS, owners=["a"], version=1)
        self.router = ClusterRouter(host, host_id="b", table=table, rule="by-hash", look=lambda _id, _told: None)
        self.links = Links(
            Me(app=_APP, host_id="b", incarnation="1", address="127.0.0.1:2", partitions=1),
            local=self.router,
            router=self.router,
            dial=never,
            clock=self.clock,
            ids=SystemIds(),
            identity=lambda _: None,
        )
        self.links.use(table)

    def ask(self, count: int) -> None:
        for number in range(count):
            self.router.send(Purge(instance_id=f"i-{number}"), no_reply)

    async def next(self) -> Frame:
        async with asyncio.timeout(5):
            return await self.stream.written.get()

    async def settle(self) -> None:
        """Until whoever can run has run."""
        for _ in range(20):
            await asyncio.sleep(0)


@pytest_asyncio.fixture
async def here() -> AsyncGenerator[Here]:
    here = Here()
    async with asyncio.TaskGroup() as group:
        accepting = group.create_task(here.links.accept(here.stream))
        assert (await here.next()).greeting is not None
        assert (await here.next()).hears_placement
        yield here
        accepting.cancel()


async def test_a_single_item_is_followed_at_once(here: Here) -> None:
    here.ask(1)
    assert (await here.next()).items == 1
    here.ask(1)
    assert (await here.next()).items == 1


async def test_what_comes_soon_after_several_items_goes_out_together(here: Here) -> None:
    here.ask(2)
    assert (await here.next()).items == 2
    here.ask(1)
    await here.settle()
    here.ask(1)
    await here.settle()
    assert here.stream.written.empty()
    here.clock.advance(GATHER)
    assert (await here.next()).items == 2


async def test_a_busy_link_that_falls_silent_is_quick_again(here: Here) -> None:
    here.ask(2)
    assert (await here.next()).items == 2
    await here.settle()
    here.clock.advance(GATHER)
    await here.settle()
    here.ask(1)
    assert (await here.next()).items == 1


async def test_a_stream_that_a_newer_one_replaced_takes_nothing_any_more(here: Here) -> None:
    """It may not know for long that it is dead: what it took would be lost, and nobody would ever answer."""
    newer = Stream()
    async with asyncio.TaskGroup() as group:
        accepting = group.create_task(here.links.accept(newer))
        async with asyncio.timeout(5):
            assert (await newer.written.get()).greeting is not None
            assert (await newer.written.get()).hears_placement
            for _ in range(4):
                here.ask(1)
                assert (await newer.written.get()).items == 1
        assert here.stream.written.empty()
        accepting.cancel()


async def test_a_link_with_nothing_to_say_shows_that_it_is_there(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "QUIET", 0.01)
    here.ask(1)  # the wait that has begun is still the longer one
    assert (await here.next()).items == 1
    assert [await here.next() for _ in range(3)] == [Frame()] * 3


async def test_a_peer_of_which_nothing_is_heard_is_given_up(
    here: Here, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(links, "SILENT", 0.01)
    caplog.set_level(logging.INFO)
    async with asyncio.timeout(5):
        await here.links.accept(Stream())  # takes the place of the older one
    [said] = [record for record in caplog.records if record.message == "link to a peer broke"]
    assert said.__dict__["error"] == "heard nothing for 0.01 s"
