"""History facts to stored bytes.

Fields are set one by one and submessages in place: that is half the price of building messages from keywords, and these
functions run for every event of every turn.
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from holdfast_proto.codec import values
from holdfast_proto.codec.values import SECOND
from holdfast_proto.history import (
    NO_SEQ,
    ActivityCancelRequested,
    ActivityCompleted,
    ActivityFailed,
    ActivityScheduled,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    DetachedStarted,
    EventReceived,
    EventSent,
    HistoryEvent,
    Resumed,
    Rewound,
    Stalled,
    Suspended,
    TerminateRequested,
    TimerCanceled,
    TimerCreated,
    TimerFired,
    TimerOrigin,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)
from holdfast_proto.v1 import history_pb2 as pb

RareEvent: TypeAlias = (
    ChildScheduled
    | ChildCompleted
    | ChildFailed
    | TerminateRequested
    | Suspended
    | Resumed
    | EventSent
    | Rewound
    | ActivityCancelRequested
    | TimerCanceled
    | DetachedStarted
    | Stalled
)


def encode_event(event: HistoryEvent) -> bytes:
    return event_message(event).SerializeToString()


def event_message(event: HistoryEvent) -> pb.HistoryEvent:
    message = pb.HistoryEvent()
    fill_event(message, event)
    return message


def fill_event(m: pb.HistoryEvent, event: HistoryEvent) -> None:
    """Writes `event` into an empty message. The hot kinds come first, since a match asks from the top."""
    stamp = m.timestamp
    stamp.seconds, stamp.nanos = divmod(event.at, SECOND)
    m.event_id = NO_SEQ
    match event:
        case TurnStarted():
            _set_turn_started(m.turn_started, event)
        case ActivityScheduled():
            _set_activity_scheduled(m, event)
        case ActivityCompleted():
            _set_activity_completed(m.activity_completed, event)
        case WorkflowStarted():
            _set_workflow_started(m.workflow_started, event)
        case EventReceived():
            _set_event_received(m, event)
        case WorkflowCompleted():
            _set_workflow_completed(m, event)
        case TimerCreated():
            _set_timer_created(m, event)
        case TimerFired():
            _set_timer_fired(m.timer_fired, event)
        case ActivityFailed():
            _set_activity_failed(m.activity_failed, event)
        case _:
            _fill_rare(m, event)


def _fill_rare(m: pb.HistoryEvent, event: RareEvent) -> None:
    match event:
        case ChildScheduled():
            _set_child_scheduled(m, event)
        case ChildCompleted():
            _set_child_completed(m.child_completed, event)
        case ChildFailed():
            m.child_failed.seq = event.seq
            values.set_failure(m.child_failed.failure, event.failure)
        case TerminateRequested():
            _set_terminate_requested(m.terminate_requested, event)
        case Suspended():
            _set_reason(m.suspended, event)
        case Resumed():
            _set_reason(m.resumed, event)
        case EventSent():
            _set_event_sent(m, event)
        case Rewound():
            _set_rewound(m.rewound, event)
        case ActivityCancelRequested():
            m.activity_cancel_requested.seq = event.seq
        case TimerCanceled():
            m.timer_canceled.seq = event.seq
        case DetachedStarted():
            m.event_id = event.seq
            m.detached_started.instance_id = event.instance_id
        case Stalled():
            _set_stalled(m.stalled, event)
        case _:
            assert_never(event)


def _set_turn_started(body: pb.TurnStarted, event: TurnStarted) -> None:
    body.SetInParent()
    if event.patches:
        body.version.patches.extend(event.patches)
    if event.version_name is not None:
        body.version.name = event.version_name


def _set_activity_scheduled(m: pb.HistoryEvent, event: ActivityScheduled) -> None:
    m.event_id = event.seq
    body = m.activity_scheduled
    body.name = event.name
    if event.version is not None:
        body.version.value = event.version
    if event.input is not None:
        body.input.value = event.input
    if event.trace is not None:
        values.set_trace(body.trace, event.trace)
    if event.rerun_of:
        body.rerun_of.instance_id = event.rerun_of
    if event.task_execution_id:
        m.extras.task_execution_id = event.task_execution_id
    if event.tags:
        m.extras.tags.update(event.tags)
    if event.options is not None:
        values.set_options(m.extras.options, event.options)


def _set_activity_completed(body: pb.ActivityCompleted, event: ActivityCompleted) -> None:
    body.seq = event.seq
    if event.result is not None:
        body.result.value = event.result
    if event.task_execution_id:
        body.task_execution_id = event.task_execution_id


def _set_activity_failed(body: pb.ActivityFailed, event: ActivityFailed) -> None:
    body.seq = event.seq
    values.set_failure(body.failure, event.failure)
    if event.task_execution_id:
        body.task_execution_id = event.task_execution_id


def _set_workflow_started(body: pb.WorkflowStarted, event: WorkflowStarted) -> None:
    body.name = event.name
    body.instance.instance_id = event.instance_id
    body.instance.execution_id.value = event.execution_id
    if event.version is not None:
        body.version.value = event.version
    if event.input is not None:
        body.input.value = event.input
    if event.parent is not None:
        values.set_parent(body.parent, event.parent)
    if event.scheduled_at is not None:
        values.set_time(body.scheduled_at, event.scheduled_at)
    if event.trace is not None:
        values.set_trace(body.trace, event.trace)
    if event.tags:
        body.tags.update(event.tags)


def _set_event_received(m: pb.HistoryEvent, event: EventReceived) -> None:
    body = m.event_received
    body.name = event.name
    if event.input is not None:
        body.input.value = event.input
    if event.source:
        m.extras.source = event.source


def _set_workflow_completed(m: pb.HistoryEvent, event: WorkflowCompleted) -> None:
    m.event_id = event.seq
    body = m.workflow_completed
    body.status = event.status
    if event.result is not None:
        body.result.value = event.result
    if event.failure is not None:
        values.set_failure(body.failure, event.failure)


def _set_timer_created(m: pb.HistoryEvent, event: TimerCreated) -> None:
    m.event_id = event.seq
    body = m.timer_created
    values.set_time(body.fire_at, event.fire_at)
    if event.name is not None:
        body.name = event.name
    if event.rerun_of:
        body.rerun_of.instance_id = event.rerun_of
    set_origin(body, event.origin, event.origin_name)


def set_origin(body: pb.TimerCreated | pb.CreateTimer, origin: TimerOrigin, name: str) -> None:
    match origin:
        case TimerOrigin.NONE:
            pass
        case TimerOrigin.USER:
            body.user.SetInParent()
        case TimerOrigin.EVENT_TIMEOUT:
            body.event_timeout.name = name
        case TimerOrigin.ACTIVITY_RETRY:
            body.activity_retry.task_execution_id = name
        case TimerOrigin.CHILD_RETRY:
            body.child_retry.instance_id = name
        case _:
            assert_never(origin)


def _set_child_scheduled(m: pb.HistoryEvent, event: ChildScheduled) -> None:
    m.event_id = event.seq
    body = m.child_scheduled
    body.instance_id = event.instance_id
    body.name = event.name
    if event.version is not None:
        body.version.value = event.version
    if event.input is not None:
        body.input.value = event.input
    if event.trace is not None:
        values.set_trace(body.trace, event.trace)
    if event.retry_of:
        body.retry_of.instance_id = event.retry_of
    if event.rerun_of:
        m.extras.rerun_of = event.rerun_of
    if event.tags:
        m.extras.tags.update(event.tags)


def _set_timer_fired(body: pb.TimerFired, event: TimerFired) -> None:
    body.seq = event.seq
    values.set_time(body.fire_at, event.fire_at)


def _set_child_completed(body: pb.ChildCompleted, event: ChildCompleted) -> None:
    body.seq = event.seq
    if event.result is not None:
        body.result.value = event.result


def _set_reason(body: pb.Suspended | pb.Resumed, event: Suspended | Resumed) -> None:
    body.SetInParent()
    if event.reason is not None:
        body.reason.value = event.reason


def _set_stalled(body: pb.Stalled, event: Stalled) -> None:
    body.reason = event.reason
    if event.description:
        body.description = event.description


def _set_terminate_requested(body: pb.TerminateRequested, event: TerminateRequested) -> None:
    body.recurse = event.recurse
    if event.output is not None:
        body.output.value = event.output


def _set_event_sent(m: pb.HistoryEvent, event: EventSent) -> None:
    m.event_id = event.seq
    body = m.event_sent
    body.instance_id = event.instance_id
    body.name = event.name
    if event.input is not None:
        body.input.value = event.input


def _set_rewound(body: pb.Rewound, event: Rewound) -> None:
    body.SetInParent()
    for wrapper, text in (
        ("reason", event.reason),
        ("parent_execution_id", event.parent_execution_id),
        ("instance_id", event.instance_id),
        ("name", event.name),
        ("version", event.version),
        ("input", event.input),
    ):
        if text is not None:
            getattr(body, wrapper).value = text
    if event.parent is not None:
        values.set_parent(body.parent, event.parent)
    if event.trace is not None:
        values.set_trace(body.trace, event.trace)
    if event.tags:
        body.tags.update(event.tags)
