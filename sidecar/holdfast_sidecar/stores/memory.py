"""A store in dicts, for tests and simulation: exact, deterministic, never waiting.

`Memory` is the disk, `MemoryStore` a client of it. Values are frozen, so they are kept and given back as they are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import TypeAlias

from holdfast_sidecar.core.state import ActivityRow, Commit, Filter, Page, Record, Reminder, Stored, View
from holdfast_sidecar.stores.contract import Due, Outcome, StoreMismatch
from holdfast_sidecar.stores.cursor import decode_cursor, encode_cursor
from holdfast_sidecar.stores.matching import matches
from holdfast_sidecar.stores.views import end_row, start_row

_When: TypeAlias = tuple[int, str, str]  # due_at, instance_id, name


@dataclass(slots=True)
class _Cell:
    """All rows of one instance."""

    record: Record
    custom_status: str | None = None
    inbox: dict[int, bytes] = field(default_factory=dict[int, bytes])
    history: dict[int, bytes] = field(default_factory=dict[int, bytes])
    activities: dict[tuple[int, int], ActivityRow] = field(default_factory=dict[tuple[int, int], ActivityRow])
    reminders: dict[str, Reminder] = field(default_factory=dict[str, Reminder])


@dataclass(slots=True)
class Memory:
    """What several clients share. `identity` is (namespace, partitions, layout version) once it was opened."""

    identity: tuple[str, int, int] | None = None
    fences: dict[int, int] = field(default_factory=dict[int, int])
    cells: dict[str, _Cell] = field(default_factory=dict[str, _Cell])
    due: dict[int, list[_When]] = field(default_factory=dict[int, list[_When]])
    created: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    completed: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


class MemoryStore:
    LAYOUT = 1

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = Memory() if memory is None else memory

    async def open(self, *, namespace: str, partitions: int) -> None:
        wanted = (namespace, partitions, self.LAYOUT)
        found = self.memory.identity or wanted
        if found != wanted:
            raise StoreMismatch(
                f"memory store: expected (namespace, partitions, layout) {wanted}, found {found}; "
                "open it with the values it was made with"
            )
        self.memory.identity = wanted

    async def close(self) -> None:
        """Nothing to give back; the memory stays for the next client."""

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        fences = self.memory.fences
        held = [partition for partition in partitions if fences.get(partition, 0) <= epoch]
        fences.update(dict.fromkeys(held, epoch))
        return held

    async def commit(self, commits: Sequence[Commit]) -> Sequence[Outcome]:
        return [self.apply(commit) for commit in commits]

    def apply(self, commit: Commit) -> Outcome:
        memory = self.memory
        if memory.fences.get(commit.partition, 0) > commit.epoch:
            return Outcome.FENCED
        cell = memory.cells.get(commit.instance_id)
        if (cell.record.version if cell else 0) != commit.expected_version:
            return Outcome.CONFLICT
        if commit.record is None:
            self._delete(commit)
        else:
            self._write(commit, commit.record, cell)
        return Outcome.APPLIED

    def _delete(self, commit: Commit) -> None:
        cell = self.memory.cells.pop(commit.instance_id, None)
        if cell is not None:
            self._clear_reminders(cell, commit.partition)
            self._unlist(cell.record)

    def _write(self, commit: Commit, record: Record, cell: _Cell | None) -> None:
        if cell is None:
            cell = self.memory.cells[record.id] = _Cell(record)
            self._list(record)
        elif _places(cell.record) != _places(record):
            self._unlist(cell.record)
            self._list(record)
        cell.record = record
        self._write_rows(commit, cell)
        self._write_reminders(commit, cell)

    def _write_rows(self, commit: Commit, cell: _Cell) -> None:
        if commit.resets_history:
            cell.history.clear()
        cell.history.update(enumerate(commit.history_append, 0 if commit.resets_history else commit.history_first))
        for row in range(*commit.inbox_consumed):
            cell.inbox.pop(row, None)
        cell.inbox.update(enumerate(commit.inbox_append, commit.inbox_first))
        if commit.sets_custom_status:
            cell.custom_status = commit.custom_status
        if commit.clears_activities:
            cell.activities.clear()
        for seq_generation in commit.activities_delete:
            cell.activities.pop(seq_generation, None)
        cell.activities.update(((row.seq, row.generation), row) for row in commit.activities_put)

    def _write_reminders(self, commit: Commit, cell: _Cell) -> None:
        for name in commit.reminders_delete:
            self._drop_reminder(cell, commit.partition, name)
        for reminder in commit.reminders_put:
            self._drop_reminder(cell, commit.partition, reminder.name)
            cell.reminders[reminder.name] = reminder
            insort(self.memory.due.setdefault(commit.partition, []), _when(reminder))

    def _clear_reminders(self, cell: _Cell, partition: int) -> None:
        for name in list(cell.reminders):
            self._drop_reminder(cell, partition, name)

    def _drop_reminder(self, cell: _Cell, partition: int, name: str) -> None:
        reminder = cell.reminders.pop(name, None)
        if reminder is not None:
            rows = self.memory.due[partition]
            del rows[bisect_left(rows, _when(reminder))]
            if not rows:
                del self.memory.due[partition]

    def _list(self, record: Record) -> None:
        insort(self.memory.created, (record.created_at, record.id))
        if record.completed_at is not None:
            insort(self.memory.completed, (record.completed_at, record.id))

    def _unlist(self, record: Record) -> None:
        del self.memory.created[bisect_left(self.memory.created, (record.created_at, record.id))]
        if record.completed_at is not None:
            del self.memory.completed[bisect_left(self.memory.completed, (record.completed_at, record.id))]

    async def load(self, instances: Sequence[tuple[int, str]]) -> Sequence[Stored | None]:
        return [self.stored(instance_id) for _, instance_id in instances]

    def stored(self, instance_id: str) -> Stored | None:
        cell = self.memory.cells.get(instance_id)
        if cell is None:
            return None
        return Stored(
            record=cell.record,
            custom_status=cell.custom_status,
            inbox=_in_order(cell.inbox),
            history=_in_order(cell.history),
            activities=tuple(row for _, row in sorted(cell.activities.items())),
            reminders=tuple(reminder for _, reminder in sorted(cell.reminders.items())),
        )

    async def view(self, instances: Sequence[tuple[int, str]], *, payloads: bool) -> Sequence[View | None]:
        return [self._view(instance_id, payloads) for _, instance_id in instances]

    def _view(self, instance_id: str, payloads: bool) -> View | None:
        cell = self.memory.cells.get(instance_id)
        if cell is None:
            return None
        if not payloads:
            return View(record=cell.record, custom_status=cell.custom_status)
        is_in_inbox, row = start_row(cell.record)
        end = end_row(cell.record)
        return View(
            record=cell.record,
            custom_status=cell.custom_status,
            start=(cell.inbox if is_in_inbox else cell.history).get(row),
            end=None if end is None else cell.history.get(end),
        )

    async def history(self, partition: int, instance_id: str, *, first: int = 0, limit: int = 0) -> Sequence[bytes]:
        cell = self.memory.cells.get(instance_id)
        return _in_order(cell.history)[first : first + limit if limit else None] if cell else ()

    async def due(self, partitions: Sequence[int], *, after: int, until: int, limit: int, cursor: str = "") -> Due:
        start = decode_cursor(cursor, tuple[int, str, str]) or (after + 1, "", "")
        rows = [self._due_between(partition, start, (until + 1, "", ""), limit + 1) for partition in set(partitions)]
        found = list(islice(merge(*rows), limit + 1))
        cells = self.memory.cells
        return Due(
            reminders=tuple(cells[instance_id].reminders[name] for _, instance_id, name in found[:limit]),
            cursor=encode_cursor(found[limit - 1]) if len(found) > limit else "",
        )

    def _due_between(self, partition: int, start: _When, end: _When, limit: int) -> list[_When]:
        rows = self.memory.due.get(partition, [])
        first = bisect_right(rows, start)
        return rows[first : min(first + limit, bisect_left(rows, end, first))]

    async def query(self, wanted: Filter, *, limit: int, cursor: str = "", payloads: bool = False) -> Page:
        order = self.memory.completed if wanted.by_completion else self.memory.created
        start = decode_cursor(cursor, tuple[int, str])
        first = 0 if start is None else bisect_right(order, start)
        cells = self.memory.cells
        rows = (place for place in islice(order, first, None) if matches(cells[place[1]].record, wanted))
        found = list(islice(rows, limit + 1))
        views = (self._view(instance_id, payloads) for _, instance_id in found[:limit])
        return Page(
            views=tuple(view for view in views if view is not None),
            cursor=encode_cursor(found[limit - 1]) if len(found) > limit else "",
        )


def _when(reminder: Reminder) -> _When:
    return reminder.due_at, reminder.instance_id, reminder.name


def _places(record: Record) -> tuple[int, int | None]:
    return record.created_at, record.completed_at


def _in_order(rows: dict[int, bytes]) -> tuple[bytes, ...]:
    return tuple(rows[row] for row in sorted(rows))
