"""Commits as SQL statements inside a transaction that somebody else begins and ends.

The guard of a commit (fence and version) stands in the statement that writes its instance row, and nothing else of it
is written before that statement has changed a row. All rows of a batch are gathered and written table by table; an
instance that comes twice in a batch flushes what was gathered, so order is kept where it can be seen. Instance rows are
gathered, too, in the hope that no guard refuses; when the number of changed rows says that one did, the batch is to be
rolled back and written again one by one (`Refused`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import apsw
import msgspec

from holdfast_sidecar.core.state import Commit, Record
from holdfast_sidecar.stores.contract import Outcome, StoreError
from holdfast_sidecar.stores.sqlite_rows import Rows, Select, Value
from holdfast_sidecar.stores.sqlite_schema import ROW_BITS

KNOWN_MAX: Final = 10_000  # awake instances whose key is remembered; one that is not costs one look-up

_NOT_FENCED: Final = "NOT EXISTS (SELECT 1 FROM fence WHERE partition = ? AND epoch > ?)"
_INSERT: Final = f"INSERT INTO instance SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE {_NOT_FENCED}"
# The columns that lists are ordered and filtered by are left alone when they stay: an index is then not touched.
_UPDATE: Final = f"UPDATE instance SET version = ?, metadata = ? WHERE key = ? AND version = ? AND {_NOT_FENCED}"
_UPDATE_LISTED: Final = (
    "UPDATE instance SET version = ?, metadata = ?, status = ?, created_at = ?, completed_at = ?, name = ? "
    f"WHERE key = ? AND version = ? AND {_NOT_FENCED}"
)
_DELETE: Final = f"DELETE FROM instance WHERE key = ? AND version = ? AND {_NOT_FENCED}"
_LOOK_UP: Final = Select[tuple[int, int, int, int | None, str]](
    "SELECT key, status, created_at, completed_at, name FROM instance WHERE id = ?"
)
_FENCE: Final = Value[int]("SELECT epoch FROM fence WHERE partition = ?")
_FENCES: Final = Select[tuple[int, int]]("SELECT partition, epoch FROM fence")

_Listed: TypeAlias = tuple[int, int, int | None, str]  # status, created_at, completed_at, name as stored


class Refused(Exception):
    """A guard refused one of a batch."""


class _Known:
    """What is remembered of a stored instance."""

    __slots__ = ("key", "listed")

    def __init__(self, key: int, listed: _Listed) -> None:
        self.key = key
        self.listed = listed


class Writer:
    """`outcomes` may be called for several batches of one transaction. `forget` after every rollback."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._rows = Rows(connection)
        self._execute = self._rows.run
        self._changes = connection.changes
        self._encode = msgspec.json.Encoder().encode
        self._known: dict[str, _Known] = {}
        self._next_key = 1 + (self._rows.value(Value[int]("SELECT max(key) FROM instance")) or 0)
        self._gathered = _Gathered()
        self._total_changes = connection.total_changes
        self._is_hopeful = False

    def outcomes(self, commits: Sequence[Commit], *, one_by_one: bool = False) -> list[Outcome]:
        """Raises Refused when one of several was refused and it cannot be told which: the transaction is then void."""
        self._is_hopeful = len(commits) > 1 and not one_by_one
        found = [self._apply(commit) for commit in commits]
        self._flush()
        return found

    def raise_fences(self, partitions: Sequence[int], epoch: int) -> list[int]:
        fences = dict(self._rows.all(_FENCES))
        held = [partition for partition in partitions if fences.get(partition, 0) <= epoch]
        self._rows.run_each("REPLACE INTO fence VALUES (?, ?)", [(partition, epoch) for partition in held])
        return held

    def forget(self) -> None:
        """What was learned inside a transaction that did not happen is not true."""
        self._known.clear()
        self._gathered = _Gathered()

    def _apply(self, commit: Commit) -> Outcome:
        if self._write(commit, self._known.get(commit.instance_id) or self._look_up(commit.instance_id)):
            return Outcome.APPLIED
        return Outcome.FENCED if self._is_fenced(commit) else Outcome.CONFLICT

    def _write(self, commit: Commit, known: _Known | None) -> bool:
        """False when a guard refused; nothing was written then."""
        record = commit.record
        if known is None and commit.expected_version == 0:
            return self._insert(commit, record) if record else not self._is_fenced(commit)
        if known is None or commit.expected_version == 0:
            return False
        return self._update(commit, record, known) if record else self._delete(commit, known.key)

    def _is_fenced(self, commit: Commit) -> bool:
        fence = self._rows.value(_FENCE, (commit.partition,))
        return fence is not None and fence > commit.epoch

    def _look_up(self, instance_id: str) -> _Known | None:
        row = self._rows.first(_LOOK_UP, (instance_id,))
        if row is None:
            return None
        key, status, created_at, completed_at, name = row
        return self._remember(instance_id, _Known(key, (status, created_at, completed_at, name)))

    def _remember(self, instance_id: str, known: _Known) -> _Known:
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[instance_id] = known
        return known

    def _insert(self, commit: Commit, record: Record) -> bool:
        key, status = self._next_key, int(record.status)
        self._execute(
            _INSERT,
            (
                key,
                record.version,
                status,
                record.created_at,
                record.completed_at,
                commit.partition,
                record.id,
                record.name,
                self._encode(record),
                commit.partition,
                commit.epoch,
            ),
        )
        if self._changes() != 1:
            return False
        self._next_key = key + 1
        listed = (status, record.created_at, record.completed_at, record.name)
        self._remember(commit.instance_id, _Known(key, listed))
        self._gather(commit, key)
        return True

    def _update(self, commit: Commit, record: Record, known: _Known) -> bool:
        key = known.key
        listed = (int(record.status), record.created_at, record.completed_at, record.name)
        guard = (key, commit.expected_version, commit.partition, commit.epoch)
        if key in self._gathered.keys:
            self._flush()
        if listed != known.listed:
            self._execute(_UPDATE_LISTED, (record.version, self._encode(record), *listed, *guard))
            if self._changes() != 1:
                return False
            known.listed = listed
        elif self._is_hopeful:
            self._gathered.updates.append((record.version, self._encode(record), *guard))
        else:
            self._execute(_UPDATE, (record.version, self._encode(record), *guard))
            if self._changes() != 1:
                return False
        self._clear(commit, key)
        self._gather(commit, key)
        if not record.is_awake:  # it waits for nothing in flight, or has ended: nothing of it need stay in memory
            self._known.pop(commit.instance_id, None)
        return True

    def _delete(self, commit: Commit, key: int) -> bool:
        if key in self._gathered.keys:
            self._flush()
        self._execute(_DELETE, (key, commit.expected_version, commit.partition, commit.epoch))
        if self._changes() != 1:
            return False
        self._known.pop(commit.instance_id, None)
        self._delete_history(key)
        for table in ("inbox", "custom_status", "activity", "reminder"):
            self._execute(f"DELETE FROM {table} WHERE key = ?", (key,))
        return True

    def _delete_history(self, key: int) -> None:
        span = (key << ROW_BITS, key + 1 << ROW_BITS)
        self._execute("DELETE FROM history WHERE key_row >= ? AND key_row < ?", span)

    def _clear(self, commit: Commit, key: int) -> None:
        if commit.resets_history:
            self._delete_history(key)
        if commit.clears_activities:
            self._execute("DELETE FROM activity WHERE key = ?", (key,))

    def _gather(self, commit: Commit, key: int) -> None:
        gathered = self._gathered
        gathered.keys.add(key)
        if events := commit.history_append:
            first = 0 if commit.resets_history else commit.history_first
            if first + len(events) >> ROW_BITS:
                raise StoreError(f"instance {commit.instance_id!r}: a history ends at row {(1 << ROW_BITS) - 1}")
            gathered.history.extend(enumerate(events, (key << ROW_BITS) + first))
        gone_from, gone_to = commit.inbox_consumed
        if gone_from < gone_to:
            gathered.inbox_gone.append((key, gone_from, gone_to))
        if commit.inbox_append:
            rows = enumerate(commit.inbox_append, commit.inbox_first)
            gathered.inbox.extend([(key, row, message) for row, message in rows])
        if commit.activities_delete:
            gathered.activities_gone.extend([(key, *activity) for activity in commit.activities_delete])
        if commit.activities_put:
            gathered.activities.extend([(key, row.seq, row.generation, row.request) for row in commit.activities_put])
        if commit.reminders_delete:
            gathered.reminders_gone.extend([(key, name) for name in commit.reminders_delete])
        if commit.reminders_put:
            gathered.reminders.extend(
                [
                    (key, row.name, row.due_at, commit.partition, commit.instance_id, row.data)
                    for row in commit.reminders_put
                ]
            )
        if commit.sets_custom_status:
            gathered.custom_status.append((key, commit.custom_status))

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, _Gathered()
        many = self._rows.run_each
        if gathered.updates:
            before = self._total_changes()
            many(_UPDATE, gathered.updates)
            if self._total_changes() - before != len(gathered.updates):
                raise Refused
        if gathered.history:
            many("REPLACE INTO history VALUES (?, ?)", gathered.history)
        if gathered.inbox_gone:
            many("DELETE FROM inbox WHERE key = ? AND row >= ? AND row < ?", gathered.inbox_gone)
        if gathered.inbox:
            many("REPLACE INTO inbox VALUES (?, ?, ?)", gathered.inbox)
        if gathered.activities_gone:
            many("DELETE FROM activity WHERE key = ? AND seq = ? AND generation = ?", gathered.activities_gone)
        if gathered.activities:
            many("REPLACE INTO activity VALUES (?, ?, ?, ?)", gathered.activities)
        if gathered.reminders_gone:
            many("DELETE FROM reminder WHERE key = ? AND name = ?", gathered.reminders_gone)
        if gathered.reminders:
            many("REPLACE INTO reminder VALUES (?, ?, ?, ?, ?, ?)", gathered.reminders)
        for key, value in gathered.custom_status:
            if value is None:
                self._execute("DELETE FROM custom_status WHERE key = ?", (key,))
            else:
                self._execute("REPLACE INTO custom_status VALUES (?, ?)", (key, value))


class _Gathered:
    """Rows of a batch that wait for their table's turn, and the keys they belong to."""

    __slots__ = (
        "activities",
        "activities_gone",
        "custom_status",
        "history",
        "inbox",
        "inbox_gone",
        "keys",
        "reminders",
        "reminders_gone",
        "updates",
    )

    def __init__(self) -> None:
        self.keys: set[int] = set()
        self.updates: list[tuple[int, bytes, int, int, int, int]] = []
        self.history: list[tuple[int, bytes]] = []
        self.inbox: list[tuple[int, int, bytes]] = []
        self.inbox_gone: list[tuple[int, int, int]] = []
        self.activities: list[tuple[int, int, int, bytes]] = []
        self.activities_gone: list[tuple[int, int, int]] = []
        self.reminders: list[tuple[int, str, int, int, str, bytes]] = []
        self.reminders_gone: list[tuple[int, str]] = []
        self.custom_status: list[tuple[int, str | None]] = []
