"""load, view and history."""

from __future__ import annotations

import pytest

from holdfast_proto.history import Parent, Status
from holdfast_sidecar.core.state import Commit, Record, Stall, View
from holdfast_sidecar.stores.contract import Store
from tests.conformance.builders import create, finish, follow, place

ID = "order-7"


async def _commit(store: Store, *commits: Commit) -> Record:
    await store.commit(commits)
    assert commits[-1].record is not None
    return commits[-1].record


async def test_reads_answer_in_the_order_they_were_asked_with_none_for_the_absent(store: Store) -> None:
    await _commit(store, create("b"), create("a"))
    asked = [place(name) for name in ("a", "absent", "b", "a")]
    loaded = await store.load(asked)
    viewed = await store.view(asked, payloads=False)
    assert [found and found.record.id for found in loaded] == ["a", None, "b", "a"]
    assert [found and found.record.id for found in viewed] == ["a", None, "b", "a"]


async def test_reading_nothing_gives_nothing(store: Store) -> None:
    assert list(await store.load([])) == []
    assert list(await store.view([], payloads=True)) == []


async def test_every_field_of_a_record_comes_back(store: Store) -> None:
    fields = {
        "generation": 2**62,
        "label": "v2",
        "parent": Parent(instance_id="boss", seq=0, name="bossy", row=7),
        "tags": {"k": "v", "ü": ""},
        "scheduled_at": 5,
        "started_at": 6,
        "is_suspended": True,
        "is_awake": True,
        "stall": Stall("PATCH_MISMATCH", "a worker without the patch", 8),
        "owes_turn": True,
        "attempts": 3,
        "sends": 4,
        "turn_trace": b"\x00\xff",
        "dialect": "dapr",
    }
    record = await _commit(store, create(ID, record=fields))
    [found] = await store.load([place(ID)])
    assert found is not None
    assert found.record == record


async def test_a_view_shows_record_and_custom_status_and_payload_rows_only_when_asked(store: Store) -> None:
    record = await _commit(store, create(ID, messages=[b"start", b"x"], sets_custom_status=True, custom_status="hi"))
    [bare] = await store.view([place(ID)], payloads=False)
    [full] = await store.view([place(ID)], payloads=True)
    assert bare == View(record=record, custom_status="hi")
    assert full == View(record=record, custom_status="hi", start=b"start")


async def test_before_the_first_turn_the_start_row_is_the_first_of_the_inbox(store: Store) -> None:
    first = create(ID, messages=[], record={"inbox_first": 40})
    await _commit(store, first, follow(first, messages=[b"start", b"event"]))
    [found] = await store.view([place(ID)], payloads=True)
    assert found is not None
    assert (found.start, found.end) == (b"start", None)


async def test_from_the_first_turn_on_the_start_row_is_history_row_1(store: Store) -> None:
    first = create(ID)
    await _commit(store, first, follow(first, events=[b"turn", b"start", b"scheduled"], consume=1, messages=[b"x"]))
    [found] = await store.view([place(ID)], payloads=True)
    assert found is not None
    assert (found.start, found.end) == (b"start", None)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.TERMINATED, Status.CANCELED])
async def test_the_end_row_of_an_ended_instance_is_its_last(store: Store, status: Status) -> None:
    first = create(ID)
    second = follow(first, events=[b"turn", b"start"], consume=1)
    await _commit(store, first, second, finish(second, at=9, status=status, events=[b"turn", b"end"]))
    [found] = await store.view([place(ID)], payloads=True)
    assert found is not None
    assert (found.start, found.end) == (b"start", b"end")


async def test_an_instance_that_ended_before_its_first_turn_has_no_end_row(store: Store) -> None:
    first = create(ID)
    await _commit(store, first, finish(first, at=9, status=Status.TERMINATED, events=[]))
    [found] = await store.view([place(ID)], payloads=True)
    assert found is not None
    assert (found.start, found.end) == (b"start", None)


@pytest.mark.parametrize(
    ("first", "limit", "expected"),
    [(0, 0, "0123456789"), (3, 0, "3456789"), (0, 4, "0123"), (3, 4, "3456"), (8, 4, "89"), (10, 4, ""), (99, 0, "")],
)
async def test_history_is_given_in_slices(store: Store, first: int, limit: int, expected: str) -> None:
    created = create(ID)
    await _commit(store, created, follow(created, events=[b"%d" % row for row in range(10)]))
    assert [row.decode() for row in await store.history(*place(ID), first=first, limit=limit)] == list(expected)


async def test_history_of_an_absent_instance_is_empty(store: Store) -> None:
    assert list(await store.history(*place(ID))) == []


async def test_slices_of_a_long_history_keep_their_order(store: Store) -> None:
    first = create(ID)
    rows = [b"%d" % row for row in range(2_500)]
    second = follow(first, events=rows[:1_100])
    await _commit(store, first, second, follow(second, events=rows[1_100:]))
    assert list(await store.history(*place(ID))) == rows
    assert list(await store.history(*place(ID), first=995, limit=200)) == rows[995:1_195]
