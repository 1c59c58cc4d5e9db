"""What is stored of one instance, under the keys that people know it by, for eyes and for JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Final, TypeAlias

import msgspec

from holdfast_kit.clock import to_datetime
from holdfast_sidecar.core.keys import activity_actor_id
from holdfast_sidecar.core.state import NEVER_AT, Record, Reminder, Stored

Decode: TypeAlias = Callable[[bytes], object]

_TIMES: Final = ("created_at", "updated_at", "scheduled_at", "started_at", "completed_at")


def inspect(stored: Stored, decode: Decode) -> dict[str, object]:
    """Keys in this order: metadata, customStatus, inbox-NNNNNN, history-NNNNNN, `<instance>#<seq>` with its
    activityreq-N, reminders. `decode` turns the bytes of an event into a value; a Struct is shown with its name."""
    record = stored.record
    found: dict[str, object] = {"metadata": _metadata(record)}
    if stored.custom_status is not None:
        found["customStatus"] = stored.custom_status
    found |= _numbered("inbox", record.inbox_first, stored.inbox, decode)
    found |= _numbered("history", 0, stored.history, decode)
    for row in stored.activities:
        actor = activity_actor_id(record.id, row.seq)
        requests = found.setdefault(actor, {})
        assert isinstance(requests, dict)
        requests[f"activityreq-{row.generation}"] = _readable(decode(row.request))
    if stored.reminders:
        found["reminders"] = {reminder.name: _reminder(reminder) for reminder in stored.reminders}
    return found


def _metadata(record: Record) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(record)
    fields["status"] = record.status.name
    fields |= {name: _time(at) for name in _TIMES if isinstance(at := fields.get(name), int)}
    return fields


def _numbered(kind: str, first: int, rows: Iterable[bytes], decode: Decode) -> dict[str, object]:
    return {f"{kind}-{row:06}": _readable(decode(data)) for row, data in enumerate(rows, first)}


def _readable(value: object) -> object:
    if not isinstance(value, msgspec.Struct):
        return value
    fields: dict[str, object] = msgspec.to_builtins(value)
    return {"event": type(value).__name__, **fields}


def _reminder(reminder: Reminder) -> dict[str, object]:
    due = _time(reminder.due_at) if reminder.due_at else "at recovery"
    return {"due": due, "data_bytes": len(reminder.data)}


def _time(at: int) -> str:
    """To the nanosecond, which a datetime does not hold."""
    if at >= NEVER_AT:
        return "never"
    return f"{to_datetime(at).astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at % 1_000_000_000:09}Z"
