"""Full disks, failing disks, and values that cannot be stored."""

from __future__ import annotations

import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from holdfast_sidecar.core.state import Filter, Reminder
from holdfast_sidecar.stores.contract import Outcome, StoreError, StoreFull
from holdfast_sidecar.stores.sqlite import SqliteStore
from tests.conformance.builders import create, follow, place
from tests.unit.sidecar.stores.sqlite_faults import BadDisk, bad_disk

BIG = b"x" * 100_000


def _failures() -> list[tuple[BadDisk, type[StoreError]]]:
    return [
        (BadDisk(on_write=apsw.FullError("no space left")), StoreFull),
        (BadDisk(on_write=apsw.IOError("bad block")), StoreError),
        (BadDisk(on_sync=apsw.IOError("bad block")), StoreError),
    ]


@pytest.mark.parametrize(("trouble", "expected"), _failures(), ids=["full", "write", "sync"])
async def test_a_failed_commit_writes_nothing_and_the_store_goes_on(
    tmp_path: Path, trouble: BadDisk, expected: type[StoreError]
) -> None:
    with bad_disk() as disk:
        store = SqliteStore(tmp_path)
        await store.open(namespace="shop", partitions=16)
        first = create("order-7", epoch=1)
        assert await store.commit([first]) == [Outcome.APPLIED]
        before = await store.load([place("order-7")])
        disk.on_write, disk.on_sync = trouble.on_write, trouble.on_sync
        again = follow(first, events=[BIG], reminders_put=[Reminder("order-7", "wake", 0)])
        for _ in range(2):
            with pytest.raises(expected, match=r"holdfast\.db"):
                await store.commit([create("order-8", messages=[BIG]), again])
            assert await store.load([place("order-7"), place("order-8")]) == [*before, None]
        with pytest.raises(expected):
            await store.acquire([3], 5)
        disk.on_write = disk.on_sync = None
        assert list(await store.acquire([3], 2)) == [3]
        assert await store.commit([create("order-8"), again]) == [Outcome.APPLIED, Outcome.APPLIED]
        await store.close()
    await _assert_stands(tmp_path, ["order-7", "order-8"])


async def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    """The system says so with an error of its own, and so does a quota that is used up."""
    store = SqliteStore(tmp_path)
    await store.open(namespace="shop", partitions=16)
    assert await store.commit([create("order-7")]) == [Outcome.APPLIED]
    with files_no_larger_than(tmp_path / "holdfast.db-wal"), pytest.raises(StoreFull, match="no room"):
        await store.commit([create("order-8", messages=[BIG])])
    assert await store.commit([create("order-8")]) == [Outcome.APPLIED]
    await store.close()
    await _assert_stands(tmp_path, ["order-7", "order-8"])


@contextmanager
def files_no_larger_than(path: Path) -> Generator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_value_that_cannot_be_stored_does_not_take_its_batch_with_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.open(namespace="shop", partitions=16)
    poison = [
        create("p1", reminders_put=[Reminder("p1", "late", 2**70)]),
        create("p2", sets_custom_status=True, custom_status="\ud800"),
    ]
    with pytest.raises(StoreError, match="p2"):
        await store.commit([create("a"), poison[0], create("b"), poison[1], create("a")])
    found = await store.load([place(name) for name in ("a", "b", "p1", "p2")])
    assert [stored and stored.record.id for stored in found] == ["a", "b", None, None]
    with pytest.raises(StoreError, match="p1"):
        await store.commit(poison[:1])
    second = follow(create("a"), events=[b"x"])
    assert await store.commit([second, create("p1")]) == [Outcome.APPLIED, Outcome.APPLIED]
    await store.close()
    await _assert_stands(tmp_path, ["a", "b", "p1"])


async def test_a_history_longer_than_its_rows_can_be_numbered_is_refused_by_name(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.open(namespace="shop", partitions=16)
    first = create("order-7")
    await store.commit([first])
    endless = replace(follow(first, events=[b"x"]), history_first=2**24)
    with pytest.raises(StoreError, match="order-7"):
        await store.commit([endless])
    await store.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    with pytest.raises(StoreError, match="open it first"):
        await store.load([place("order-7")])
    with pytest.raises(StoreError, match="open it first"):
        await store.commit([create("order-7")])


async def _assert_stands(directory: Path, expected: list[str]) -> None:
    store = SqliteStore(directory)
    await store.open(namespace="shop", partitions=16)
    assert [view.record.id for view in (await store.query(Filter(), limit=99)).views] == expected
    await store.close()
