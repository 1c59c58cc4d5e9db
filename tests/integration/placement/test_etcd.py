"""The etcd client against real servers: one, three, with TLS, with passwords, killed, wiped and compacted."""

import asyncio
import random
import subprocess
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import SystemClock
from holdfast_kit.tls import CertificateWatcher, TlsFiles
from holdfast_placement.etcd import Etcd as Client
from holdfast_placement.etcd import Login, deleting, getting, prefix_end, putting, unchanged
from holdfast_placement.etcd_errors import (
    Compacted,
    EtcdDenied,
    EtcdRejected,
    EtcdUnavailable,
    HistoryRewound,
    LeaseLost,
    WatchCanceled,
)
from holdfast_placement.etcd_lease import LeaseKeeper
from holdfast_placement.etcd_watch import Batch, Watch
from tests.support import binaries
from tests.support.etcd import Etcd
from tests.support.ports import free_port

CLOCK = SystemClock()
SOON = timedelta(seconds=10)


@asynccontextmanager
async def connected(server: Etcd, login: Login | None = None) -> AsyncGenerator[Client]:
    tls = CertificateWatcher(TlsFiles(server.tls.ca, server.tls.cert, server.tls.key)) if server.tls else None
    client = Client(server.endpoints, clock=CLOCK, certificates=tls, login=login)
    try:
        yield client
    finally:
        await client.close()


def quick() -> Backoff:
    return Backoff(random.Random(1), base=timedelta(milliseconds=20), cap=timedelta(milliseconds=200))


class Seen:
    """What a watch delivered, to be awaited."""

    def __init__(self) -> None:
        self.values: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def __call__(self, batch: Batch) -> None:
        self.values.extend((event.kv.key.decode(), event.kv.value.decode()) for event in batch.events)
        self._news.set()

    async def until(self, check: Callable[[list[tuple[str, str]]], bool]) -> None:
        async with asyncio.timeout(15):
            while not check(self.values):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def watching(client: Client, prefix: bytes, start: int) -> AsyncGenerator[Seen]:
    seen = Seen()
    watch = Watch(client, prefix, start=start, clock=CLOCK, backoff=quick())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch.run(seen))
        yield seen
        task.cancel()


@asynccontextmanager
async def keeping(client: Client) -> AsyncGenerator[LeaseKeeper]:
    keeper = LeaseKeeper(client, clock=CLOCK, backoff=quick(), answer_timeout=timedelta(seconds=1))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeper.run())
        yield keeper
        task.cancel()


def contains(wanted: tuple[str, str], values: list[tuple[str, str]]) -> bool:
    return wanted in values


@pytest.fixture(scope="module")
def three() -> Iterator[Etcd]:
    with Etcd(members=3, tls=True) as server:
        yield server


async def test_put_range_delete(etcd_server: Etcd) -> None:
    async with connected(etcd_server) as client:
        await client.put(b"/kv/a", b"1")
        await client.put(b"/kv/b", b"2")
        found = await client.range(b"/kv/", prefix_end(b"/kv/"))
        assert [(kv.key, kv.value) for kv in found.kvs] == [(b"/kv/a", b"1"), (b"/kv/b", b"2")]
        assert (await client.delete(b"/kv/", prefix_end(b"/kv/"))).deleted == 2
        assert client.silence() < SOON


async def test_a_transaction_writes_only_what_is_unchanged(etcd_server: Etcd) -> None:
    async with connected(etcd_server) as client:
        first = await client.txn([unchanged(b"/txn", 0)], [putting(b"/txn", b"1")], [getting(b"/txn")])
        second = await client.txn([unchanged(b"/txn", 0)], [putting(b"/txn", b"2")], [getting(b"/txn")])
        assert (first.succeeded, second.succeeded) == (True, False)
        kept = second.responses[0].response_range.kvs[0]
        assert (kept.value, kept.mod_revision) == (b"1", first.header.revision)
        assert (await client.txn([unchanged(b"/txn", kept.mod_revision)], [deleting(b"/txn")])).succeeded


async def test_a_lease_lives_while_it_is_kept_and_takes_its_keys_along(etcd_server: Etcd) -> None:
    async with connected(etcd_server) as client, keeping(client) as keeper:
        lease = await client.grant(timedelta(seconds=2))
        await client.put(b"/leased", b"x", lease=lease)
        assert await keeper.keep(lease, within=SOON) == timedelta(seconds=2)
        await client.revoke(lease)
        with pytest.raises(LeaseLost):
            await keeper.keep(lease, within=SOON)
        assert (await client.range(b"/leased")).count == 0


async def test_writing_under_a_lost_lease_is_named(etcd_server: Etcd) -> None:
    async with connected(etcd_server) as client:
        for write in (
            client.put(b"/lost", b"x", lease=12345),
            client.txn([], [putting(b"/lost", b"x", lease=12345)]),
            client.revoke(12345),
        ):
            with pytest.raises(LeaseLost, match="etcd lease 3039"):
                await write


async def test_a_request_that_makes_no_sense_is_not_repeated(etcd_server: Etcd) -> None:
    async with connected(etcd_server) as client:
        with pytest.raises(EtcdRejected, match="key is not provided"):
            await client.put(b"", b"")


async def test_a_watch_sees_what_came_before_and_comes_after(etcd_server: Etcd) -> None:
    async with connected(etcd_server) as client:
        start = (await client.put(b"/w1/a", b"1")).header.revision
        async with watching(client, b"/w1/", start) as seen:
            await seen.until(lambda values: len(values) == 1)
            await client.put(b"/w1/b", b"2")
            await client.delete(b"/w1/a")
            await client.put(b"/w2/other", b"")
            await seen.until(lambda values: len(values) == 3)
        assert seen.values == [("/w1/a", "1"), ("/w1/b", "2"), ("/w1/a", "")]


async def test_a_watch_of_much_in_one_revision_is_joined_from_fragments(etcd_server: Etcd) -> None:
    large = b"x" * 100_000
    async with connected(etcd_server) as client:
        start = (await client.put(b"/frag", b"")).header.revision
        for number in range(40):
            await client.put(b"/frag/%d" % number, large)
        async with watching(client, b"/frag/", start) as seen:
            await seen.until(lambda values: len(values) == 40)


async def test_a_compacted_start_ends_the_watch_by_name(etcd_server: Etcd) -> None:
    async with connected(etcd_server) as client:
        first = (await client.put(b"/compact", b"1")).header.revision
        last = (await client.put(b"/compact", b"2")).header.revision
        await client.compact(last)
        watch = Watch(client, b"/compact", start=first, clock=CLOCK, backoff=quick())
        with pytest.raises(Compacted, match=f"revision {first} was compacted"):
            await watch.run(Seen())


async def test_without_etcd_a_call_fails_by_name_and_in_time() -> None:
    client = Client([f"127.0.0.1:{free_port()}"], clock=CLOCK, call_timeout=timedelta(milliseconds=300))
    started = CLOCK.monotonic()
    with pytest.raises(EtcdUnavailable):
        await client.range(b"x")
    assert CLOCK.monotonic() - started < 3
    await client.close()


async def test_a_killed_and_restarted_etcd_is_followed_without_a_gap() -> None:
    with Etcd() as server:
        async with connected(server) as client, keeping(client) as keeper:
            lease = await client.grant(timedelta(seconds=5))
            start = (await client.put(b"/r/a", b"1", lease=lease)).header.revision
            async with watching(client, b"/r/", start) as seen:
                await seen.until(lambda values: len(values) == 1)
                server.kill()
                with pytest.raises(EtcdUnavailable):
                    await keeper.keep(lease, within=timedelta(milliseconds=300))
                await asyncio.to_thread(server.start)
                await client.put(b"/r/b", b"2")
                await seen.until(lambda values: len(values) == 2)
                assert await keeper.keep(lease, within=SOON) == timedelta(seconds=5)
            assert seen.values == [("/r/a", "1"), ("/r/b", "2")]


async def test_an_etcd_that_lost_its_data_ends_the_watch_by_name() -> None:
    with Etcd() as server, Etcd() as fresh:
        async with connected(server) as client, connected(fresh) as other:
            for _ in range(4):
                await client.put(b"/h", b"")
            revision = (await client.put(b"/h", b"")).header.revision
            watch = Watch(other, b"/h", start=revision + 1, clock=CLOCK, backoff=quick())
            with pytest.raises(HistoryRewound):
                await watch.run(Seen())


async def test_three_members_over_tls_may_die_one_after_the_other(three: Etcd) -> None:
    async with connected(three) as client, keeping(client) as keeper:
        lease = await client.grant(timedelta(seconds=10))
        start = (await client.put(b"/three/start", b"", lease=lease)).header.revision
        async with watching(client, b"/three/", start) as seen:
            for member in range(3):
                three.kill(member)
                await client.put(b"/three/%d" % member, b"")
                await keeper.keep(lease, within=SOON)
                await seen.until(partial(contains, (f"/three/{member}", "")))
                await asyncio.to_thread(three.start, member)
        assert [key for key, _ in seen.values] == ["/three/start", "/three/0", "/three/1", "/three/2"]


async def test_a_paused_member_costs_a_try_and_no_more(three: Etcd) -> None:
    async with connected(three) as client:
        await client.put(b"/paused", b"")
        paused = client.endpoint
        member = three.endpoints.index(paused)
        three.pause(member)
        try:
            async with asyncio.timeout(10):
                while client.endpoint == paused:  # it may still answer a call before it stands
                    await client.range(b"/paused", serializable=True)
        finally:
            three.resume(member)


async def test_without_our_certificate_nothing_is_answered(three: Etcd) -> None:
    client = Client(three.endpoints, clock=CLOCK, call_timeout=timedelta(milliseconds=300))
    with pytest.raises(EtcdUnavailable):
        await client.range(b"x")
    await client.close()


def etcdctl(server: Etcd, *args: str) -> None:
    program = Path(binaries.etcd()).with_name("etcdctl")
    subprocess.run([program, "--endpoints", server.endpoints[0], *args], check=True, capture_output=True)


async def test_users_and_passwords() -> None:
    with Etcd() as server:
        etcdctl(server, "user", "add", "root:secret")
        etcdctl(server, "user", "grant-role", "root", "root")
        etcdctl(server, "role", "add", "placement")
        etcdctl(server, "role", "grant-permission", "placement", "--prefix=true", "readwrite", "/holdfast/")
        etcdctl(server, "user", "add", "us:pass")
        etcdctl(server, "user", "grant-role", "us", "placement")
        etcdctl(server, "auth", "enable")
        async with connected(server, Login("us", "pass")) as client:
            start = (await client.put(b"/holdfast/a", b"1")).header.revision
            async with watching(client, b"/holdfast/", start) as seen:
                await seen.until(lambda values: values == [("/holdfast/a", "1")])
            with pytest.raises(EtcdDenied, match="permission denied"):
                await client.put(b"/elsewhere", b"")
            await asyncio.to_thread(server.restart)  # it forgets the tokens it gave out
            assert (await client.range(b"/holdfast/a")).count == 1
            with pytest.raises(WatchCanceled, match="permission denied"):
                await Watch(client, b"/elsewhere/", start=start, clock=CLOCK, backoff=quick()).run(Seen())
        for login in (None, Login("us", "wrong"), Login("nobody", "pass")):
            async with connected(server, login) as stranger:
                with pytest.raises(EtcdDenied, match="check user, password"):
                    await stranger.range(b"/holdfast/a")


async def test_a_password_where_etcd_wants_none_is_named(etcd_server: Etcd) -> None:
    async with connected(etcd_server, Login("us", "pass")) as client:
        with pytest.raises(EtcdDenied, match="authentication is not enabled"):
            await client.range(b"x")
