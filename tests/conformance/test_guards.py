"""The fence and the version: who may write, and on top of what."""

from __future__ import annotations

import pytest

from holdfast_sidecar.core.state import ActivityRow, Commit, Reminder
from holdfast_sidecar.stores.contract import Outcome, Store
from tests.conformance.builders import create, delete, follow, partition_of, place
from tests.conformance.harness import Space

ID = "order-7"
FENCE = partition_of(ID)


async def test_a_first_commit_makes_the_instance(store: Store) -> None:
    first = create(ID, messages=[b"start", b"event"])
    assert await store.commit([first]) == [Outcome.APPLIED]
    [found] = await store.load([place(ID)])
    assert found is not None
    assert found.record == first.record
    assert found.inbox == (b"start", b"event")


async def test_a_taken_id_is_a_conflict_and_changes_nothing(store: Store) -> None:
    await store.commit([create(ID, messages=[b"mine"])])
    before = await store.load([place(ID)])
    assert await store.commit([create(ID, messages=[b"theirs", b"too"])]) == [Outcome.CONFLICT]
    assert await store.load([place(ID)]) == before


@pytest.mark.parametrize("missed", ["older", "newer", "gone"])
async def test_another_version_than_expected_is_a_conflict_and_changes_nothing(store: Store, missed: str) -> None:
    first = create(ID)
    second = follow(first, events=[b"a"], consume=1)
    third = follow(second, events=[b"b"], reminders_put=[Reminder(ID, "timer-1", 5)], sets_custom_status=True)
    written, tried = {
        "older": ([first, second], follow(first, events=[b"zombie"], consume=1)),
        "newer": ([first], third),
        "gone": ([first, second, delete(second)], third),
    }[missed]
    await store.commit(written)
    before = await store.load([place(ID)])
    assert await store.commit([tried]) == [Outcome.CONFLICT]
    assert await store.load([place(ID)]) == before
    assert (await store.due([FENCE], after=-1, until=99, limit=9)).reminders == ()


async def test_deleting_with_another_version_is_a_conflict(store: Store) -> None:
    first = create(ID)
    await store.commit([first, follow(first)])
    assert await store.commit([delete(first)]) == [Outcome.CONFLICT]
    assert (await store.load([place(ID)]))[0] is not None


async def test_fences_only_rise_and_acquire_says_which_are_held(store: Store) -> None:
    assert list(await store.acquire([1, 2, 3], 5)) == [1, 2, 3]
    assert list(await store.acquire([2], 9)) == [2]
    assert sorted(await store.acquire([1, 2, 3, 4], 7)) == [1, 3, 4]
    assert sorted(await store.acquire([1, 2, 3, 4], 7)) == [1, 3, 4]
    assert sorted(await store.acquire([1, 2, 3, 4], 6)) == []


async def test_acquiring_nothing_holds_nothing(store: Store) -> None:
    assert list(await store.acquire([], 5)) == []


async def test_the_epoch_of_the_fence_and_above_may_commit(store: Store) -> None:
    await store.acquire([FENCE], 5)
    first = create(ID, epoch=5)
    assert await store.commit([first, follow(first, epoch=6)]) == [Outcome.APPLIED, Outcome.APPLIED]


async def test_a_partition_that_nobody_acquired_takes_any_epoch(store: Store) -> None:
    assert await store.commit([create(ID, epoch=0)]) == [Outcome.APPLIED]


def _everything(before: Commit) -> Commit:
    """A commit that would leave a trace in every kind of row."""
    return follow(
        before,
        events=[b"zombie"],
        messages=[b"zombie"],
        consume=1,
        sets_custom_status=True,
        custom_status="zombie",
        activities_put=[ActivityRow(0, 1, b"zombie")],
        reminders_put=[Reminder(ID, "zombie", 1)],
    )


async def test_the_old_owner_can_write_nothing_once_a_second_one_has_acquired(space: Space, store: Store) -> None:
    first = create(ID, epoch=1)
    await store.acquire([FENCE], 1)
    await store.commit([first])
    before = await store.load([place(ID)])
    second = await space.second(store)
    assert list(await second.acquire([FENCE], 2)) == [FENCE]
    late = [_everything(first), delete(first)]
    assert await store.commit(late) == [Outcome.FENCED, Outcome.FENCED]
    assert await store.load([place(ID)]) == before
    assert await second.load([place(ID)]) == before
    assert (await second.due([FENCE], after=-1, until=99, limit=9)).reminders == ()
    assert await second.commit([follow(first, epoch=2)]) == [Outcome.APPLIED]
    await _close_other(second, store)


async def test_the_old_owner_cannot_create_either(space: Space, store: Store) -> None:
    await store.acquire([FENCE], 1)
    second = await space.second(store)
    await second.acquire([FENCE], 2)
    assert await store.commit([create(ID, epoch=1)]) == [Outcome.FENCED]
    assert await store.load([place(ID)]) == [None]
    assert await space.residue() == []
    await _close_other(second, store)


async def test_fenced_is_said_even_when_the_version_is_wrong_too(store: Store) -> None:
    first = create(ID, epoch=1)
    await store.commit([first, follow(first)])
    await store.acquire([FENCE], 2)
    assert await store.commit([follow(first)]) == [Outcome.FENCED]
    assert await store.commit([follow(first, epoch=2)]) == [Outcome.CONFLICT]


async def test_a_fence_holds_for_its_partition_alone(store: Store) -> None:
    other = next(name for name in map(str, range(99)) if partition_of(name) != FENCE)
    await store.acquire([FENCE], 9)
    outcomes = await store.commit([create(ID, epoch=1), create(other, epoch=1)])
    assert outcomes == [Outcome.FENCED, Outcome.APPLIED]


async def _close_other(second: Store, first: Store) -> None:
    if second is not first:
        await second.close()
