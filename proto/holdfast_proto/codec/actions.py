"""Actions as bytes, and back; the native worker stream carries them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from google.protobuf.message import DecodeError

from holdfast_proto.actions import (
    Action,
    CancelActivity,
    CancelTimer,
    CompleteWorkflow,
    CreateTimer,
    ReplaceHistory,
    ScheduleActivity,
    SendEvent,
    Stall,
    StartChild,
    StartDetached,
    TerminateInstance,
)
from holdfast_proto.codec import values
from holdfast_proto.codec.errors import Unreadable, UnreadableKind
from holdfast_proto.codec.event_reader import event_of, origin_of
from holdfast_proto.codec.event_writer import fill_event, set_origin
from holdfast_proto.history import EventReceived, StallReason, Status
from holdfast_proto.v1 import history_pb2 as pb


def encode_action(action: Action) -> bytes:
    message = pb.Action()
    fill_action(message, action)
    return message.SerializeToString()


def fill_action(message: pb.Action, action: Action) -> None:
    """The same into a message that stands in a frame already."""
    match action:
        case ScheduleActivity():
            _set_schedule_activity(message, action)
        case CompleteWorkflow():
            _set_complete_workflow(message, action)
        case CreateTimer():
            _set_create_timer(message, action)
        case StartChild():
            _set_start_child(message, action)
        case SendEvent():
            _set_send_event(message, action)
        case CancelActivity():
            message.seq = action.seq
            message.cancel_activity.SetInParent()
        case CancelTimer():
            message.seq = action.seq
            message.cancel_timer.SetInParent()
        case StartDetached():
            _set_start_detached(message, action)
        case TerminateInstance():
            _set_terminate_instance(message, action)
        case ReplaceHistory():
            _set_replace_history(message.replace_history, action)
        case Stall():
            message.stall.reason = action.reason
            message.stall.description = action.description
        case _:
            assert_never(action)


def decode_action(data: bytes) -> Action:
    """Raises Unreadable for damaged bytes, and its kind UnreadableKind for an action of a newer release."""
    try:
        message = pb.Action.FromString(data)
    except DecodeError as error:
        raise Unreadable("action", found=f"{len(data)} bytes of another form") from error
    return action_of(message)


def action_of(message: pb.Action) -> Action:
    """The same for an action that was parsed with the frame around it."""
    read = _READERS.get(message.WhichOneof("kind") or "")
    if read is None:
        raise UnreadableKind("action", size=message.ByteSize())
    try:
        return read(message)
    except Unreadable:
        raise
    except ValueError as error:  # a number outside of an enumeration
        raise Unreadable("action", found=str(error)) from error


def _set_schedule_activity(m: pb.Action, action: ScheduleActivity) -> None:
    m.seq = action.seq
    body = m.schedule_activity
    body.name = action.name
    if action.version is not None:
        body.version.value = action.version
    if action.input is not None:
        body.input.value = action.input
    if action.trace is not None:
        values.set_trace(body.trace, action.trace)
    if action.task_execution_id:
        m.extras.task_execution_id = action.task_execution_id
    if action.tags:
        m.extras.tags.update(action.tags)
    if action.options is not None:
        values.set_options(m.extras.options, action.options)


def _set_start_child(m: pb.Action, action: StartChild) -> None:
    m.seq = action.seq
    body = m.start_child
    body.instance_id = action.instance_id
    body.name = action.name
    if action.version is not None:
        body.version.value = action.version
    if action.input is not None:
        body.input.value = action.input
    if action.trace is not None:
        values.set_trace(body.trace, action.trace)
    if action.retry_of:
        body.retry_of.instance_id = action.retry_of
    if action.tags:
        m.extras.tags.update(action.tags)


def _set_create_timer(m: pb.Action, action: CreateTimer) -> None:
    m.seq = action.seq
    body = m.create_timer
    values.set_time(body.fire_at, action.fire_at)
    if action.name is not None:
        body.name = action.name
    set_origin(body, action.origin, action.origin_name)


def _set_send_event(m: pb.Action, action: SendEvent) -> None:
    m.seq = action.seq
    body = m.send_event
    body.instance.instance_id = action.instance_id
    body.name = action.name
    if action.input is not None:
        body.input.value = action.input


def _set_complete_workflow(m: pb.Action, action: CompleteWorkflow) -> None:
    m.seq = action.seq
    body = m.complete_workflow
    body.status = action.status
    if action.result is not None:
        body.result.value = action.result
    if action.failure is not None:
        values.set_failure(body.failure, action.failure)
    if action.new_version is not None:
        body.new_version.value = action.new_version
    for event in action.carryover:
        fill_event(body.carryover.add(), event)
    if action.tags:
        body.tags.update(action.tags)
    elif action.tags is not None:
        m.extras.clears_tags = True


def _set_terminate_instance(m: pb.Action, action: TerminateInstance) -> None:
    m.seq = action.seq
    body = m.terminate_instance
    body.instance_id = action.instance_id
    body.recurse = action.recurse
    if action.reason is not None:
        body.reason.value = action.reason


def _set_start_detached(m: pb.Action, action: StartDetached) -> None:
    m.seq = action.seq
    body = m.start_detached
    body.instance_id = action.instance_id
    body.name = action.name
    if action.version is not None:
        body.version.value = action.version
    if action.input is not None:
        body.input.value = action.input
    if action.scheduled_at is not None:
        values.set_time(body.scheduled_at, action.scheduled_at)
    if action.execution_id is not None:
        body.execution_id.value = action.execution_id
    if action.trace is not None:
        values.set_trace(body.trace, action.trace)
    if action.tags:
        body.tags.update(action.tags)


def _set_replace_history(body: pb.ReplaceHistory, action: ReplaceHistory) -> None:
    body.SetInParent()
    for event in action.history:
        fill_event(body.history.add(), event)


def _schedule_activity(m: pb.Action) -> ScheduleActivity:
    body = m.schedule_activity
    extras = m.extras if m.HasField("extras") else None
    return ScheduleActivity(
        seq=m.seq,
        name=body.name,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        trace=values.trace_of(body.trace) if body.HasField("trace") else None,
        tags={} if extras is None else values.tags_of(extras.tags),
        task_execution_id="" if extras is None else extras.task_execution_id,
        options=None if extras is None or not extras.HasField("options") else values.options_of(extras.options),
    )


def _start_child(m: pb.Action) -> StartChild:
    body = m.start_child
    return StartChild(
        seq=m.seq,
        instance_id=body.instance_id,
        name=body.name,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        trace=values.trace_of(body.trace) if body.HasField("trace") else None,
        tags=values.tags_of(m.extras.tags),
        retry_of=body.retry_of.instance_id,
    )


def _create_timer(m: pb.Action) -> CreateTimer:
    return timer_of(m.create_timer, seq=m.seq)


def timer_of(body: pb.CreateTimer, *, seq: int) -> CreateTimer:
    origin, origin_name = origin_of(body)
    return CreateTimer(
        seq=seq,
        fire_at=values.time_of(body.fire_at),
        name=body.name if body.HasField("name") else None,
        origin=origin,
        origin_name=origin_name,
    )


def _send_event(m: pb.Action) -> SendEvent:
    return send_of(m.send_event, seq=m.seq)


def send_of(body: pb.SendEvent, *, seq: int) -> SendEvent:
    return SendEvent(
        seq=seq,
        instance_id=body.instance.instance_id,
        name=body.name,
        input=body.input.value if body.HasField("input") else None,
    )


def _complete_workflow(m: pb.Action) -> CompleteWorkflow:
    body = m.complete_workflow
    return CompleteWorkflow(
        seq=m.seq,
        status=Status(body.status),
        result=body.result.value if body.HasField("result") else None,
        failure=values.failure_of(body.failure) if body.HasField("failure") else None,
        new_version=body.new_version.value if body.HasField("new_version") else None,
        carryover=tuple(_carried(event) for event in body.carryover),
        tags=values.tags_of(body.tags) if body.tags or m.extras.clears_tags else None,
    )


def _carried(message: pb.HistoryEvent) -> EventReceived:
    event = event_of(message)
    if not isinstance(event, EventReceived):
        raise Unreadable("carried-over event", found=f"a {type(event).__name__}")
    return event


def _terminate_instance(m: pb.Action) -> TerminateInstance:
    return terminate_of(m.terminate_instance, seq=m.seq)


def terminate_of(body: pb.TerminateInstance, *, seq: int) -> TerminateInstance:
    return TerminateInstance(
        seq=seq,
        instance_id=body.instance_id,
        reason=body.reason.value if body.HasField("reason") else None,
        recurse=body.recurse,
    )


def _start_detached(m: pb.Action) -> StartDetached:
    return detached_of(m.start_detached, seq=m.seq)


def detached_of(body: pb.StartDetached, *, seq: int) -> StartDetached:
    return StartDetached(
        seq=seq,
        instance_id=body.instance_id,
        name=body.name,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        scheduled_at=values.time_of(body.scheduled_at) if body.HasField("scheduled_at") else None,
        execution_id=body.execution_id.value if body.HasField("execution_id") else None,
        trace=values.trace_of(body.trace) if body.HasField("trace") else None,
        tags=values.tags_of(body.tags),
    )


def _cancel_activity(m: pb.Action) -> CancelActivity:
    return CancelActivity(seq=m.seq)


def _cancel_timer(m: pb.Action) -> CancelTimer:
    return CancelTimer(seq=m.seq)


def _replace_history(m: pb.Action) -> ReplaceHistory:
    return ReplaceHistory(history=tuple(event_of(event) for event in m.replace_history.history))


def _stall(m: pb.Action) -> Stall:
    return Stall(reason=StallReason(m.stall.reason), description=m.stall.description)


_READERS: Final[dict[str, Callable[[pb.Action], Action]]] = {
    "schedule_activity": _schedule_activity,
    "start_child": _start_child,
    "create_timer": _create_timer,
    "send_event": _send_event,
    "complete_workflow": _complete_workflow,
    "terminate_instance": _terminate_instance,
    "start_detached": _start_detached,
    "cancel_activity": _cancel_activity,
    "cancel_timer": _cancel_timer,
    "replace_history": _replace_history,
    "stall": _stall,
}
