"""The data directory: who holds it, who may read it, and what may lie in it."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import apsw
import pytest

from holdfast_sidecar.stores.contract import StoreError, StoreMismatch
from holdfast_sidecar.stores.sqlite import SqliteStore
from holdfast_sidecar.stores.sqlite_schema import PAGE_BYTES, open_writer, prepare
from tests.conformance.builders import create, delete, place

_HOLDER = """
import asyncio, sys
from pathlib import Path
from holdfast_sidecar.stores.sqlite import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open(namespace="shop", partitions=16)
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


async def _opened(directory: Path) -> SqliteStore:
    store = SqliteStore(directory)
    await store.open(namespace="shop", partitions=16)
    return store


async def test_a_directory_that_another_process_holds_is_refused_with_its_pid(tmp_path: Path) -> None:
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _HOLDER, str(tmp_path)), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"open\n"
    with pytest.raises(StoreError, match=rf"process {holder.pid} holds it"):
        await _opened(tmp_path)
    holder.kill()
    await holder.communicate()
    await (await _opened(tmp_path)).close()


async def test_a_second_store_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    first = await _opened(tmp_path)
    with pytest.raises(StoreError, match=str(os.getpid())):
        await _opened(tmp_path)
    await first.close()
    await (await _opened(tmp_path)).close()


async def test_a_refused_opening_leaves_the_holder_undisturbed(tmp_path: Path) -> None:
    first = await _opened(tmp_path)
    second = SqliteStore(tmp_path)
    with pytest.raises(StoreError):
        await second.open(namespace="shop", partitions=16)
    await second.close()
    with pytest.raises(StoreError):
        await _opened(tmp_path)
    await first.close()


async def test_directories_are_made_and_only_their_owner_can_read_what_is_in_them(tmp_path: Path) -> None:
    directory = tmp_path / "not" / "there" / "yet"
    before = os.umask(0)
    try:
        store = await _opened(directory)
        await store.commit([create("order-7")])
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert modes.keys() >= {"holdfast.db", "holdfast.db-wal", "holdfast.db-shm", "holdfast.lock"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    await store.close()


async def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("a file")
    with pytest.raises(StoreError, match="in-the-way"):
        await _opened(tmp_path / "in-the-way" / "data")


async def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    content = b"this is not a database" * 500
    path = tmp_path / "holdfast.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"holdfast\.db"):
        await _opened(tmp_path)
    assert path.read_bytes() == content


async def test_a_database_of_somebody_else_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    content = path.read_bytes()
    with pytest.raises(StoreMismatch, match="another database"):
        await _opened(tmp_path)
    assert path.read_bytes() == content


async def test_a_newer_layout_is_refused_naming_both_and_the_file_is_kept(tmp_path: Path) -> None:
    await (await _opened(tmp_path)).close()
    path = tmp_path / "holdfast.db"
    newer = apsw.Connection(str(path))
    newer.execute("UPDATE meta SET value = 2 WHERE name = 'layout'")
    newer.close()
    content = path.read_bytes()
    with pytest.raises(StoreMismatch, match="expected layout 1, found layout 2"):
        await _opened(tmp_path)
    assert path.read_bytes() == content


async def test_a_file_that_is_mostly_free_shrinks_at_the_next_opening(tmp_path: Path) -> None:
    store = await _opened(tmp_path)
    commits = [create(f"order-{number}", messages=[bytes(1_000_000)]) for number in range(30)]
    await store.commit(commits)
    await store.commit([delete(commit) for commit in commits])
    await store.close()
    full = (tmp_path / "holdfast.db").stat().st_size
    await (await _opened(tmp_path)).close()
    assert full > 30_000_000
    assert (tmp_path / "holdfast.db").stat().st_size < 1_000_000


async def test_a_store_can_be_opened_again_after_it_was_closed(tmp_path: Path) -> None:
    store = await _opened(tmp_path)
    await store.commit([create("order-7")])
    await store.close()
    await store.open(namespace="shop", partitions=16)
    assert await store.load([place("order-7")]) != [None]
    await store.close()


async def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "holdfast.db")
    prepare(connection, where=tmp_path, namespace="shop", partitions=16)
    assert connection.pragma("synchronous") == 2
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("page_size") == PAGE_BYTES
    assert connection.pragma("auto_vacuum") == 2
    connection.close()
