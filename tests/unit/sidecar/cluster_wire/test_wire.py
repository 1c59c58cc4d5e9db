"""Frames over real connections, in the clear and with certificates."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from holdfast_cli.certs import Authority
from holdfast_kit.spiffe import SpiffeId
from holdfast_kit.tls import CertificateWatcher, TlsFiles
from holdfast_sidecar.cluster.dialer import Dialer
from holdfast_sidecar.cluster.port import peers_served
from holdfast_sidecar.cluster.wire import STRANGER_MAX, Broken, Wire
from holdfast_sidecar.startup import Unstartable
from tests.support.ports import free_port

_ID = SpiffeId("holdfast.local", "default", "app")
_NAME = "app.default.holdfast"

Accept = Callable[[Wire], Awaitable[None]]


def _watcher(folder: Path) -> CertificateWatcher:
    return CertificateWatcher(_issue(folder))


def _issue(folder: Path) -> TlsFiles:
    """By an authority of its own."""
    folder.mkdir(exist_ok=True)
    Authority.make(folder, days=1).issue(folder, "app", _ID, [_NAME], days=1)
    return _files(folder)


def _files(folder: Path) -> TlsFiles:
    return TlsFiles(folder / "ca.crt", folder / "app.crt", folder / "app.key")


@pytest.fixture(params=["clear", "tls"])
def watcher(request: pytest.FixtureRequest, tmp_path: Path) -> CertificateWatcher | None:
    return _watcher(tmp_path) if request.param == "tls" else None


@asynccontextmanager
async def _called(
    accept: Accept, theirs: CertificateWatcher | None, ours: CertificateWatcher | None, *, port: int = 0
) -> AsyncGenerator[Wire]:
    port = port or free_port()
    async with (
        asyncio.timeout(20),
        peers_served(accept, address="127.0.0.1", port=port, watcher=theirs),
        Dialer(ours, server_name=_NAME)(f"127.0.0.1:{port}") as wire,
    ):
        yield wire


async def _echo(wire: Wire) -> None:
    wire.let_in()
    while True:
        await wire.write(await wire.read())


async def test_frames_of_all_sizes_arrive_whole_and_in_order(watcher: CertificateWatcher | None) -> None:
    frames = [b"", b"a", b"bc" * 40_000, b"", b"d" * 3_000_000, *(b"%d" % number for number in range(500))]
    async with _called(_echo, watcher, watcher) as wire, asyncio.TaskGroup() as group:
        wire.let_in()

        async def write() -> None:
            for frame in frames:
                await wire.write(frame)

        group.create_task(write())
        assert [await wire.read() for _ in frames] == frames


async def test_whoever_does_not_read_makes_the_other_wait_and_gets_everything_later(
    watcher: CertificateWatcher | None,
) -> None:
    count, may_read = 400, asyncio.Event()
    read = list[bytes]()

    async def late(wire: Wire) -> None:
        wire.let_in()
        await may_read.wait()
        while len(read) < count:
            read.append(await wire.read())
        await wire.write(b"done")

    async with _called(late, watcher, watcher) as wire:
        all_written = asyncio.Event()
        async with asyncio.TaskGroup() as group:

            async def write() -> None:
                for number in range(count):
                    await wire.write(number.to_bytes(100_000, "big"))
                all_written.set()

            group.create_task(write())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await all_written.wait()
            may_read.set()
        assert await wire.read() == b"done"
    assert [int.from_bytes(frame, "big") for frame in read] == list(range(count))


async def test_what_arrived_before_the_end_is_read_and_then_the_end(watcher: CertificateWatcher | None) -> None:
    async def speaks_and_goes(wire: Wire) -> None:
        await wire.write(b"one")
        await wire.write(b"two")

    async with _called(speaks_and_goes, watcher, watcher) as wire:
        assert [await wire.read(), await wire.read()] == [b"one", b"two"]
        for _ in range(2):
            with pytest.raises(Broken, match="the other side hung up"):
                await wire.read()
        with pytest.raises(Broken, match="the other side hung up"):
            await wire.write(b"three")


async def test_a_stranger_may_not_send_much(watcher: CertificateWatcher | None) -> None:
    ended = asyncio.get_running_loop().create_future()

    async def reads(wire: Wire) -> None:
        try:
            await wire.read()
        except Broken as error:
            ended.set_result(str(error))

    async with _called(reads, watcher, watcher) as wire:
        await wire.write(bytes(STRANGER_MAX + 1))
        assert await ended == f"expected a greeting, found a frame of {STRANGER_MAX + 1} bytes"
        with pytest.raises(Broken):
            await wire.read()


async def test_with_certificates_both_sides_know_who_the_other_is(tmp_path: Path) -> None:
    watcher = _watcher(tmp_path)
    names = list[str]()

    async def accept(wire: Wire) -> None:
        names.extend(wire.names)
        await wire.write(b"seen")

    async with _called(accept, watcher, watcher) as wire:
        assert await wire.read() == b"seen"
        assert set(names) == set(wire.names) == {_NAME, str(_ID)}


async def test_in_the_clear_nobody_has_a_name() -> None:
    async with _called(_echo, None, None) as wire:
        assert not wire.names


async def test_whoever_shows_no_certificate_of_our_authority_hears_nothing(tmp_path: Path) -> None:
    async def never(_: Wire) -> None:
        raise AssertionError("let in")

    ours, theirs = (_watcher(tmp_path / name) for name in ("ours", "theirs"))
    port = free_port()
    async with _called(never, ours, None, port=port) as wire:
        await wire.write(b"let me in")
        with pytest.raises(Broken):
            await wire.read()
        with pytest.raises(Broken, match="certificate verify failed"):
            async with Dialer(theirs, server_name=_NAME)(f"127.0.0.1:{port}"):
                pass


async def test_a_new_certificate_is_used_for_new_connections_and_old_ones_go_on(tmp_path: Path) -> None:
    now, then = tmp_path / "now", tmp_path / "then"
    watcher, port = _watcher(now), free_port()
    shutil.copytree(now, then)
    before = CertificateWatcher(_files(then))
    async with (
        asyncio.timeout(20),
        peers_served(_echo, address="127.0.0.1", port=port, watcher=watcher),
        Dialer(watcher, server_name=_NAME)(f"127.0.0.1:{port}") as old,
    ):
        _issue(now)
        async with Dialer(watcher, server_name=_NAME)(f"127.0.0.1:{port}") as new:
            for wire in (old, new):
                await wire.write(b"hello")
                assert await wire.read() == b"hello"
        with pytest.raises(Broken, match="certificate verify failed"):
            async with Dialer(before, server_name=_NAME)(f"127.0.0.1:{port}"):
                pass
        shutil.copy(now / "ca.crt", then / "both.crt")
        files = TlsFiles(then / "both.crt", then / "app.crt", then / "app.key")
        async with Dialer(CertificateWatcher(files), server_name=_NAME)(f"127.0.0.1:{port}") as late:
            with pytest.raises(Broken):  # it trusts us, but what it shows is of an authority that was taken out
                await late.read()


async def test_nobody_at_the_address_is_named() -> None:
    port = free_port()
    with pytest.raises(Broken, match=f"127.0.0.1:{port}: .*Errno 111"):
        async with Dialer(None, server_name="")(f"127.0.0.1:{port}"):
            pass


async def test_a_taken_port_is_named() -> None:
    port = free_port()
    async with peers_served(_echo, address="127.0.0.1", port=port, watcher=None):
        with pytest.raises(Unstartable, match=str(port)):
            async with peers_served(_echo, address="127.0.0.1", port=port, watcher=None):
                pass


async def test_a_bug_costs_its_link_and_not_the_port(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(_: Wire) -> None:
        raise ZeroDivisionError

    port = free_port()
    dial = Dialer(None, server_name="")
    async with asyncio.timeout(20), peers_served(fails, address="127.0.0.1", port=port, watcher=None):
        for _ in range(2):
            async with dial(f"127.0.0.1:{port}") as wire:
                with pytest.raises(Broken, match="hung up"):
                    await wire.read()
    assert [record.levelno for record in caplog.records if "a link has failed" in record.message] == [logging.ERROR] * 2
