"""A real server that forgets, is full, stands still, refuses, or is not what it should be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from holdfast_sidecar.core.state import ActivityRow, Reminder
from holdfast_sidecar.stores.contract import Outcome, StoreError, StoreFull
from holdfast_sidecar.stores.redis import RedisStore
from tests.conformance.builders import create, delete, follow, place
from tests.conformance.redis import redis_store
from tests.support.valkey import Valkey


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey(appendonly=False) as started:
        yield started


@pytest.fixture
async def store(server: Valkey) -> AsyncIterator[RedisStore]:
    server.call("FLUSHALL")
    opened = await _open(server.url)
    yield opened
    await opened.close()


async def _open(url: str) -> RedisStore:
    store = redis_store(url)
    await store.open(namespace="shop", partitions=16)
    return store


async def test_a_server_that_forgot_the_scripts_gets_them_again(server: Valkey, store: RedisStore) -> None:
    first = create("order-7")
    assert await store.commit([first]) == [Outcome.APPLIED]
    server.call("SCRIPT", "FLUSH")
    batch = [create(f"order-{number}", messages=[b"x"]) for number in range(100, 400)]
    assert await store.commit([follow(first, events=[b"a"]), *batch]) == [Outcome.APPLIED] * 301
    server.call("SCRIPT", "FLUSH")
    assert None not in await store.load([place("order-7"), place("order-399")])


async def test_a_server_without_memory_is_full_and_has_written_nothing(server: Valkey, store: RedisStore) -> None:
    first = create("order-7", reminders_put=[Reminder("order-7", "wake", 0)])
    await store.commit([first])
    before = await store.load([place("order-7")])
    server.call("CONFIG", "SET", "maxmemory", 1)
    try:
        changes = [
            follow(first, events=[b"a"], resets=True, reminders_delete=["wake"]),
            create("order-8"),
        ]
        with pytest.raises(StoreFull, match="nothing was written"):
            await store.commit(changes)
        assert await store.load([place("order-7"), place("order-8")]) == [*before, None]
    finally:
        server.call("CONFIG", "SET", "maxmemory", 0)
    assert await store.commit([create("order-8")]) == [Outcome.APPLIED]


async def test_a_server_that_stands_still_is_a_store_error_and_its_late_answer_meets_no_other_call(
    server: Valkey, store: RedisStore
) -> None:
    hasty = await _open(f"{server.url}?timeout=200ms&connections=1")
    first = create("order-7")
    server.pause()
    try:
        with pytest.raises(StoreError, match=r"no answer within 0\.2 s"):
            await hasty.commit([first])
    finally:
        server.resume()
    outcomes = await hasty.commit([first, create("order-8")])
    assert outcomes in ([Outcome.APPLIED] * 2, [Outcome.CONFLICT, Outcome.APPLIED])
    found = await hasty.load([place("order-7"), place("order-9")])
    assert [stored and stored.record for stored in found] == [first.record, None]
    await hasty.close()


async def test_a_connection_that_the_server_closed_is_made_again_unnoticed(server: Valkey, store: RedisStore) -> None:
    first = create("order-7")
    assert await store.commit([first]) == [Outcome.APPLIED]
    server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    server.wait(lambda client: not [one for one in client.client_list() if one["name"] == "holdfast"], "clients gone")
    for _ in range(5):
        await asyncio.sleep(0)  # a turn of the loop, in which it reads the end of the stream
    assert await store.commit([follow(first)]) == [Outcome.APPLIED]


async def test_a_replica_is_a_store_error(server: Valkey, store: RedisStore) -> None:
    server.call("REPLICAOF", "127.0.0.1", 1)
    try:
        with pytest.raises(StoreError, match="read only"):
            await store.commit([create("order-7")])
    finally:
        server.call("REPLICAOF", "NO", "ONE")
    assert await store.commit([create("order-7")]) == [Outcome.APPLIED]


async def test_a_write_that_too_few_replicas_have_is_a_store_error(server: Valkey, store: RedisStore) -> None:
    strict = redis_store(f"{server.url}?wait_replicas=1&wait_timeout=10ms")
    with pytest.raises(StoreError, match="expected 1 replicas to have the write within 10 ms, found 0"):
        await strict.open(namespace="shop", partitions=16)
    await strict.close()


async def test_a_server_that_is_not_there_is_a_store_error(server: Valkey) -> None:
    store = redis_store("redis://127.0.0.1:1")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1"):
        await store.open(namespace="shop", partitions=16)
    await store.close()


async def test_accounts_are_checked_by_the_server(server: Valkey) -> None:
    server.call("ACL", "SETUSER", "shop", "on", ">p@ss", "~*", "+@all")
    good, bad = (f"redis://shop:{password}@127.0.0.1:{server.port}" for password in ("p%40ss", "wrong"))
    opened = await _open(good)
    await opened.close()
    refused = redis_store(bad)
    with pytest.raises(StoreError, match="username-password"):
        await refused.open(namespace="shop", partitions=16)
    await refused.close()


async def test_a_server_without_append_only_file_is_warned_about(
    server: Valkey, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        again = await _open(server.url)
    await again.close()
    assert "append-only" in caplog.text


async def test_a_server_that_keeps_an_append_only_file_is_not_warned_about(
    valkey_server: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        opened = await _open(f"{valkey_server.url}?prefix=kept")
    await opened.close()
    assert "append-only" not in caplog.text


async def test_a_commit_of_tens_of_thousands_of_rows_goes_through_and_away(server: Valkey, store: RedisStore) -> None:
    first = create(
        "order-7",
        messages=[b"m"] * 9_000,
        activities_put=[ActivityRow(seq, 1, b"request") for seq in range(20_000)],
        reminders_put=[Reminder("order-7", f"timer-{seq}", seq) for seq in range(9_000)],
    )
    second = follow(first, events=[b"%d" % row for row in range(30_000)], consume=9_000)
    assert await store.commit([first, second]) == [Outcome.APPLIED] * 2
    (found,) = await store.load([place("order-7")])
    assert found is not None
    assert [len(rows) for rows in (found.inbox, found.history, found.activities, found.reminders)] == [
        *(0, 30_000, 20_000, 9_000)
    ]
    assert await store.history(place("order-7")[0], "order-7", first=29_998) == (b"29998", b"29999")
    third = follow(second, resets=True, events=[b"anew"], reminders_delete=[f"timer-{seq}" for seq in range(9_000)])
    assert await store.commit([third]) == [Outcome.APPLIED]
    (found,) = await store.load([place("order-7")])
    assert found is not None
    assert (found.history, found.reminders) == ((b"anew",), ())
    assert await store.commit([delete(third)]) == [Outcome.APPLIED]
    assert {key.rpartition(":")[2] for key in server.call("KEYS", "*")} <= {"fence", "layout"}


async def test_braces_in_a_namespace_are_refused(server: Valkey) -> None:
    store = redis_store(server.url)
    with pytest.raises(ValueError, match="no braces"):
        await store.open(namespace="a}b", partitions=16)
    await store.close()


async def test_keys_are_named_as_people_look_for_them(server: Valkey, store: RedisStore) -> None:
    first = create("order-7", activities_put=[ActivityRow(0, 1, b"request")])
    await store.commit([follow(first, events=[b"a", b"b"], sets_custom_status=True, custom_status="packing"), first])
    await store.commit([follow(first, events=[b"a", b"b"], sets_custom_status=True, custom_status="packing")])
    tag = f"{{hf:shop:{place('order-7')[0]}}}"
    fields = set(server.call("HKEYS", f"{tag}:workflow:order-7"))
    assert fields == {"metadata", "customStatus", "inbox-000000", "history-000000", "history-000001", "etag", "index"}
    assert server.call("HKEYS", f"{tag}:activity:order-7") == ["0#activityreq-1"]
