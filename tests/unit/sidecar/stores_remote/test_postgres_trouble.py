"""A real server that is full, cuts connections, waits for locks, or is not what it should be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from itertools import count

import asyncpg
import pytest
from msgspec.structs import replace

from holdfast_sidecar.core.state import Commit
from holdfast_sidecar.stores.contract import Outcome, StoreError, StoreFull, StoreMismatch
from holdfast_sidecar.stores.postgres import PostgresStore
from tests.conformance.builders import create, follow, place
from tests.conformance.postgres import postgres_store
from tests.support.postgres import Postgres

_numbers = count(1)
PATIENCE = 20
TURNS, FRESH = 15, 300


@pytest.fixture
def url(postgres_server: Postgres) -> str:
    return f"{postgres_server.url}?schema=trouble_{next(_numbers)}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    opened = await _open(url)
    yield opened
    await opened.close()


@pytest.fixture
async def person(postgres_server: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else with a connection of their own."""
    connection = await asyncpg.connect(postgres_server.url)
    yield connection
    await connection.close()


async def _open(url: str) -> PostgresStore:
    store = postgres_store(url)
    await store.open(namespace="shop", partitions=16)
    return store


def _schema(url: str) -> str:
    return url.partition("schema=")[2].partition("&")[0]


async def _waiting(postgres_server: Postgres, number: int) -> None:
    """Until so many of our statements wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'holdfast'"
    async with asyncio.timeout(PATIENCE):
        watcher = await asyncpg.connect(postgres_server.url)
        while True:
            if await watcher.fetchval(query) == number:
                break
            await asyncio.sleep(0.01)
        await watcher.close()


async def test_who_raises_a_fence_waits_for_the_commit_that_has_seen_it_lower(
    postgres_server: Postgres, url: str, store: PostgresStore, person: asyncpg.Connection
) -> None:
    first = create("order-7")
    assert await store.commit([first]) == [Outcome.APPLIED]
    other = await _open(url)

    async def commit() -> None:
        assert await store.commit([follow(first, events=[b"a"])]) == [Outcome.APPLIED]

    async def acquire() -> None:
        assert await other.acquire([first.partition], 2) == [first.partition]

    async with asyncio.TaskGroup() as group:
        transaction = person.transaction()
        await transaction.start()
        await person.execute(f"SELECT FROM {_schema(url)}.instances FOR UPDATE")
        group.create_task(commit())
        await _waiting(postgres_server, 1)
        group.create_task(acquire())
        await _waiting(postgres_server, 2)  # else it would not have waited for the commit
        await transaction.rollback()
    assert await store.commit([follow(first, events=[b"late"])]) == [Outcome.FENCED]
    await other.close()


async def test_batches_that_meet_the_other_way_round_do_not_deadlock(
    postgres_server: Postgres, url: str, store: PostgresStore
) -> None:
    other = await _open(url)
    versions = [create(f"order-{number}", epoch=9) for number in range(40)]
    assert await store.commit(versions) == [Outcome.APPLIED] * 40

    together = asyncio.Barrier(2)

    async def write(client: PostgresStore, *, is_reversed: bool) -> int:
        applied, known = 0, list(versions)
        for turn in range(TURNS):
            fresh = [create(f"new-{turn}-{number}", epoch=9) for number in range(FRESH)]
            batch = [*known, *fresh] if turn % 2 else fresh  # known ones alone would make one wait for the other
            await together.wait()
            outcomes = await client.commit(batch[::-1] if is_reversed else batch)
            applied += outcomes.count(Outcome.APPLIED)
            loaded = await client.load([place(commit.instance_id) for commit in versions])
            known = [
                follow(replace(commit, record=stored.record), events=[b"x"])
                for commit, stored in zip(versions, loaded, strict=True)
                if stored
            ]
        return applied

    async def acquire() -> None:
        for epoch in range(1, 9):
            await other.acquire(range(16), epoch)
            await store.acquire(range(15, -1, -1), epoch)

    async with asyncio.TaskGroup() as group:
        writers = [
            group.create_task(write(store, is_reversed=False)),
            group.create_task(write(other, is_reversed=True)),
        ]
        group.create_task(acquire())
    # Of each new instance one creation wins, and none is lost.
    assert sum(writer.result() for writer in writers) >= TURNS * FRESH
    assert postgres_server.psql("SELECT sum(deadlocks) FROM pg_stat_database") == "0"
    await other.close()


async def test_a_connection_that_was_cut_is_a_store_error_and_the_next_call_works(
    postgres_server: Postgres, url: str, store: PostgresStore, person: asyncpg.Connection
) -> None:
    first = create("order-7")
    await store.commit([first])
    async with person.transaction(), asyncio.TaskGroup() as group:
        await person.execute(f"SELECT FROM {_schema(url)}.instances FOR UPDATE")
        cut = group.create_task(_error_of(store, [follow(first, events=[b"a"])]))
        await _waiting(postgres_server, 1)
        ours = "FROM pg_stat_activity WHERE application_name = 'holdfast'"
        await person.execute(f"SELECT pg_terminate_backend(pid) {ours}")
    assert "connection" in str(cut.result())
    assert await store.commit([follow(first, events=[b"a"])]) == [Outcome.APPLIED]


async def _error_of(store: PostgresStore, commits: list[Commit]) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await store.commit(commits)
    return caught.value


async def test_a_statement_that_takes_too_long_is_given_up_and_leaves_nothing(
    url: str, store: PostgresStore, person: asyncpg.Connection
) -> None:
    first = create("order-7")
    await store.commit([first])
    hasty = await _open(f"{url}&timeout=200ms")
    async with person.transaction():
        await person.execute(f"SELECT FROM {_schema(url)}.instances FOR UPDATE")
        with pytest.raises(StoreError, match="timeout"):
            await hasty.commit([create("order-8"), follow(first, events=[b"a"])])
    (seven, eight) = await store.load([place("order-7"), place("order-8")])
    assert seven is not None
    assert (seven.history, eight) == ((), None)
    await hasty.close()


async def test_a_full_disk_is_named_and_leaves_nothing(
    url: str, store: PostgresStore, person: asyncpg.Connection
) -> None:
    first = create("order-7")
    await store.commit([first])
    schema = _schema(url)
    await person.execute(f"""
        CREATE FUNCTION {schema}.no_room() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER no_room BEFORE INSERT ON {schema}.history EXECUTE FUNCTION {schema}.no_room()
    """)
    with pytest.raises(StoreFull, match="nothing was written; make room"):
        await store.commit([create("order-8"), follow(first, events=[b"a"])])
    await person.execute(f"DROP TRIGGER no_room ON {schema}.history")
    assert await store.load([place("order-8")]) == [None]
    assert await store.commit([follow(first, events=[b"a"])]) == [Outcome.APPLIED]


async def test_many_that_open_a_fresh_schema_at_once_make_it_once(url: str) -> None:
    stores = [postgres_store(url) for _ in range(6)]
    async with asyncio.TaskGroup() as group:
        for store in stores:
            group.create_task(store.open(namespace="shop", partitions=16))
    assert await stores[0].commit([create("order-7")]) == [Outcome.APPLIED]
    assert await stores[5].commit([create("order-7")]) == [Outcome.CONFLICT]
    for store in stores:
        await store.close()


async def test_a_schema_of_another_release_gets_the_function_of_this_one_too(
    url: str, store: PostgresStore, person: asyncpg.Connection
) -> None:
    schema = _schema(url)
    name = await person.fetchval("SELECT proname FROM pg_proc WHERE pronamespace = $1::regnamespace", schema)
    await person.execute(f"ALTER FUNCTION {schema}.{name} RENAME TO commit_of_another_release")
    again = await _open(url)
    assert await again.commit([create("order-7")]) == [Outcome.APPLIED]
    query = "SELECT count(*) FROM pg_proc WHERE pronamespace = $1::regnamespace"
    assert await person.fetchval(query, schema) == 2
    await again.close()


async def test_a_database_that_does_not_exist_is_a_store_error(postgres_server: Postgres) -> None:
    store = postgres_store(postgres_server.url_of("absent"))
    with pytest.raises(StoreError, match='database "absent" does not exist'):
        await store.open(namespace="shop", partitions=16)
    await store.close()


async def test_a_server_that_is_not_there_is_a_store_error() -> None:
    store = postgres_store("postgresql://shop@127.0.0.1:1/orders")
    with pytest.raises(StoreError, match="127"):
        await store.open(namespace="shop", partitions=16)
    await store.close()


async def test_a_closed_store_says_so(store: PostgresStore) -> None:
    await store.close()
    with pytest.raises(StoreError, match="expected an open store"):
        await store.load([place("order-7")])


async def test_a_database_of_another_encoding_is_refused(postgres_server: Postgres, person: asyncpg.Connection) -> None:
    name = f"latin_{next(_numbers)}"
    await person.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0")
    store = postgres_store(postgres_server.url_of(name))
    with pytest.raises(StoreMismatch, match=r"expected .* encoding UTF8, found .* encoding LATIN1"):
        await store.open(namespace="shop", partitions=16)
    await store.close()


async def test_a_server_that_does_not_wait_for_its_disk_is_warned_about(
    postgres_server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    database = postgres_server.new_database()
    postgres_server.psql(f'ALTER DATABASE "{database.rpartition("/")[2]}" SET synchronous_commit = off')
    with caplog.at_level(logging.WARNING):
        careless = await _open(database)
    await careless.close()
    assert "may lose what it has acknowledged" in caplog.text


async def test_a_name_with_a_zero_character_is_kept_and_found(store: PostgresStore) -> None:
    first = create("order-7", record={"name": "a\0b"}, sets_custom_status=True, custom_status="\0")
    assert await store.commit([first]) == [Outcome.APPLIED]
    (found,) = await store.load([place("order-7")])
    assert found is not None
    assert (found.record, found.custom_status) == (first.record, "\0")
