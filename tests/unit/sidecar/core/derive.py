"""The slow and simple reading of one instance: everything is counted again from all of its rows, nothing is remembered.

What the core keeps up to date step by step must always be what these functions find.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast_proto.codec import decode_event
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ActivityScheduled,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    HistoryEvent,
    TimerCanceled,
    TimerCreated,
    TimerFired,
)
from holdfast_sidecar.core.state import NEVER_AT, ActivityRow, Reminder, Stored
from holdfast_sidecar.stores.memory import MemoryStore

LAST_AT = 2**63 - 1  # stores keep times in 64 bits


def facts(rows: Sequence[bytes]) -> list[HistoryEvent]:
    return [decode_event(data) for data in rows]


def open_rows(
    history: Sequence[HistoryEvent],
    asks: type[HistoryEvent],
    answers: tuple[type[HistoryEvent], ...],
) -> dict[int, int]:
    """Schedules whose latest occurrence nobody has answered: seq -> row."""
    found: dict[int, int] = {}
    for row, event in enumerate(history):
        if isinstance(event, asks):
            seq = _seq(event)
            later = history[row + 1 :]
            if not any(isinstance(other, (asks, *answers)) and _seq(other) == seq for other in later):
                found[seq] = row
    return found


def open_activities(history: Sequence[HistoryEvent]) -> dict[int, int]:
    return open_rows(history, ActivityScheduled, (ActivityCompleted, ActivityFailed))


def open_timers(history: Sequence[HistoryEvent]) -> dict[int, int]:
    return open_rows(history, TimerCreated, (TimerFired, TimerCanceled))


def open_children(history: Sequence[HistoryEvent]) -> dict[int, int]:
    return open_rows(history, ChildScheduled, (ChildCompleted, ChildFailed))


def check_rows(store: MemoryStore, instance_id: str) -> None:
    """Rows have no gaps, and the record says where they lie."""
    cell = store.memory.cells[instance_id]
    record = cell.record
    assert sorted(cell.inbox) == list(range(record.inbox_first, record.inbox_first + record.inbox_length))
    assert sorted(cell.history) == list(range(record.history_length))
    assert record.history_bytes == sum(map(len, cell.history.values()))


def check_promises(stored: Stored) -> None:
    """Whatever a crash would lose has a row that brings it back, and nothing else has one."""
    record, history = stored.record, facts(stored.history)
    is_ended = record.status.is_terminal
    activities = {} if is_ended else open_activities(history)
    timers = {} if is_ended else open_timers(history)
    children = {} if is_ended else open_children(history)
    assert set(stored.activities) == {
        ActivityRow(seq, record.generation, stored.history[row]) for seq, row in activities.items()
    }
    reminders = {reminder.name: reminder for reminder in stored.reminders}
    assert {n: r for n, r in reminders.items() if n.startswith("timer-")} == _timers(record.id, history, timers)
    waits = record.history_length == 0 and "start" in reminders and record.inbox_length == 1
    must_wake = bool(activities or children or record.owes_turn or (stored.inbox and not waits))
    assert record.is_awake == ("wake" in reminders)
    assert record.is_awake == (must_wake and not is_ended)
    assert "start" not in reminders or (record.history_length == 0 and not is_ended)
    assert "retention" not in reminders or is_ended
    assert not is_ended or (not stored.inbox and record.completed_at is not None)


def _timers(instance_id: str, history: Sequence[HistoryEvent], timers: dict[int, int]) -> dict[str, Reminder]:
    found: dict[str, Reminder] = {}
    for seq, row in timers.items():
        event = history[row]
        assert isinstance(event, TimerCreated)
        if event.fire_at < NEVER_AT:
            due_at = min(max(event.fire_at, 1), LAST_AT)
            found[f"timer-{seq}"] = Reminder(instance_id, f"timer-{seq}", due_at)
    return found


def _seq(event: HistoryEvent) -> int:
    seq = getattr(event, "seq", None)
    assert isinstance(seq, int)
    return seq
