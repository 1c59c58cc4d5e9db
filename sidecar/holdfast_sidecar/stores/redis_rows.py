"""Commits as arguments of the script, and answers of scripts as values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final, TypeAlias, cast

import msgspec

from holdfast_sidecar.core.state import ActivityRow, Commit, Record, Reminder, Stored, View
from holdfast_sidecar.stores.contract import Outcome
from holdfast_sidecar.stores.redis_keys import (
    PartitionKeys,
    activity_field,
    etag,
    index_text,
    parse_activity_field,
)
from holdfast_sidecar.stores.stamps import STAMP_LENGTH, stamp_exactly
from holdfast_sidecar.stores.text import is_storable

Arg: TypeAlias = str | bytes | int
Pairs: TypeAlias = Sequence[bytes]  # field, value, field, value, ...

OUTCOMES: Final = (Outcome.APPLIED, Outcome.FENCED, Outcome.CONFLICT)
_DELETE, _RESET_HISTORY, _CLEAR_ACTIVITIES = 1, 2, 4
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def commit_keys(keys: PartitionKeys, instance_id: str) -> tuple[str, ...]:
    return (
        keys.fence,
        keys.instance(instance_id),
        keys.activities(instance_id),
        keys.reminders(instance_id),
        keys.due,
        keys.index,
    )


def commit_args(commit: Commit) -> list[Arg]:
    """The item of `commit.lua`: heads, then six lists. ValueError when a value of it cannot be stored.

    Text becomes bytes here, so that one that has none fails for this commit alone.
    """
    record = commit.record
    if not is_storable(commit.instance_id):
        raise ValueError("expected an id of whole characters other than U+0000")
    heads: list[Arg] = [commit.epoch, commit.expected_version, commit.instance_id]
    if record is None:
        return [*heads, _DELETE, "", 0, 0, 0, 0, 0, 0, 0]
    lists: tuple[list[Arg], ...] = (
        _fields_set(commit, record),
        [*_fields_deleted(commit)],
        [activity_field(seq, generation) for seq, generation in commit.activities_delete],
        [*_activities(commit.activities_put)],
        [name.encode() for name in commit.reminders_delete],
        [*_reminders(commit.reminders_put)],
    )
    lengths = [*map(len, lists)]
    return [*heads, _flags(commit), index_text(record).encode(), sum(lengths), *lengths, *chain.from_iterable(lists)]


def weight(commit: Commit) -> int:
    """Bytes of payload, roughly: what tells a heavy commit from a light one."""
    return sum(map(len, commit.history_append)) + sum(map(len, commit.inbox_append))


def _flags(commit: Commit) -> int:
    return (_RESET_HISTORY if commit.resets_history else 0) | (_CLEAR_ACTIVITIES if commit.clears_activities else 0)


def _fields_deleted(commit: Commit) -> list[str]:
    first, stop = commit.inbox_consumed
    gone = [f"inbox-{row:06d}" for row in range(first, stop)]
    if commit.sets_custom_status and commit.custom_status is None:
        gone.append("customStatus")
    return gone


def _fields_set(commit: Commit, record: Record) -> list[Arg]:
    fields: list[Arg] = ["metadata", _encode(record), "etag", etag(record)]
    for row, event in enumerate(commit.history_append, 0 if commit.resets_history else commit.history_first):
        fields += (f"history-{row:06d}", event)
    for row, message in enumerate(commit.inbox_append, commit.inbox_first):
        fields += (f"inbox-{row:06d}", message)
    if commit.sets_custom_status and commit.custom_status is not None:
        fields += ("customStatus", commit.custom_status.encode())
    return fields


def _activities(rows: Sequence[ActivityRow]) -> Iterator[Arg]:
    for row in rows:
        yield activity_field(row.seq, row.generation)
        yield row.request


def _reminders(reminders: Sequence[Reminder]) -> Iterator[Arg]:
    for reminder in reminders:
        yield reminder.name.encode()
        yield stamp_exactly(reminder.due_at).encode() + reminder.data


def stored(answer: object, instance_id: str) -> Stored | None:
    """An answer of `load.lua`."""
    if answer is None:
        return None
    state, activities, reminders = cast("list[Pairs]", answer)
    fields = dict(zip(state[::2], state[1::2], strict=True))
    record = _decode(fields[b"metadata"])
    custom = fields.get(b"customStatus")
    inbox = range(record.inbox_first, record.inbox_first + record.inbox_length)
    return Stored(
        record=record,
        custom_status=None if custom is None else custom.decode(),
        inbox=tuple(fields[b"inbox-%06d" % row] for row in inbox),
        history=tuple(fields[b"history-%06d" % row] for row in range(record.history_length)),
        activities=_read_activities(activities),
        reminders=_read_reminders(reminders, instance_id),
    )


def _read_activities(pairs: Pairs) -> tuple[ActivityRow, ...]:
    keyed = sorted(
        (parse_activity_field(field.decode()), request) for field, request in zip(pairs[::2], pairs[1::2], strict=True)
    )
    return tuple(ActivityRow(seq, generation, request) for (seq, generation), request in keyed)


def _read_reminders(pairs: Pairs, instance_id: str) -> tuple[Reminder, ...]:
    found = (
        Reminder(instance_id, name.decode(), int(row[:STAMP_LENGTH]), row[STAMP_LENGTH:])
        for name, row in zip(pairs[::2], pairs[1::2], strict=True)
    )
    return tuple(sorted(found, key=lambda reminder: reminder.name))


def reminder_row(due: tuple[int, str, str], row: object) -> Reminder | None:
    """None when the reminder has gone or moved since its place in the order was read."""
    due_at, instance_id, name = due
    if row is None:
        return None
    data = cast("bytes", row)
    return Reminder(instance_id, name, due_at, data[STAMP_LENGTH:]) if int(data[:STAMP_LENGTH]) == due_at else None


def view(answer: object) -> View | None:
    """An answer of `view.lua`."""
    if answer is None:
        return None
    metadata, custom, *rows = cast("list[bytes | None]", answer)
    start, end = rows or (None, None)
    custom_status = None if custom is None else custom.decode()
    return View(record=_decode(metadata or b""), custom_status=custom_status, start=start, end=end)
