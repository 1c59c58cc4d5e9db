"""Many commits in one call, and many calls at once."""

from __future__ import annotations

import asyncio

from holdfast_sidecar.core.state import ActivityRow, Commit, Reminder
from holdfast_sidecar.stores.contract import Outcome, Store
from tests.conformance.builders import create, delete, follow, partition_of, place
from tests.conformance.harness import PARTITIONS, Space

A, C, F = Outcome.APPLIED, Outcome.CONFLICT, Outcome.FENCED


async def test_an_empty_batch_is_answered_with_nothing(store: Store) -> None:
    assert list(await store.commit([])) == []


async def test_refused_ones_in_the_middle_do_not_touch_the_others(space: Space, store: Store) -> None:
    fenced = "order-3"
    free = [name for name in map("order-{}".format, range(40)) if partition_of(name) != partition_of(fenced)][:5]
    await store.acquire([partition_of(fenced)], 9)
    await store.commit([create(free[1], epoch=1)])
    batch = [create(name, epoch=1, messages=[name.encode()]) for name in (free[0], free[1], fenced, *free[2:])]
    assert await store.commit(batch) == [A, C, F, A, A, A]
    found = await store.load([place(name) for name in (*free, fenced)])
    assert [stored and stored.inbox for stored in found] == [
        (free[0].encode(),),
        (b"start",),
        *((name.encode(),) for name in free[2:]),
        None,
    ]


async def test_of_two_creations_in_one_batch_the_first_is_applied(store: Store) -> None:
    batch = [create("order-7", messages=[b"first"]), create("order-7", messages=[b"second", b"more"])]
    assert await store.commit(batch) == [A, C]
    [found] = await store.load([place("order-7")])
    assert found is not None
    assert found.inbox == (b"first",)


async def test_a_chain_on_one_instance_is_applied_in_order(store: Store) -> None:
    first = create("order-7", activities_put=[ActivityRow(0, 1, b"0")])
    second = follow(
        first,
        events=[b"a"],
        consume=1,
        messages=[b"m"],
        activities_delete=[(0, 1)],
        activities_put=[ActivityRow(1, 1, b"1")],
        reminders_put=[Reminder("order-7", "timer-1", 5)],
        sets_custom_status=True,
        custom_status="one",
    )
    third = follow(
        second,
        events=[b"b"],
        consume=1,
        activities_delete=[(1, 1)],
        activities_put=[ActivityRow(0, 1, b"again")],
        reminders_delete=["timer-1"],
        reminders_put=[Reminder("order-7", "timer-2", 6)],
        sets_custom_status=True,
        custom_status="two",
    )
    assert await store.commit([first, second, third]) == [A, A, A]
    [found] = await store.load([place("order-7")])
    assert found is not None
    assert (found.record, found.history, found.inbox) == (third.record, (b"a", b"b"), ())
    assert found.activities == (ActivityRow(0, 1, b"again"),)
    assert found.reminders == (Reminder("order-7", "timer-2", 6),)
    assert found.custom_status == "two"


async def test_creation_deletion_and_creation_again_in_one_batch(space: Space, store: Store) -> None:
    first = create("order-7", messages=[b"old"], reminders_put=[Reminder("order-7", "wake", 0)])
    batch = [first, delete(first), create("order-7", messages=[b"new"]), create("order-7")]
    assert await store.commit(batch) == [A, A, A, C]
    [found] = await store.load([place("order-7")])
    assert found is not None
    assert (found.inbox, found.reminders) == ((b"new",), ())


async def test_a_batch_larger_than_any_bound_of_a_backend_is_applied(store: Store) -> None:
    batch = [create(f"order-{number}", messages=[b"x" * 50] * 3) for number in range(1_500)]
    assert set(await store.commit(batch)) == {A}
    found = await store.load([place(f"order-{number}") for number in range(1_500)])
    assert [stored and stored.record for stored in found] == [commit.record for commit in batch]


async def test_one_commit_with_thousands_of_rows_is_applied(store: Store) -> None:
    seqs = range(5_000)
    first = create("wide")
    second = follow(
        first,
        consume=1,
        events=[b"scheduled %d" % seq for seq in seqs],
        activities_put=[ActivityRow(seq, 1, b"%d" % seq) for seq in seqs],
        reminders_put=[Reminder("wide", f"timer-{seq}", seq + 1) for seq in seqs],
    )
    third = follow(
        second, activities_delete=[(seq, 1) for seq in seqs], reminders_delete=[f"timer-{seq}" for seq in seqs]
    )
    assert await store.commit([first, second]) == [A, A]
    [found] = await store.load([place("wide")])
    assert found is not None
    assert (len(found.history), len(found.activities), len(found.reminders)) == (5_000, 5_000, 5_000)
    assert await store.commit([third]) == [A]
    [found] = await store.load([place("wide")])
    assert found is not None
    assert (len(found.history), found.activities, found.reminders) == (5_000, (), ())


async def test_batches_of_concurrent_tasks_each_get_their_own_outcomes(store: Store) -> None:
    async def start(writer: int) -> list[Outcome]:
        batch = [create(f"order-{number}", messages=[b"%d" % writer]) for number in range(writer, writer + 20)]
        return list(await store.commit(batch))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(start(writer)) for writer in range(10)]
    applied = sum(task.result().count(A) for task in tasks)
    assert applied == 29
    assert sum(map(len, (task.result() for task in tasks))) == 200


async def test_of_concurrent_writers_on_one_instance_exactly_one_wins_each_version(store: Store) -> None:
    commits: list[Commit] = [create("order-7", messages=[])]
    assert await store.commit(commits) == [A]

    async def write(writer: int, version: Commit) -> tuple[int, Outcome]:
        [outcome] = await store.commit([follow(version, events=[b"%d" % writer])])
        return writer, outcome

    winners: list[bytes] = []
    for _ in range(5):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(write(writer, commits[-1])) for writer in range(6)]
        won = [writer for writer, outcome in (task.result() for task in tasks) if outcome is A]
        assert len(won) == 1
        winners.append(b"%d" % won[0])
        commits.append(follow(commits[-1], events=[winners[-1]]))
    assert list(await store.history(*place("order-7"))) == winners


async def test_a_write_is_seen_by_every_read_that_starts_after_it_was_answered(store: Store) -> None:
    async def run(number: int) -> None:
        last = create(f"order-{number}", reminders_put=[Reminder(f"order-{number}", "wake", 0)])
        await store.commit([last])
        for _ in range(10):
            last = follow(last, events=[b"e"])
            assert await store.commit([last]) == [A]
            [found] = await store.load([place(last.instance_id)])
            assert found is not None
            assert found.record == last.record
            assert len(found.history) == found.record.history_length

    async with asyncio.TaskGroup() as group:
        for number in range(12):
            group.create_task(run(number))
    assert len((await store.due(range(PARTITIONS), after=-1, until=0, limit=99)).reminders) == 12


async def test_a_cancelled_caller_leaves_the_store_usable(store: Store) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_commit_one(store, f"order-{number}")) for number in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
    answered = [place(f"order-{number}") for number in range(1, 20, 2)]
    assert None not in await store.load(answered)
    assert await store.commit([create("after")]) == [A]


async def _commit_one(store: Store, instance_id: str) -> None:
    await store.commit([create(instance_id)])
