"""The history of a failed run as if what failed had not been tried, so that the code, replayed, tries it again.

A failure that a later attempt of the same call made good is no reason for the run's failure: the code went on from
there, and its history stays as it was. Every other failure goes, with its attempts and the waits between them. Of a
child the first attempt's schedule stays, since that child is rewound itself and will answer it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ActivityScheduled,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    HistoryEvent,
    TimerCreated,
    TimerFired,
    TimerOrigin,
    TurnStarted,
    WorkflowCompleted,
)

_Call: TypeAlias = tuple[str, str, str | None]


class _Attempt(Struct):
    """One schedule and its answer. `is_repeat`: it was made because an earlier attempt of the same call had failed."""

    row: int
    call: _Call
    is_child: bool
    answer_row: int = -1
    has_failed: bool = False
    is_repeat: bool = False


def without_failures(history: Sequence[HistoryEvent]) -> list[HistoryEvent]:
    attempts = _attempts(history)
    failures = [attempt for attempt in attempts if attempt.has_failed and not _is_made_good(attempt, attempts)]
    _mark_repeats(failures)
    dropped = {row for row, event in enumerate(history) if isinstance(event, WorkflowCompleted)}
    for attempt in failures:
        dropped.add(attempt.answer_row)
        if attempt.is_repeat or not attempt.is_child:
            dropped.add(attempt.row)
    dropped |= _waits_between(history, dropped)
    return [event for row, event in enumerate(history) if row not in dropped]


def _attempts(history: Sequence[HistoryEvent]) -> list[_Attempt]:
    found: list[_Attempt] = []
    latest: dict[tuple[bool, int], _Attempt] = {}
    for row, event in enumerate(history):
        match event:
            case ActivityScheduled(seq=seq) | ChildScheduled(seq=seq):
                is_child = isinstance(event, ChildScheduled)
                attempt = _Attempt(row, ("child" if is_child else "activity", event.name, event.input), is_child)
                latest[is_child, seq] = attempt
                found.append(attempt)
            case ActivityCompleted(seq=seq) | ActivityFailed(seq=seq) | ChildCompleted(seq=seq) | ChildFailed(seq=seq):
                attempt = latest[isinstance(event, ChildCompleted | ChildFailed), seq]
                attempt.answer_row = row
                attempt.has_failed = isinstance(event, ActivityFailed | ChildFailed)
            case _:
                pass
    return found


def _is_made_good(failed: _Attempt, attempts: Sequence[_Attempt]) -> bool:
    return any(
        other.call == failed.call and other.row > failed.answer_row and other.answer_row >= 0 and not other.has_failed
        for other in attempts
    )


def _mark_repeats(failures: Sequence[_Attempt]) -> None:
    """Each failure explains at most one later attempt of its call; calls alike that ran side by side explain none."""
    unexplained = list[_Attempt]()
    for attempt in failures:
        cause = next((f for f in unexplained if f.call == attempt.call and f.answer_row < attempt.row), None)
        if cause is not None:
            unexplained.remove(cause)
            attempt.is_repeat = True
        unexplained.append(attempt)


def _waits_between(history: Sequence[HistoryEvent], dropped: set[int]) -> set[int]:
    """Timers set in a turn that learned of a dropped failure, when their firing led to a dropped attempt or when they
    say themselves that they wait for one."""
    turn_of, turn = list[int](), -1
    for event in history:
        turn += isinstance(event, TurnStarted)
        turn_of.append(turn)
    failed_turns = {turn_of[row] for row in dropped if isinstance(history[row], ActivityFailed | ChildFailed)}
    repeated_turns = {turn_of[row] for row in dropped if isinstance(history[row], ActivityScheduled | ChildScheduled)}
    waits = set[int]()
    for row, event in enumerate(history):
        if not isinstance(event, TimerCreated) or turn_of[row] not in failed_turns:
            continue
        fired_row = _fired_row(history, row, event.seq)
        is_retry = event.origin in (TimerOrigin.ACTIVITY_RETRY, TimerOrigin.CHILD_RETRY)
        if is_retry or (fired_row >= 0 and turn_of[fired_row] in repeated_turns):
            waits |= {row, fired_row} - {-1}
    return waits


def _fired_row(history: Sequence[HistoryEvent], created_row: int, seq: int) -> int:
    for row in range(created_row + 1, len(history)):
        event = history[row]
        if isinstance(event, TimerFired) and event.seq == seq:
            return row
        if isinstance(event, TimerCreated) and event.seq == seq:
            break
    return -1
