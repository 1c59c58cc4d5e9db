"""Reminders that are due."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from holdfast_sidecar.core.errors import InvalidRequest
from holdfast_sidecar.core.state import Reminder
from holdfast_sidecar.stores.contract import Store
from tests.conformance.builders import create, follow, partition_of
from tests.conformance.harness import PARTITIONS

EVERY = range(PARTITIONS)
PAGES_MAX = 400


async def _remind(store: Store, *reminders: Reminder) -> None:
    for instance_id in sorted({reminder.instance_id for reminder in reminders}):
        mine = [reminder for reminder in reminders if reminder.instance_id == instance_id]
        await store.commit([create(instance_id, reminders_put=mine)])


async def _walk(store: Store, partitions: Sequence[int], *, after: int, until: int, limit: int) -> list[Reminder]:
    found: list[Reminder] = []
    cursor = ""
    for _ in range(PAGES_MAX):
        page = await store.due(partitions, after=after, until=until, limit=limit, cursor=cursor)
        assert len(page.reminders) <= limit
        found += page.reminders
        cursor = page.cursor
        if not cursor:
            return found
    raise AssertionError(f"no last page among {PAGES_MAX}")


async def test_due_ones_come_in_order_of_time_then_instance_then_name(store: Store) -> None:
    rows = [Reminder("b", "x", 7), Reminder("a", "z", 9), Reminder("a", "y", 9), Reminder("c", "x", 7)]
    await _remind(store, *rows)
    page = await store.due(EVERY, after=-1, until=99, limit=9)
    assert page.reminders == (rows[0], rows[3], rows[2], rows[1])
    assert page.cursor == ""


async def test_the_order_is_that_of_numbers_and_of_code_points(store: Store) -> None:
    names = ["timer-9", "timer-10", "Timer", "ü", "zz", "😀", "～"]
    rows = [Reminder("a", name, 5) for name in names] + [Reminder("a", "late", 4_000_000_000_000_000_000)]
    await _remind(store, *rows, Reminder("a", "early", 44))
    page = await store.due(EVERY, after=-1, until=2**62, limit=99)
    assert [row.name for row in page.reminders] == [*sorted(names), "early", "late"]


async def test_neighbouring_nanoseconds_are_told_apart(store: Store) -> None:
    at = 1_790_000_000_000_000_001
    rows = [Reminder("a", name, at + offset) for name, offset in (("d", 0), ("c", 1), ("b", 2), ("a", 3))]
    await _remind(store, *rows)
    page = await store.due(EVERY, after=at, until=at + 2, limit=99)
    assert page.reminders == (rows[1], rows[2])


async def test_after_is_excluded_and_until_included(store: Store) -> None:
    rows = [Reminder("a", str(at), at) for at in (0, 1, 2, 3)]
    await _remind(store, *rows)
    assert (await store.due(EVERY, after=1, until=2, limit=9)).reminders == (rows[2],)
    assert (await store.due(EVERY, after=0, until=9, limit=9)).reminders == tuple(rows[1:])
    assert (await store.due(EVERY, after=-1, until=0, limit=9)).reminders == (rows[0],)
    assert (await store.due(EVERY, after=3, until=9, limit=9)).reminders == ()


async def test_only_the_asked_partitions_are_told(store: Store) -> None:
    names = [f"order-{number}" for number in range(40)]
    await _remind(store, *(Reminder(name, "wake", 0, name.encode()) for name in names))
    asked = {partition_of(name) for name in names[:3]}
    page = await store.due(sorted(asked), after=-1, until=0, limit=99)
    assert [row.instance_id for row in page.reminders] == sorted(name for name in names if partition_of(name) in asked)
    assert {row.data for row in page.reminders} == {row.instance_id.encode() for row in page.reminders}
    assert (await store.due([], after=-1, until=99, limit=99)).reminders == ()


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_pages_give_each_one_once_whatever_the_limit(store: Store, limit: int) -> None:
    rows = [Reminder(f"order-{number % 5}", f"timer-{number}", number // 4) for number in range(23)]
    await _remind(store, *rows)
    expected = sorted(rows, key=lambda row: (row.due_at, row.instance_id, row.name))
    assert await _walk(store, EVERY, after=-1, until=99, limit=limit) == expected


async def test_many_at_the_same_time_are_paged_too(store: Store) -> None:
    rows = [Reminder(f"order-{number:03}", "wake", 0) for number in range(300)]
    batch = [create(row.instance_id, reminders_put=[row]) for row in random.Random(7).sample(rows, len(rows))]
    await store.commit(batch)
    assert await _walk(store, EVERY, after=-1, until=0, limit=64) == rows


async def test_handling_a_page_before_asking_for_the_next_loses_none(store: Store) -> None:
    rows = [Reminder(f"order-{number}", "timer-1", number) for number in range(20)]
    commits = {row.instance_id: create(row.instance_id, reminders_put=[row]) for row in rows}
    await store.commit(list(commits.values()))
    seen: list[Reminder] = []
    page = await store.due(EVERY, after=-1, until=99, limit=3)
    while page.reminders and len(seen) <= len(rows):
        seen += page.reminders
        await store.commit([follow(commits[row.instance_id], reminders_delete=["timer-1"]) for row in page.reminders])
        page = await store.due(EVERY, after=-1, until=99, limit=3, cursor=page.cursor)
    assert seen == rows


async def test_a_cursor_that_no_page_gave_is_refused_by_name(store: Store) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        await store.due(EVERY, after=-1, until=99, limit=3, cursor="never given")
