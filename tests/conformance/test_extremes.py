"""Large values and unusual characters."""

from __future__ import annotations

import pytest

from holdfast_sidecar.core.state import ActivityRow, Filter, Reminder, Stored
from holdfast_sidecar.stores.contract import Outcome, Store
from tests.conformance.builders import create, delete, follow, partition_of, place
from tests.conformance.harness import Space

MEGABYTE = bytes(range(256)) * 4096

ODD_IDS = [
    *("{}", "{a}b", "a{b", "}a{", "a:b", "a#0", "#", "a b", " ", "a/b/../c", "a\\b", "a'b", 'a"b', "a`b", "a;b--"),
    *("%s", "%00", "?x=1&y", "*", "~", "null", "None", "0", "-1", "1e9", "a,b", "a|b", "a\u00a0b", "\u65e5\u672c"),
    *("\u00e9", "e\u0301", "\u0130", "\u00df", "\U0001f600", "\U0001f469\u200d\U0001f467", "\uff5e", "\uffee"),
    *("x" * 256, "\u6f22" * 256),
]


async def test_rows_of_a_megabyte_come_back_as_they_were(store: Store) -> None:
    first = create("big", messages=[MEGABYTE, b"", MEGABYTE[::-1]])
    second = follow(
        first,
        consume=1,
        events=[MEGABYTE, b"", b"\x00"],
        activities_put=[ActivityRow(0, 1, MEGABYTE)],
        reminders_put=[Reminder("big", "send-1", 5, MEGABYTE)],
        sets_custom_status=True,
        custom_status="ä" * 500_000,
    )
    assert await store.commit([first, second]) == [Outcome.APPLIED, Outcome.APPLIED]
    [found] = await store.load([place("big")])
    assert found is not None
    assert found.inbox == (b"", MEGABYTE[::-1])
    assert found.history == (MEGABYTE, b"", b"\x00")
    assert found.activities == (ActivityRow(0, 1, MEGABYTE),)
    assert found.reminders == (Reminder("big", "send-1", 5, MEGABYTE),)
    assert found.custom_status == "ä" * 500_000


async def test_every_byte_survives_in_every_kind_of_row(store: Store) -> None:
    every = [bytes([byte]) * 3 for byte in range(256)]
    first = create("bytes", messages=every)
    second = follow(
        first,
        events=every,
        activities_put=[ActivityRow(seq, 1, data) for seq, data in enumerate(every)],
        reminders_put=[Reminder("bytes", f"timer-{seq:03}", 1, data) for seq, data in enumerate(every)],
    )
    await store.commit([first, second])
    [found] = await store.load([place("bytes")])
    assert found is not None
    assert list(found.inbox) == list(found.history) == every
    assert [row.request for row in found.activities] == [row.data for row in found.reminders] == every


@pytest.mark.parametrize("instance_id", ODD_IDS, ids=ascii)
async def test_an_id_of_unusual_characters_names_one_instance(space: Space, store: Store, instance_id: str) -> None:
    first = create(
        instance_id,
        reminders_put=[Reminder(instance_id, instance_id, 0)],
        activities_put=[ActivityRow(0, 1, b"x")],
        record={"name": instance_id, "tags": {instance_id: instance_id}},
        sets_custom_status=True,
        custom_status=instance_id,
    )
    assert await store.commit([first]) == [Outcome.APPLIED]
    [found] = await store.load([place(instance_id)])
    assert found is not None
    assert (found.record, found.custom_status) == (first.record, instance_id)
    due = await store.due([partition_of(instance_id)], after=-1, until=0, limit=5)
    assert due.reminders == (Reminder(instance_id, instance_id, 0),)
    for wanted in (Filter(id_prefix=instance_id), Filter(name=instance_id)):
        assert [view.record.id for view in (await store.query(wanted, limit=5)).views] == [instance_id]
    assert await store.commit([delete(first)]) == [Outcome.APPLIED]
    assert await space.residue() == []


async def test_ids_that_look_alike_are_different_instances(store: Store) -> None:
    await store.commit([create(instance_id, messages=[instance_id.encode()]) for instance_id in ODD_IDS])
    found = await store.load([place(instance_id) for instance_id in ODD_IDS])
    assert [stored and stored.inbox for stored in found] == [(instance_id.encode(),) for instance_id in ODD_IDS]
    views = (await store.query(Filter(), limit=99)).views
    assert [view.record.id for view in views] == sorted(ODD_IDS)


async def test_times_and_counters_of_63_bits_are_kept(store: Store) -> None:
    top = 2**63 - 1
    record = {"created_at": top - 1, "updated_at": top, "completed_at": top, "generation": top, "sends": top}
    first = create("top", record=record, reminders_put=[Reminder("top", "late", top)])
    await store.commit([first])
    assert first.record is not None
    expected = Stored(record=first.record, inbox=(b"start",), reminders=(Reminder("top", "late", top),))
    assert list(await store.load([place("top")])) == [expected]
    assert (await store.due(range(16), after=top - 1, until=top, limit=2)).reminders == (Reminder("top", "late", top),)
    page = await store.query(Filter(created_from=top - 1, by_completion=True, completed_from=top), limit=5)
    assert [view.record.id for view in page.views] == ["top"]
