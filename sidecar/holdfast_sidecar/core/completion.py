"""How a generation ends: for good, or as the first inbox message of the next one."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow
from holdfast_proto.codec import decode_event, encode_event
from holdfast_proto.history import (
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    Failure,
    Parent,
    Status,
    TerminateRequested,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.children import start_child_message
from holdfast_sidecar.core.decision import Decision, Draft, RunActivity, Send, StopActivity
from holdfast_sidecar.core.instance import ANSWERS, Arrival, Instance, OpenChild
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.marks import TurnMarks
from holdfast_sidecar.core.messages import ChildAnswer, StartChild, Terminate
from holdfast_sidecar.core.state import Record


def complete(
    draft: Draft,
    action: CompleteWorkflow,
    *,
    turn: TurnMarks,
    limits: Limits,
    children_go_on: bool = True,
) -> Decision:
    """The instance has ended. What it left open is void, except children; its parent hears of it."""
    instance, record, status = draft.instance, draft.instance.record, action.status
    draft.append(
        WorkflowCompleted(at=draft.now, seq=action.seq, status=status, result=action.result, failure=action.failure)
    )
    _void_open_work(draft)
    if children_go_on:
        _start_children(draft)
    _outlive(draft)
    answer_parent(draft, record.parent, status, action.result, action.failure)
    _plan_retention(draft, status, limits)
    sets, custom_status = turn.custom_status(instance)
    ended = replace(
        record,
        status=status,
        started_at=turn.at if record.started_at is None else record.started_at,
        completed_at=draft.now,
        is_suspended=False,
        stall=None,
        attempts=0,
        owes_turn=False,
        turn_trace=b"",
        dialect=turn.dialect or record.dialect,
    )
    # What arrived meanwhile for an ended instance is dropped with the rest of its inbox.
    return draft.finish(
        ended, consumed=len(instance.inbox), is_awake=False, sets_custom_status=sets, custom_status=custom_status
    )


def continue_as_new(
    draft: Draft, action: CompleteWorkflow, *, consumed: int, turn: TurnMarks, limits: Limits
) -> Decision:
    """The next generation starts from an empty history. What was not consumed stands behind its start, except answers:
    nobody asked for them any more."""
    instance, record = draft.instance, draft.instance.record
    execution_id = keys.derived_id(record.execution_id, "next", record.generation)
    tags = record.tags if action.tags is None else action.tags
    label = record.label if action.new_version is None else action.new_version
    started = WorkflowStarted(
        at=draft.now,
        name=record.name,
        instance_id=record.id,
        execution_id=execution_id,
        version=label,
        input=action.result,
        parent=record.parent,
        tags=tags,
    )
    _void_open_work(draft)
    _start_children(draft)
    _outlive(draft)
    draft.resets_history = True
    draft.events, draft.rows, draft.bytes_added = [], [], 0
    front = [Arrival(started, encode_event(started))]
    front += [Arrival(event, encode_event(event)) for event in action.carryover]
    front += [arrival for arrival in instance.inbox[consumed:] if not isinstance(arrival.event, ANSWERS)]
    sets, custom_status = turn.custom_status(instance)
    return draft.finish(
        replace(
            record,
            status=Status.SUSPENDED if record.is_suspended else Status.RUNNING,
            generation=record.generation + 1,
            execution_id=execution_id,
            first_execution_id=record.first_execution_id or record.execution_id,
            label=label,
            tags=tags,
            scheduled_at=None,
            started_at=turn.at if record.started_at is None else record.started_at,
            stall=None,
            attempts=0,
            owes_turn=False,
            is_repaired=False,
            turn_trace=b"",
            dialect=turn.dialect or record.dialect,
            seen_sources=tuple(instance.open.sources)[-limits.seen_sources_max :],
        ),
        consumed=len(instance.inbox),
        front=front,
        is_awake=True,
        sets_custom_status=sets,
        custom_status=custom_status,
    )


def terminate(instance: Instance, *, output: str | None, recurse: bool, now: int, limits: Limits) -> Decision:
    """Ends the instance without asking a worker: it must work when no worker is there, and a turn in flight is void."""
    draft = Draft(instance, now=now)
    draft.append(TurnStarted(at=now))
    for arrival in instance.inbox:
        draft.append(arrival.event, arrival.data)
    draft.append(TerminateRequested(at=now, output=output, recurse=recurse))
    if recurse:
        _terminate_children(draft, output)
    action = CompleteWorkflow(seq=-1, status=Status.TERMINATED, result=output)
    marks = TurnMarks(now, instance.custom_status, None, instance.record.dialect)
    return complete(draft, action, turn=marks, limits=limits, children_go_on=not recurse)


def _terminate_children(draft: Draft, output: str | None) -> None:
    instance = draft.instance
    unstarted = {child.row: start.event for child, start in _unstarted(instance)}
    for child in instance.open.children.values():
        draft.send(
            Terminate(
                instance_id=child.instance_id,
                output=output,
                recurse=True,
                is_required=False,
                event=unstarted.get(child.row, b""),
            )
        )


def _start_children(draft: Draft) -> None:
    """Children whose start may still be on its way have no schedule left that would repeat it: the outbox must."""
    for _, start in _unstarted(draft.instance):
        draft.send(start)


def _unstarted(instance: Instance) -> Iterator[tuple[OpenChild, StartChild]]:
    for child in instance.unstarted_children():
        event = decode_event(instance.history[child.row])
        assert isinstance(event, ChildScheduled)
        yield child, start_child_message(instance.record, event, child.row)


def answer_parent(
    draft: Draft, parent: Parent | None, status: Status, result: str | None, failure: Failure | None
) -> None:
    if parent is None or parent.execution_id is None:
        return
    if status is Status.COMPLETED:
        event = encode_event(ChildCompleted(at=draft.now, seq=parent.seq, result=result))
    else:
        what = failure or Failure(
            kind=status.name.capitalize(), message=result or f"the child was {status.name.lower()}"
        )
        event = encode_event(ChildFailed(at=draft.now, seq=parent.seq, failure=what))
    draft.send(
        ChildAnswer(instance_id=parent.instance_id, execution_id=parent.execution_id, row=parent.row, event=event)
    )


def _void_open_work(draft: Draft) -> None:
    record: Record = draft.instance.record
    draft.clears_activities = True
    draft.activities_put, draft.activities_delete = [], []
    draft.reminders_put = [r for r in draft.reminders_put if not r.name.startswith(keys.TIMER_PREFIX)]
    already = set(draft.reminders_delete)
    for seq in draft.instance.open.timers:
        if (name := keys.timer_name(seq)) not in already:
            draft.reminders_delete.append(name)
    if record.scheduled_at and not record.history_length:
        draft.reminders_delete.append(keys.START)


def _outlive(draft: Draft) -> None:
    """What the last turn itself started lasts as long: children go to the outbox, activities are owed."""
    orders, draft.orders = draft.orders, []
    stopped = {order.row for order in orders if isinstance(order, StopActivity)}
    for order in orders:
        if isinstance(order, Send) and not order.name:
            draft.send(order.message)
            continue
        if isinstance(order, RunActivity) and order.row not in stopped:
            draft.owe(order)
        draft.orders.append(order)


def _plan_retention(draft: Draft, status: Status, limits: Limits) -> None:
    kept_for = limits.retention.get(status)
    if kept_for is not None:
        draft.remind(keys.RETENTION, draft.now + max(kept_for, 1))
