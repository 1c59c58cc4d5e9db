"""What a commit does to each kind of row of one instance."""

from __future__ import annotations

from holdfast_sidecar.core.state import ActivityRow, Commit, Reminder, Stored
from holdfast_sidecar.stores.contract import Outcome, Store
from tests.conformance.builders import create, delete, finish, follow, partition_of, place
from tests.conformance.harness import Space

ID = "order-7"


async def _after(store: Store, *commits: Commit) -> Stored:
    for commit in commits:
        assert await store.commit([commit]) == [Outcome.APPLIED]
    [found] = await store.load([place(ID)])
    assert found is not None
    return found


async def test_history_grows_in_order(store: Store) -> None:
    first = create(ID)
    second = follow(first, events=[b"a", b"b"], consume=1)
    found = await _after(store, first, second, follow(second, events=[b"c"]))
    assert found.history == (b"a", b"b", b"c")
    assert found.inbox == ()


async def test_the_first_commit_can_be_that_of_a_turn(store: Store) -> None:
    """It deletes what such a turn may have had to delete, and finds nothing."""
    first = create(
        ID,
        messages=[b"too late"],
        events=[b"a", b"b"],
        resets_history=True,
        clears_activities=True,
        inbox_consumed=(0, 0),
        activities_put=[ActivityRow(0, 1, b"run")],
        activities_delete=[(3, 1)],
        reminders_put=[Reminder(ID, "wake", 0)],
        reminders_delete=["start", "timer-3"],
    )
    found = await _after(store, first, follow(first, events=[b"c"], consume=1))
    assert found.history == (b"a", b"b", b"c")
    assert found.inbox == ()
    assert found.activities == (ActivityRow(0, 1, b"run"),)
    assert [reminder.name for reminder in found.reminders] == ["wake"]


async def test_a_reset_history_starts_again_from_row_0(store: Store) -> None:
    first = create(ID, messages=[b"start"])
    second = follow(first, events=[b"a", b"b", b"c"], consume=1)
    third = follow(second, resets=True, events=[b"x"], messages=[b"start again"])
    found = await _after(store, first, second, third, follow(third, events=[b"y"]))
    assert found.history == (b"x", b"y")
    assert found.inbox == (b"start again",)


async def test_a_reset_without_new_events_leaves_no_history(store: Store) -> None:
    first = create(ID)
    second = follow(first, events=[b"a", b"b", b"c"], consume=1)
    assert (await _after(store, first, second, follow(second, resets=True))).history == ()


async def test_the_inbox_is_consumed_from_its_front_and_grows_at_its_end(store: Store) -> None:
    first = create(ID, messages=[b"1", b"2", b"3"])
    second = follow(first, consume=2, messages=[b"4", b"5"])
    found = await _after(store, first, second, follow(second, consume=1, messages=[b"6"]))
    assert found.inbox == (b"4", b"5", b"6")


async def test_the_inbox_can_be_written_anew_behind_all_that_was(store: Store) -> None:
    first = create(ID, messages=[b"1", b"2"])
    found = await _after(store, first, follow(first, consume=2, messages=[b"front", b"2"]))
    assert found.inbox == (b"front", b"2")


async def test_rows_past_the_sixth_digit_keep_their_order(store: Store) -> None:
    first = create(ID, messages=[], record={"inbox_first": 999_998})
    second = follow(first, messages=[b"998", b"999", b"1000", b"1001"])
    assert (await _after(store, first, second)).inbox == (b"998", b"999", b"1000", b"1001")


async def test_custom_status_is_set_kept_changed_and_cleared(store: Store) -> None:
    first = create(ID)
    second = follow(first, sets_custom_status=True, custom_status="packing")
    third = follow(second)
    fourth = follow(third, sets_custom_status=True, custom_status="")
    fifth = follow(fourth, sets_custom_status=True, custom_status=None)
    found = [(await _after(store, commit)).custom_status for commit in (first, second, third, fourth, fifth)]
    assert found == [None, "packing", "packing", "", None]


async def test_custom_status_can_come_with_the_first_commit(store: Store) -> None:
    found = await _after(store, create(ID, sets_custom_status=True, custom_status="new"))
    assert found.custom_status == "new"


async def test_activities_are_put_replaced_and_deleted_by_seq_and_generation(store: Store) -> None:
    rows = [ActivityRow(2, 1, b"two"), ActivityRow(10, 1, b"ten"), ActivityRow(2, 2, b"two of the next generation")]
    first = create(ID, activities_put=rows)
    second = follow(first, activities_delete=[(2, 1), (77, 1)], activities_put=[ActivityRow(10, 1, b"ten again")])
    assert (await _after(store, first)).activities == (rows[0], rows[2], rows[1])
    assert (await _after(store, second)).activities == (rows[2], ActivityRow(10, 1, b"ten again"))


async def test_clearing_activities_spares_those_put_in_the_same_commit(store: Store) -> None:
    first = create(ID, activities_put=[ActivityRow(0, 1, b"old"), ActivityRow(1, 1, b"old")])
    second = follow(first, clears_activities=True, activities_put=[ActivityRow(1, 2, b"new")])
    assert (await _after(store, first, second)).activities == (ActivityRow(1, 2, b"new"),)


async def test_a_row_deleted_and_put_in_one_commit_is_there(store: Store) -> None:
    first = create(ID, activities_put=[ActivityRow(0, 1, b"old")], reminders_put=[Reminder(ID, "timer-0", 5)])
    second = follow(
        first,
        activities_delete=[(0, 1)],
        activities_put=[ActivityRow(0, 1, b"new")],
        reminders_delete=["timer-0"],
        reminders_put=[Reminder(ID, "timer-0", 9)],
    )
    found = await _after(store, first, second)
    assert found.activities == (ActivityRow(0, 1, b"new"),)
    assert found.reminders == (Reminder(ID, "timer-0", 9),)


async def test_reminders_are_put_replaced_and_deleted_by_name(store: Store) -> None:
    first = create(ID, reminders_put=[Reminder(ID, "wake", 0), Reminder(ID, "timer-1", 50, b"data")])
    second = follow(first, reminders_put=[Reminder(ID, "timer-1", 70)], reminders_delete=["wake", "unknown"])
    assert (await _after(store, first)).reminders == (Reminder(ID, "timer-1", 50, b"data"), Reminder(ID, "wake", 0))
    assert (await _after(store, second)).reminders == (Reminder(ID, "timer-1", 70),)
    due = await store.due([partition_of(ID)], after=-1, until=100, limit=9)
    assert due.reminders == (Reminder(ID, "timer-1", 70),)


async def test_the_same_reminder_name_belongs_to_each_instance_alone(store: Store) -> None:
    twin = next(name for name in map(str, range(999)) if partition_of(name) == partition_of(ID))
    first = create(ID, reminders_put=[Reminder(ID, "wake", 0)])
    await store.commit([first, create(twin, reminders_put=[Reminder(twin, "wake", 0)])])
    await store.commit([follow(first, reminders_delete=["wake"])])
    due = await store.due([partition_of(ID)], after=-1, until=0, limit=9)
    assert due.reminders == (Reminder(twin, "wake", 0),)


def _full(instance_id: str) -> tuple[Commit, Commit]:
    first = create(
        instance_id,
        messages=[b"1", b"2"],
        sets_custom_status=True,
        custom_status="packing",
        activities_put=[ActivityRow(0, 1, b"x"), ActivityRow(1, 1, b"y")],
        reminders_put=[Reminder(instance_id, "wake", 0), Reminder(instance_id, "timer-1", 50, b"data")],
    )
    return first, finish(first, at=9_000, events=[b"a", b"b"], consume=1)


async def test_a_deleted_instance_leaves_nothing_behind(space: Space, store: Store) -> None:
    first, second = _full(ID)
    await _after(store, first, second)
    assert await space.residue() != []
    assert await store.commit([delete(second)]) == [Outcome.APPLIED]
    assert await store.load([place(ID)]) == [None]
    assert await store.view([place(ID)], payloads=True) == [None]
    assert list(await store.history(*place(ID))) == []
    assert await space.residue() == []


async def test_deleting_one_instance_spares_the_others(store: Store) -> None:
    mine, other = _full(ID), _full("order-70")
    await store.commit([*mine, *other])
    before = await store.load([place("order-70")])
    await store.commit([delete(mine[1])])
    assert await store.load([place("order-70")]) == before
    assert before != [None]


async def test_an_id_can_be_used_again_after_it_was_deleted(store: Store) -> None:
    first, second = _full(ID)
    again = create(ID, messages=[b"anew"], record={"created_at": 70, "name": "other"})
    found = await _after(store, first, second, delete(second), again)
    assert found == Stored(record=found.record, inbox=(b"anew",))
    assert found.record == again.record


async def test_deleting_what_is_not_there_is_applied_and_does_nothing(space: Space, store: Store) -> None:
    absent = Commit(partition=partition_of(ID), epoch=1, instance_id=ID, expected_version=0, record=None)
    assert await store.commit([absent]) == [Outcome.APPLIED]
    assert await space.residue() == []
