"""Stored bytes to history facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from google.protobuf.message import DecodeError

from holdfast_proto.codec import values
from holdfast_proto.codec.errors import Unreadable, UnreadableKind
from holdfast_proto.codec.values import SECOND, tags_of
from holdfast_proto.history import (
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
    StallReason,
    Status,
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


def decode_event(data: bytes) -> HistoryEvent:
    """Raises Unreadable for damaged bytes, and its kind UnreadableKind for a fact that a newer release wrote."""
    try:
        message = pb.HistoryEvent.FromString(data)
    except DecodeError as error:
        raise Unreadable("history event", found=f"{len(data)} bytes of another form") from error
    return event_of(message)


def event_of(m: pb.HistoryEvent) -> HistoryEvent:
    """The fact in a parsed message."""
    read = _READERS.get(m.WhichOneof("kind") or "")
    if read is None:
        raise UnreadableKind("history event", size=m.ByteSize())
    stamp = m.timestamp
    try:
        return read(m, stamp.seconds * SECOND + stamp.nanos)
    except Unreadable:
        raise
    except ValueError as error:  # a number outside of an enumeration
        raise Unreadable("history event", found=str(error)) from error


def _turn_started(m: pb.HistoryEvent, at: int) -> TurnStarted:
    body = m.turn_started
    if not body.HasField("version"):
        return TurnStarted(at=at)
    version = body.version
    return TurnStarted(
        at=at, patches=tuple(version.patches), version_name=version.name if version.HasField("name") else None
    )


def _activity_scheduled(m: pb.HistoryEvent, at: int) -> ActivityScheduled:
    body = m.activity_scheduled
    has_extras = m.HasField("extras")
    extras = m.extras
    return ActivityScheduled(
        at=at,
        seq=m.event_id,
        name=body.name,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        trace=values.trace_of(body.trace) if body.HasField("trace") else None,
        rerun_of=body.rerun_of.instance_id if body.HasField("rerun_of") else "",
        tags=tags_of(extras.tags) if has_extras else {},
        task_execution_id=extras.task_execution_id if has_extras else "",
        options=values.options_of(extras.options) if has_extras and extras.HasField("options") else None,
    )


def _activity_completed(m: pb.HistoryEvent, at: int) -> ActivityCompleted:
    body = m.activity_completed
    return ActivityCompleted(
        at=at,
        seq=body.seq,
        result=body.result.value if body.HasField("result") else None,
        task_execution_id=body.task_execution_id,
    )


def _activity_failed(m: pb.HistoryEvent, at: int) -> ActivityFailed:
    body = m.activity_failed
    return ActivityFailed(
        at=at, seq=body.seq, failure=values.failure_of(body.failure), task_execution_id=body.task_execution_id
    )


def _workflow_started(m: pb.HistoryEvent, at: int) -> WorkflowStarted:
    body = m.workflow_started
    return WorkflowStarted(
        at=at,
        name=body.name,
        instance_id=body.instance.instance_id,
        execution_id=body.instance.execution_id.value,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        parent=values.parent_of(body.parent) if body.HasField("parent") else None,
        scheduled_at=values.time_of(body.scheduled_at) if body.HasField("scheduled_at") else None,
        trace=values.trace_of(body.trace) if body.HasField("trace") else None,
        tags=tags_of(body.tags),
    )


def _event_received(m: pb.HistoryEvent, at: int) -> EventReceived:
    body = m.event_received
    return EventReceived(
        at=at,
        name=body.name,
        input=body.input.value if body.HasField("input") else None,
        source=m.extras.source if m.HasField("extras") else "",
    )


def _workflow_completed(m: pb.HistoryEvent, at: int) -> WorkflowCompleted:
    body = m.workflow_completed
    return WorkflowCompleted(
        at=at,
        seq=m.event_id,
        status=Status(body.status),
        result=body.result.value if body.HasField("result") else None,
        failure=values.failure_of(body.failure) if body.HasField("failure") else None,
    )


def _timer_created(m: pb.HistoryEvent, at: int) -> TimerCreated:
    body = m.timer_created
    origin, origin_name = origin_of(body)
    return TimerCreated(
        at=at,
        seq=m.event_id,
        fire_at=values.time_of(body.fire_at),
        name=body.name if body.HasField("name") else None,
        origin=origin,
        origin_name=origin_name,
        rerun_of=body.rerun_of.instance_id,
    )


def origin_of(body: pb.TimerCreated | pb.CreateTimer) -> tuple[TimerOrigin, str]:
    match body.WhichOneof("origin"):
        case "user":
            return TimerOrigin.USER, ""
        case "event_timeout":
            return TimerOrigin.EVENT_TIMEOUT, body.event_timeout.name
        case "activity_retry":
            return TimerOrigin.ACTIVITY_RETRY, body.activity_retry.task_execution_id
        case "child_retry":
            return TimerOrigin.CHILD_RETRY, body.child_retry.instance_id
        case _:
            return TimerOrigin.NONE, ""


def _timer_fired(m: pb.HistoryEvent, at: int) -> TimerFired:
    return TimerFired(at=at, seq=m.timer_fired.seq, fire_at=values.time_of(m.timer_fired.fire_at))


def _child_scheduled(m: pb.HistoryEvent, at: int) -> ChildScheduled:
    body = m.child_scheduled
    return ChildScheduled(
        at=at,
        seq=m.event_id,
        instance_id=body.instance_id,
        name=body.name,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        trace=values.trace_of(body.trace) if body.HasField("trace") else None,
        tags=tags_of(m.extras.tags),
        rerun_of=m.extras.rerun_of,
        retry_of=body.retry_of.instance_id,
    )


def _child_completed(m: pb.HistoryEvent, at: int) -> ChildCompleted:
    body = m.child_completed
    return ChildCompleted(at=at, seq=body.seq, result=body.result.value if body.HasField("result") else None)


def _child_failed(m: pb.HistoryEvent, at: int) -> ChildFailed:
    return ChildFailed(at=at, seq=m.child_failed.seq, failure=values.failure_of(m.child_failed.failure))


def _terminate_requested(m: pb.HistoryEvent, at: int) -> TerminateRequested:
    body = m.terminate_requested
    return TerminateRequested(
        at=at, output=body.output.value if body.HasField("output") else None, recurse=body.recurse
    )


def _suspended(m: pb.HistoryEvent, at: int) -> Suspended:
    return Suspended(at=at, reason=m.suspended.reason.value if m.suspended.HasField("reason") else None)


def _resumed(m: pb.HistoryEvent, at: int) -> Resumed:
    return Resumed(at=at, reason=m.resumed.reason.value if m.resumed.HasField("reason") else None)


def _event_sent(m: pb.HistoryEvent, at: int) -> EventSent:
    body = m.event_sent
    return EventSent(
        at=at,
        seq=m.event_id,
        instance_id=body.instance_id,
        name=body.name,
        input=body.input.value if body.HasField("input") else None,
    )


def _rewound(m: pb.HistoryEvent, at: int) -> Rewound:
    body = m.rewound
    return Rewound(
        at=at,
        reason=body.reason.value if body.HasField("reason") else None,
        parent_execution_id=body.parent_execution_id.value if body.HasField("parent_execution_id") else None,
        instance_id=body.instance_id.value if body.HasField("instance_id") else None,
        name=body.name.value if body.HasField("name") else None,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        parent=values.parent_of(body.parent) if body.HasField("parent") else None,
        trace=values.trace_of(body.trace) if body.HasField("trace") else None,
        tags=tags_of(body.tags),
    )


def _stalled(m: pb.HistoryEvent, at: int) -> Stalled:
    return Stalled(at=at, reason=StallReason(m.stalled.reason), description=m.stalled.description)


def _detached_started(m: pb.HistoryEvent, at: int) -> DetachedStarted:
    return DetachedStarted(at=at, seq=m.event_id, instance_id=m.detached_started.instance_id)


def _activity_cancel_requested(m: pb.HistoryEvent, at: int) -> ActivityCancelRequested:
    return ActivityCancelRequested(at=at, seq=m.activity_cancel_requested.seq)


def _timer_canceled(m: pb.HistoryEvent, at: int) -> TimerCanceled:
    return TimerCanceled(at=at, seq=m.timer_canceled.seq)


_READERS: Final[dict[str, Callable[[pb.HistoryEvent, int], HistoryEvent]]] = {
    "turn_started": _turn_started,
    "activity_scheduled": _activity_scheduled,
    "activity_completed": _activity_completed,
    "activity_failed": _activity_failed,
    "workflow_started": _workflow_started,
    "event_received": _event_received,
    "workflow_completed": _workflow_completed,
    "timer_created": _timer_created,
    "timer_fired": _timer_fired,
    "child_scheduled": _child_scheduled,
    "child_completed": _child_completed,
    "child_failed": _child_failed,
    "terminate_requested": _terminate_requested,
    "suspended": _suspended,
    "resumed": _resumed,
    "event_sent": _event_sent,
    "rewound": _rewound,
    "stalled": _stalled,
    "detached_started": _detached_started,
    "activity_cancel_requested": _activity_cancel_requested,
    "timer_canceled": _timer_canceled,
}
