"""Histories that are not simply appended to: rewind (undo the failures of a failed run), fork (begin with another run's
history), and what a recovery has to send again. All three end in the same place: what is open is dispatched anew."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from holdfast_proto.codec import decode_event
from holdfast_proto.history import (
    ActivityScheduled,
    ChildScheduled,
    HistoryEvent,
    Status,
    TimerCreated,
    WorkflowCompleted,
    WorkflowStarted,
)
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.children import start_child_message
from holdfast_sidecar.core.completion import answer_parent
from holdfast_sidecar.core.decision import Decision, Draft, Order, Owed, RunActivity, Send
from holdfast_sidecar.core.instance import Instance, Opened
from holdfast_sidecar.core.mend import without_failures
from holdfast_sidecar.core.messages import Fork, Rewind, decode_message
from holdfast_sidecar.core.state import NEVER_AT, ActivityRow, Record, due_time


def recover(instance: Instance) -> tuple[Order, ...]:
    """What may have been in flight when its sender died: sent again, known again by whoever had it already."""
    orders: list[Order] = []
    record = instance.record
    for name, data in instance.owed.items():
        if name in instance.confirmed:
            continue
        owed = msgspec.msgpack.decode(data, type=Owed)
        event = decode_event(owed.data)
        assert isinstance(event, ActivityScheduled)
        orders.append(RunActivity(record.id, owed.execution_id, owed.row, event, owed.data))
    if record.status.is_terminal:
        return tuple(orders)
    for row in sorted(instance.open.activities.values()):
        data = instance.history[row]
        event = decode_event(data)
        if isinstance(event, ActivityScheduled) and row not in instance.answered_rows:
            orders.append(RunActivity(record.id, record.execution_id, row, event, data))
    messages = [decode_message(data) for data in instance.outbox.values()]
    rewinding = {message.instance_id for message in messages if isinstance(message, Rewind)}
    for child in instance.unstarted_children():
        event = decode_event(instance.history[child.row])
        # A start that overtook the rewind of a child would run it from its beginning.
        if isinstance(event, ChildScheduled) and child.instance_id not in rewinding:
            orders.append(Send("", start_child_message(instance.record, event, child.row), event.seq, child.row))
    return tuple(orders)


def rewind(instance: Instance, *, now: int, by: WorkflowStarted | None = None) -> Decision:
    """A failed run goes on from before its failures: these and their schedules are forgotten, children rewound.
    `by`: what a rewound parent would start this child with."""
    record = replace(
        instance.record,
        status=Status.RUNNING,
        completed_at=None,
        generation=instance.record.generation + 1,
        owes_turn=True,
        is_repaired=True,
        stall=None,
        parent=instance.record.parent if by is None else by.parent,
        rewound_by=instance.record.rewound_by if by is None else by.execution_id,
    )
    draft = Draft(instance, now=now)
    draft.reminders_delete.append(keys.RETENTION)
    # Activities of the last turn are open again in the repaired history; there is nothing left to owe.
    own = keys.run_name(record.execution_id, "")
    draft.reminders_delete += [name for name in instance.owed if name.startswith(own)]
    kept = without_failures([decode_event(data) for data in instance.history])
    opened = _adopt(draft, record, kept)
    for child in opened.children.values():
        event = draft.events[child.row]
        assert isinstance(event, ChildScheduled)
        start = start_child_message(record, event, child.row)
        draft.send(Rewind(instance_id=child.instance_id, event=start.event))
    return draft.finish(record, consumed=len(instance.inbox), is_awake=True)


def rebind(instance: Instance, by: WorkflowStarted, *, now: int) -> Decision:
    """A parent that was rewound asks again for a child of its: the answer must name the new place of its schedule."""
    if instance.record.status is Status.FAILED:
        return rewind(instance, now=now, by=by)
    draft = Draft(instance, now=now)
    record = replace(instance.record, parent=by.parent, rewound_by=by.execution_id)
    if record.status.is_terminal:
        end = decode_event(instance.history[-1])
        assert isinstance(end, WorkflowCompleted)
        answer_parent(draft, by.parent, end.status, end.result, end.failure)
    has_arrivals = len(instance.inbox) > record.inbox_length
    return draft.finish(record, is_awake=record.is_awake or has_arrivals)


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
            draft.remind(keys.timer_name(event.seq), due_time(event.fire_at))
    return opened
