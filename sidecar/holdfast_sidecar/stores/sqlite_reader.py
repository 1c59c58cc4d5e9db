"""Reads, each in one transaction, so that what it sees is one moment. Only what is committed is seen."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from holdfast_sidecar.core.state import ActivityRow, Filter, Page, Record, Reminder, Stored, View
from holdfast_sidecar.stores.contract import Due
from holdfast_sidecar.stores.cursor import decode_cursor, encode_cursor
from holdfast_sidecar.stores.sqlite_query import page_keys
from holdfast_sidecar.stores.sqlite_rows import Rows, Select, Value
from holdfast_sidecar.stores.sqlite_schema import ROW_BITS
from holdfast_sidecar.stores.views import end_row, start_row

_RECORD: Final = Select[tuple[int, bytes]]("SELECT key, metadata FROM instance WHERE id = ?")
_RECORD_BY_KEY: Final = Select[tuple[int, bytes]]("SELECT key, metadata FROM instance WHERE key = ?")
_CUSTOM_STATUS: Final = Value[str]("SELECT value FROM custom_status WHERE key = ?")
_HISTORY: Final = Select[tuple[bytes]]("SELECT event FROM history WHERE key_row >= ? AND key_row < ? ORDER BY key_row")
_ONE_EVENT: Final = Value[bytes]("SELECT event FROM history WHERE key_row = ?")
_INBOX: Final = Select[tuple[bytes]]("SELECT message FROM inbox WHERE key = ? ORDER BY row")
_ONE_MESSAGE: Final = Value[bytes]("SELECT message FROM inbox WHERE key = ? AND row = ?")
_ACTIVITIES: Final = Select[tuple[int, int, bytes]](
    "SELECT seq, generation, request FROM activity WHERE key = ? ORDER BY seq, generation"
)
_REMINDERS: Final = Select[tuple[str, str, int, bytes]](
    "SELECT id, name, due_at, data FROM reminder WHERE key = ? ORDER BY name"
)
_DUE: Final = (
    "SELECT id, name, due_at, data FROM reminder INDEXED BY reminder_due "
    "WHERE due_at >= ? AND due_at <= ? AND (due_at, id, name) > (?, ?, ?) {} ORDER BY due_at, id, name LIMIT ?"
)


class Reader:
    """For one thread at a time."""

    def __init__(self, rows: Rows, *, partitions: int) -> None:
        self._rows = rows
        self._partitions = partitions
        self._decode = msgspec.json.Decoder(Record).decode

    def load(self, instance_ids: Sequence[str]) -> list[Stored | None]:
        with self._moment():
            return [self._stored(instance_id) for instance_id in instance_ids]

    def _stored(self, instance_id: str) -> Stored | None:
        rows = self._rows
        row = rows.first(_RECORD, (instance_id,))
        if row is None:
            return None
        key, record = row[0], self._decode(row[1])
        return Stored(
            record=record,
            custom_status=rows.value(_CUSTOM_STATUS, (key,)),
            inbox=_only(rows.all(_INBOX, (key,))) if record.inbox_length else (),
            history=_only(self._events(key, 0, 0)) if record.history_length else (),
            activities=tuple([ActivityRow(*row) for row in rows.all(_ACTIVITIES, (key,))]),
            reminders=tuple([Reminder(*row) for row in rows.all(_REMINDERS, (key,))]),
        )

    def view(self, instance_ids: Sequence[str], *, payloads: bool) -> list[View | None]:
        with self._moment():
            return [self._view(_RECORD, instance_id, payloads) for instance_id in instance_ids]

    def _view(self, statement: Select[tuple[int, bytes]], name: str | int, payloads: bool) -> View | None:
        row = self._rows.first(statement, (name,))
        if row is None:
            return None
        key, record = row[0], self._decode(row[1])
        custom_status = self._rows.value(_CUSTOM_STATUS, (key,))
        if not payloads:
            return View(record=record, custom_status=custom_status)
        start, end = self._payloads(key, record)
        return View(record=record, custom_status=custom_status, start=start, end=end)

    def _payloads(self, key: int, record: Record) -> tuple[bytes | None, bytes | None]:
        is_in_inbox, first = start_row(record)
        last = end_row(record)
        return (
            self._rows.value(_ONE_MESSAGE, (key, first)) if is_in_inbox else self._event(key, first),
            None if last is None else self._event(key, last),
        )

    def _event(self, key: int, row: int) -> bytes | None:
        return self._rows.value(_ONE_EVENT, ((key << ROW_BITS) + row,))

    def history(self, instance_id: str, *, first: int, limit: int) -> tuple[bytes, ...]:
        with self._moment():
            row = self._rows.first(_RECORD, (instance_id,))
            return () if row is None else _only(self._events(row[0], first, limit))

    def _events(self, key: int, first: int, limit: int) -> list[tuple[bytes]]:
        start, end = (key << ROW_BITS) + first, key + 1 << ROW_BITS
        return self._rows.all(_HISTORY, (start, min(start + limit, end) if limit else end))

    def due(self, partitions: Sequence[int], *, after: int, until: int, limit: int, cursor: str) -> Due:
        start = decode_cursor(cursor, tuple[int, str, str]) or (after + 1, "", "")
        asked = sorted(set(partitions))
        chosen = "" if len(asked) >= self._partitions else f"AND partition IN ({', '.join('?' * len(asked))})"
        bound = (start[0], until, *start, *(asked if chosen else ()), limit + 1)
        rows = self._rows.all(Select[tuple[str, str, int, bytes]](_DUE.format(chosen)), bound)
        found = tuple([Reminder(*row) for row in rows[:limit]])
        is_more = len(rows) > limit
        return Due(found, encode_cursor((found[-1].due_at, found[-1].instance_id, found[-1].name)) if is_more else "")

    def query(self, wanted: Filter, *, limit: int, cursor: str, payloads: bool) -> Page:
        after = decode_cursor(cursor, tuple[int, str])
        with self._moment():
            rows = page_keys(self._rows, wanted, after=after, limit=limit + 1)
            views = [self._view(_RECORD_BY_KEY, key, payloads) for key, _, _ in rows[:limit]]
        return Page(
            views=tuple([view for view in views if view is not None]),
            cursor=encode_cursor(rows[limit - 1][1:]) if len(rows) > limit else "",
        )

    @contextmanager
    def _moment(self) -> Generator[None]:
        self._rows.run("BEGIN", ())
        try:
            yield
        finally:
            self._rows.run("COMMIT", ())


def _only(rows: list[tuple[bytes]]) -> tuple[bytes, ...]:
    return tuple([row[0] for row in rows])
