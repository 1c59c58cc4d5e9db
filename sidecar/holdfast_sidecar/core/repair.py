"""Histories that are not simply appended to: rewind (undo the failures of a failed run), fork (begin with another run's
history), and what a recovery has to send again. All three end in the same place: what is open is dispatched anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from holdfast_proto.codec import decode_event
from holdfast_proto.history import (
    ActivityFailed,
    ActivityScheduled,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    HistoryEvent,
    Parent,
    Status,
    TimerCreated,
    TimerFired,
    TimerOrigin,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.children import start_child_message
from holdfast_sidecar.core.completion import answer_parent
from holdfast_sidecar.core.decision import Decision, Draft, Order, RunActivity, Send
from holdfast_sidecar.core.instance import Instance, Opened
from holdfast_sidecar.core.messages import Fork, Rewind
from holdfast_sidecar.core.state import NEVER_AT, ActivityRow, Record


def recover(instance: Instance) -> tuple[Order, ...]:
    """What may have been in flight when its sender died: sent again, known again by whoever had it already."""
    orders: list[Order] = []
    record = instance.record
    if record.status.is_terminal:
        return ()
    for row in sorted(instance.open.activities.values()):
        data = instance.history[row]
        event = decode_event(data)
        if isinstance(event, ActivityScheduled) and row not in instance.answered_rows:
            orders.append(RunActivity(record.id, record.execution_id, row, event, data))
    for child in sorted(instance.open.children.values(), key=lambda child: child.row):
        event = decode_event(instance.history[child.row])
        if isinstance(event, ChildScheduled) and child.row not in instance.answered_rows:
            orders.append(Send("", start_child_message(instance.record, event, child.row), event.seq, child.row))
    return tuple(orders)


def rewind(instance: Instance, reason: str | None, *, now: int, parent: Parent | None = None) -> Decision:
    """A failed run goes on from before its failures: these and their schedules are forgotten, children rewound."""
    del reason  # who asked and why is in the log; the repaired history must replay like one without the failures
    record = replace(
        instance.record,
        status=Status.RUNNING,
        completed_at=None,
        generation=instance.record.generation + 1,
        owes_turn=True,
        stall=None,
        parent=parent or instance.record.parent,
    )
    draft = Draft(instance, now=now)
    draft.reminders_delete.append(keys.RETENTION)
    kept = _without_failures([decode_event(data) for data in instance.history])
    opened = _adopt(draft, record, kept)
    for child in opened.children.values():
        event = draft.events[child.row]
        assert isinstance(event, ChildScheduled)
        start = start_child_message(record, event, child.row)
        draft.send(Rewind(instance_id=child.instance_id, event=start.event))
    return draft.finish(record, consumed=len(instance.inbox), is_awake=True)


def rebind(instance: Instance, parent: Parent, *, now: int) -> Decision:
    """A parent that was rewound asks again for a child of its: the answer must name the new place of its schedule."""
    if instance.record.status is Status.FAILED:
        return rewind(instance, None, now=now, parent=parent)
    draft = Draft(instance, now=now)
    record = replace(instance.record, parent=parent)
    if record.status.is_terminal:
        end = decode_event(instance.history[-1])
        assert isinstance(end, WorkflowCompleted)
        answer_parent(draft, parent, end.status, end.result, end.failure)
    return draft.finish(record, is_awake=record.is_awake)


def fork(message: Fork, *, partition: int, epoch: int, now: int) -> tuple[Instance, Decision]:
    history = [decode_event(data) for data in message.history]
    started = next(event for event in history if isinstance(event, WorkflowStarted))
    record = Record(
        id=message.instance_id,
        name=started.name,
        status=Status.RUNNING,
        created_at=now,
        updated_at=now,
        execution_id=started.execution_id,
        label=started.version,
        tags=started.tags,
        started_at=now,
        owes_turn=True,
    )
    instance = Instance(record, partition, epoch)
    draft = Draft(instance, now=now)
    opened = _adopt(draft, record, history)
    for child in opened.children.values():
        event = draft.events[child.row]
        assert isinstance(event, ChildScheduled)
        draft.orders.append(Send("", start_child_message(record, event, child.row), event.seq, child.row))
    return instance, draft.finish(record, is_awake=True)


def _adopt(draft: Draft, record: Record, history: Iterable[HistoryEvent]) -> Opened:
    """Makes these facts the whole history, and dispatches the activities and timers that they leave open."""
    draft.resets_history = draft.clears_activities = True
    opened = Opened()
    for event in history:
        opened.absorb(event, draft.append(event))
    for row in sorted(opened.activities.values()):
        event = draft.events[row]
        assert isinstance(event, ActivityScheduled)
        draft.activities_put.append(ActivityRow(event.seq, record.generation, draft.rows[row]))
        draft.orders.append(RunActivity(record.id, record.execution_id, row, event, draft.rows[row]))
    for row in sorted(opened.timers.values()):
        event = draft.events[row]
        assert isinstance(event, TimerCreated)
        if event.fire_at < NEVER_AT:
            draft.remind(keys.timer_name(event.seq), max(event.fire_at, 1))
    return opened


def _without_failures(history: Sequence[HistoryEvent]) -> list[HistoryEvent]:
    """The history as if what failed had not been tried: no failures, none of their schedules, no waits between tries.

    A child's schedule stays, since the child itself is rewound and will answer it.
    """
    dropped: set[int] = set()
    latest: dict[int, int] = {}
    for row, event in enumerate(history):
        match event:
            case ActivityScheduled(seq=seq):
                latest[seq] = row
            case ActivityFailed(seq=seq):
                dropped |= {row, latest[seq]}
            case ChildFailed() | WorkflowCompleted():
                dropped.add(row)
            case _:
                pass
    _drop_repeated_children(history, dropped)
    _drop_retry_waits(history, dropped)
    return [event for row, event in enumerate(history) if row not in dropped]


def _drop_repeated_children(history: Sequence[HistoryEvent], dropped: set[int]) -> None:
    """Of several tries of one child only the last stays open."""
    open_rows: dict[int, int] = {}
    for row, event in enumerate(history):
        match event:
            case ChildScheduled(seq=seq):
                if seq in open_rows:
                    dropped.add(open_rows[seq])
                open_rows[seq] = row
            case ChildCompleted(seq=seq):
                open_rows.pop(seq, None)
            case _:
                pass


def _drop_retry_waits(history: Sequence[HistoryEvent], dropped: set[int]) -> None:
    """A timer set in the turn that learned of a failure, when its firing led to a schedule that is dropped too (or
    when it says itself that it waits for a retry), belongs to the failure."""
    turn_of, turn = list[int](), -1
    for event in history:
        turn += isinstance(event, TurnStarted)
        turn_of.append(turn)
    failed_turns = {turn_of[r] for r in dropped if isinstance(history[r], ActivityFailed | ChildFailed)}
    redone_turns = {turn_of[r] for r in dropped if isinstance(history[r], ActivityScheduled | ChildScheduled)}
    fired = {event.seq: row for row, event in enumerate(history) if isinstance(event, TimerFired)}
    for row, event in enumerate(history):
        if not isinstance(event, TimerCreated) or turn_of[row] not in failed_turns:
            continue
        fired_row = fired.get(event.seq)
        is_retry = event.origin in (TimerOrigin.ACTIVITY_RETRY, TimerOrigin.CHILD_RETRY)
        if is_retry or (fired_row is not None and turn_of[fired_row] in redone_turns):
            dropped |= {row} if fired_row is None else {row, fired_row}
