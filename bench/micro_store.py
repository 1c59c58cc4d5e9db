"""What one typical commit costs in a store, by batch size.

    python -m bench.micro_store [--store sqlite|URL] [--commits 20000] [--directory DIR]

A URL is one of `memory:`, `redis://...`, `postgresql://...`; its data must be fresh: the bench leaves its own behind.

A typical commit is a sequential step: metadata, three history rows, one activity request put and one deleted. The CPU
is that of the whole process, all threads, without the making of the commits.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4
from zlib import crc32

from msgspec.structs import replace

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import ActivityRow, Commit, Record, Reminder
from holdfast_sidecar.stores.contract import Outcome, Store
from holdfast_sidecar.stores.memory import MemoryStore
from holdfast_sidecar.stores.postgres import PostgresStore
from holdfast_sidecar.stores.redis import RedisStore, servers_of
from holdfast_sidecar.stores.sqlite import SqliteStore
from holdfast_sidecar.stores.urls import MemoryUrl, PostgresUrl, RedisUrl, SqliteUrl, parse_store_url

PARTITIONS = 1024
EVENT = b"e" * 80
NOW = 1_790_000_000_000_000_000


def started(number: int) -> Commit:
    instance_id = str(uuid4())
    record = Record(
        id=instance_id,
        name="HelloSequence",
        status=Status.RUNNING,
        created_at=NOW + number,
        updated_at=NOW + number,
        started_at=NOW + number,
        execution_id=uuid4().hex,
        version=1,
        inbox_length=1,
        is_awake=True,
    )
    return Commit(
        partition=crc32(instance_id.encode()) % PARTITIONS,
        epoch=1,
        instance_id=instance_id,
        expected_version=0,
        record=record,
        inbox_append=[EVENT],
        reminders_put=[Reminder(instance_id, "wake", 0)],
    )


def stepped(before: Commit) -> Commit:
    assert before.record is not None
    old = before.record
    seq = old.version - 1
    return Commit(
        partition=before.partition,
        epoch=1,
        instance_id=before.instance_id,
        expected_version=old.version,
        record=replace(
            old,
            version=old.version + 1,
            updated_at=old.updated_at + 1_000_000,
            history_length=old.history_length + 3,
            history_bytes=old.history_bytes + 3 * len(EVENT),
        ),
        history_first=old.history_length,
        history_append=[EVENT, EVENT, EVENT],
        activities_put=[ActivityRow(seq, 1, EVENT)],
        activities_delete=[(seq - 1, 1)],
    )


async def measure(store: Store, *, batch: int, commits: int) -> str:
    instances = [started(number) for number in range(1000)]
    await store.commit(instances)
    calls: list[list[Commit]] = [[]]
    for number in range(commits):
        place = number % len(instances)
        instances[place] = stepped(instances[place])
        if len(calls[-1]) == batch:
            calls.append([])
        calls[-1].append(instances[place])
    return await _run(store, calls, commits)


async def _run(store: Store, calls: Sequence[Sequence[Commit]], commits: int) -> str:
    waits: list[float] = []
    wall, cpu = time.perf_counter(), time.process_time()
    for call in calls:
        began = time.perf_counter()
        outcomes = await store.commit(call)
        waits.append(time.perf_counter() - began)
        assert set(outcomes) == {Outcome.APPLIED}
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    waits.sort()
    p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    return (
        f"{len(calls[0]):5}  {commits / wall:9.0f} commits/s  {cpu / commits * 1e6:6.1f} us CPU/commit  "
        f"batch p50 {p50 * 1e3:6.2f} ms  p99 {p99 * 1e3:6.2f} ms"
    )


def make_store(name: str, directory: Path) -> Store:
    if name == "sqlite":
        return SqliteStore(directory)
    url = parse_store_url(name)
    match url:
        case MemoryUrl():
            return MemoryStore()
        case SqliteUrl(path=path):
            return SqliteStore(Path(path))
        case RedisUrl():
            return RedisStore(servers_of(url), prefix=url.prefix)
        case PostgresUrl():
            return PostgresStore(url)


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--store", default="sqlite", help="sqlite, or a store URL")
    options.add_argument("--commits", type=int, default=20_000)
    options.add_argument("--directory", type=Path, help="where the data goes; a temporary one when left out")
    given = options.parse_args()
    print("batch")
    for batch in (1, 16, 64, 256):
        with tempfile.TemporaryDirectory(dir=given.directory) as directory:
            store = make_store(given.store, Path(directory))
            await store.open(namespace="bench", partitions=PARTITIONS)
            await store.acquire(range(PARTITIONS), 1)
            print(await measure(store, batch=batch, commits=given.commits if batch > 1 else given.commits // 5))
            await store.close()


if __name__ == "__main__":
    asyncio.run(main())
