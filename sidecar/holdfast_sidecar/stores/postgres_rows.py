"""Commits as arrays for the function, and rows as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import ActivityRow, Commit, Record, Reminder, Stored, View
from holdfast_sidecar.stores.contract import Outcome
from holdfast_sidecar.stores.stamps import stamp_exactly

OUTCOMES: Final = (Outcome.APPLIED, Outcome.FENCED, Outcome.CONFLICT)
_SETS_CUSTOM, _RESETS, _CLEARS_ACTIVITIES = 1, 2, 4
_NOTHING: Final = Record(id="", name="", status=Status.RUNNING, created_at=0, updated_at=0, execution_id="")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def waves(commits: Sequence[Commit]) -> Iterator[Sequence[Commit]]:
    """The commits in order, in groups where no instance occurs twice: the function applies a group at once."""
    group = dict[str, Commit]()
    for commit in commits:
        if commit.instance_id in group:
            yield list(group.values())
            group = {}
        group[commit.instance_id] = commit
    if group:
        yield list(group.values())


class Batch:
    """The arguments of one call of the function: columns of items, then columns of what belongs to items.

    ValueError when a value cannot be stored; what only the driver or the server finds out comes later.
    """

    def __init__(self, commits: Sequence[Commit]) -> None:
        self.heads = tuple[list[object], ...]([] for _ in range(14))
        self.clears = False
        self.consumed = _columns(3)
        self.events = _columns(3)
        self.messages = _columns(3)
        self.gone = _columns(3)
        self.activities = _columns(4)
        self.dropped = _columns(2)
        self.reminders = _columns(4)
        for item, commit in enumerate(commits, 1):
            self._add_head(commit, commit.record or _NOTHING)
            if commit.record is not None:
                self._add_rows(item, commit)

    def arguments(self) -> list[object]:
        tables = (
            self.consumed,
            self.events,
            self.messages,
            self.gone,
            self.activities,
            self.dropped,
            self.reminders,
        )
        return [*self.heads, self.clears, *(column for table in tables for column in table)]

    def _add_head(self, commit: Commit, record: Record) -> None:
        flags = _flags(commit)
        self.clears = self.clears or flags > _SETS_CUSTOM or commit.record is None
        custom = commit.custom_status if commit.sets_custom_status else None
        _add(
            self.heads,
            commit.partition,
            commit.epoch,
            commit.instance_id,
            commit.expected_version,
            record.version,
            flags,
            int(record.status),
            index_name(record.name),
            record.created_at,
            record.completed_at,
            record.history_length,
            record.inbox_first,
            _encode(record).decode(),
            None if custom is None else custom.encode(),
        )

    def _add_rows(self, item: int, commit: Commit) -> None:
        first, stop = commit.inbox_consumed
        if stop > first:
            _add(self.consumed, item, first, stop)
        for row, event in enumerate(commit.history_append, 0 if commit.resets_history else commit.history_first):
            _add(self.events, item, row, event)
        for row, message in enumerate(commit.inbox_append, commit.inbox_first):
            _add(self.messages, item, row, message)
        for seq, generation in commit.activities_delete:
            _add(self.gone, item, seq, generation)
        # By key, the last one wins: one statement may not write a row twice.
        for activity in {(row.seq, row.generation): row for row in commit.activities_put}.values():
            _add(self.activities, item, activity.seq, activity.generation, activity.request)
        for name in commit.reminders_delete:
            _add(self.dropped, item, name)
        for reminder in {row.name: row for row in commit.reminders_put}.values():
            _add(self.reminders, item, reminder.name, stamp_exactly(reminder.due_at), reminder.data)


def _columns(count: int) -> tuple[list[object], ...]:
    return tuple([] for _ in range(count))


def _add(columns: tuple[list[object], ...], *values: object) -> None:
    for column, value in zip(columns, values, strict=True):
        column.append(value)


def _flags(commit: Commit) -> int:
    return (
        (_SETS_CUSTOM if commit.sets_custom_status else 0)
        | (_RESETS if commit.resets_history else 0)
        | (_CLEARS_ACTIVITIES if commit.clears_activities else 0)
    )


def index_name(name: str) -> str:
    """The name as the index has it: text in PostgreSQL cannot hold U+0000."""
    return name.replace("\0", "\ufffd")


def stored(row: Mapping[str, Any], instance_id: str) -> Stored | None:
    """A row of `load.sql`."""
    if row["metadata"] is None:
        return None
    activities = zip(row["seqs"], row["generations"], row["requests"], strict=True)
    reminders = zip(row["names"], row["dues"], row["datas"], strict=True)
    return Stored(
        record=_decode(row["metadata"]),
        custom_status=_text(row["custom_status"]),
        inbox=tuple(row["inbox"]),
        history=tuple(row["history"]),
        activities=tuple(ActivityRow(seq, generation, request) for seq, generation, request in activities),
        reminders=tuple(Reminder(instance_id, name, int(due), data) for name, due, data in reminders),
    )


def view(row: Mapping[str, Any]) -> View | None:
    """A row of `view.sql`."""
    if row["metadata"] is None:
        return None
    return View(
        record=_decode(row["metadata"]),
        custom_status=_text(row["custom_status"]),
        start=row["start"],
        end=row["end"],
    )


def reminder(row: Mapping[str, Any]) -> Reminder:
    """A row of `due.sql`."""
    return Reminder(row["instance_id"], row["name"], int(row["due"]), row["data"])


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()
