"""Which rows a view shows as an instance's input and output. The same for every store."""

from __future__ import annotations

from holdfast_sidecar.core.state import Record

_START_ROW = 1  # row 0 is the TurnStarted of the first turn


def start_row(record: Record) -> tuple[bool, int]:
    """Where WorkflowStarted lies: (whether in the inbox, the row)."""
    return (False, _START_ROW) if record.history_length else (True, record.inbox_first)


def end_row(record: Record) -> int | None:
    """The history row that says how the instance ended; None while it goes on, or when it ended without a turn."""
    return record.history_length - 1 if record.status.is_terminal and record.history_length else None
