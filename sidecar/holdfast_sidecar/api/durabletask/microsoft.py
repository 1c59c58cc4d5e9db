"""The dialect of Microsoft's clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from holdfast_proto.actions import Action, ReplaceHistory, ScheduleActivity, StartChild
from holdfast_proto.codec import Kind, Unreadable, decode_event, kind_of
from holdfast_proto.codec.actions import send_of, terminate_of, timer_of
from holdfast_proto.codec.values import FIRST_AT, LAST_AT, tags_of, trace_of
from holdfast_proto.durabletask import microsoft_pb2 as pb
from holdfast_proto.history import ActivityScheduled, ChildScheduled, HistoryEvent
from holdfast_proto.v1 import history_pb2 as v1
from holdfast_sidecar.api.durabletask import frames, wire
from holdfast_sidecar.api.durabletask.errors import BadRequest
from holdfast_sidecar.api.durabletask.frames import read_activity_answer
from holdfast_sidecar.api.durabletask.model import ActivityCall, TurnAnswer, TurnCall
from holdfast_sidecar.api.durabletask.parsing import named, parsed
from holdfast_sidecar.api.durabletask.turns import SUBJECT, completion_of, custom_status_of, unknown_action

__all__ = [
    "activity_item",
    "health_ping",
    "history",
    "history_event",
    "kinds",
    "read_activity_answer",
    "read_turn_answer",
    "turn_item",
]

_TURN_TRACE: Final = b"\x42"
# Workers match these two to actions that they would otherwise emit again; instances of other workers hold none.
_IN_ITEMS: Final = frames.EVERYWHERE | {Kind.EVENT_SENT, Kind.REWOUND}
_IN_REWINDS: Final = _IN_ITEMS | {Kind.WORKFLOW_COMPLETED}
_TAGGED: Final = frozenset({Kind.ACTIVITY_SCHEDULED, Kind.CHILD_SCHEDULED})
_UNSAYABLE: Final = frozenset(
    {Kind.STALLED, Kind.DETACHED_STARTED, Kind.ACTIVITY_CANCEL_REQUESTED, Kind.TIMER_CANCELED}
)


def kinds(new: Sequence[bytes]) -> frozenset[Kind]:
    """A turn that rewinds is sent with the completion that it takes back, and only such a turn."""
    return _IN_REWINDS if any(kind_of(row) is Kind.REWOUND for row in new) else _IN_ITEMS


def turn_item(turn: TurnCall, token: str) -> bytes:
    return frames.turn_frame(turn, token, rest=wire.field(_TURN_TRACE, turn.trace) if turn.trace else b"")


def activity_item(call: ActivityCall, token: str) -> bytes:
    request = pb.ActivityRequest()
    frames.fill_activity(request, call)
    if call.tags:
        request.tags.update(call.tags)
    return frames.activity_frame(request, token)


def health_ping() -> bytes:
    return b"\x22\x00"


def history_event(row: bytes) -> bytes | None:
    kind = kind_of(row)
    if kind in _UNSAYABLE:
        return None
    if kind not in _TAGGED:
        return row
    tags = v1.HistoryEvent.FromString(row).extras.tags
    event = pb.HistoryEvent.FromString(row)
    event.DiscardUnknownFields()
    if kind is Kind.ACTIVITY_SCHEDULED:
        event.task_scheduled.tags.update(tags)
    else:
        event.sub_orchestration_instance_created.tags.update(tags)
    return event.SerializeToString()


def history(rows: Sequence[bytes]) -> bytes:
    return frames.history_frame(map(history_event, rows))


def read_turn_answer(data: bytes) -> TurnAnswer:
    response = parsed(pb.OrchestratorResponse, data, SUBJECT)
    with named(SUBJECT):
        return TurnAnswer(
            instance_id=response.instance_id,
            actions=tuple([_action(action) for action in response.actions[:]]),
            token=response.completion_token,
            custom_status=custom_status_of(response.custom_status),
            trace=response.orchestration_trace_context.SerializeToString()
            if response.HasField("orchestration_trace_context")
            else b"",
            is_partial=response.is_partial,
            chunk_index=response.chunk_index.value if response.HasField("chunk_index") else None,
            events_processed=response.num_events_processed.value if response.HasField("num_events_processed") else None,
            requires_history=response.requires_history,
        )


def _action(action: pb.OrchestratorAction) -> Action:
    seq = action.id
    match action.WhichOneof("orchestrator_action_type"):
        case "schedule_task":
            return _schedule_activity(action.schedule_task, seq)
        case "complete_orchestration":
            body = action.complete_orchestration
            return completion_of(body, seq=seq, tags=tags_of(body.tags) or None)
        case "create_timer":
            return timer_of(action.create_timer, seq=seq)
        case "create_sub_orchestration":
            return _start_child(action.create_sub_orchestration, seq)
        case "send_event":
            return send_of(action.send_event, seq=seq)
        case "terminate_orchestration":
            return terminate_of(action.terminate_orchestration, seq=seq)
        case "rewind_orchestration":
            return ReplaceHistory(history=tuple(map(_event, action.rewind_orchestration.new_history)))
        case "send_entity_message":
            raise BadRequest(
                SUBJECT, expected="actions of workflows", found=f"a message to an entity (action {seq}); none run here"
            )
        case _:
            raise unknown_action(seq)


def _schedule_activity(body: pb.ScheduleTaskAction, seq: int) -> ScheduleActivity:
    return ScheduleActivity(
        seq=seq,
        name=body.name,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        trace=trace_of(body.parent_trace_context) if body.HasField("parent_trace_context") else None,
        tags=tags_of(body.tags),
    )


def _start_child(body: pb.CreateSubOrchestrationAction, seq: int) -> StartChild:
    return StartChild(
        seq=seq,
        instance_id=body.instance_id,
        name=body.name,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        trace=trace_of(body.parent_trace_context) if body.HasField("parent_trace_context") else None,
        tags=tags_of(body.tags),
    )


def _event(message: pb.HistoryEvent) -> HistoryEvent:
    """An event of a repaired history. What a client does not know of a row it gives back untouched, our extras too."""
    event = decode_event(message.SerializeToString())
    if not FIRST_AT <= event.at <= LAST_AT:
        raise Unreadable("time between the years 1 and 9999", found=f"{event.at} nanoseconds after 1970")
    match event:
        case ActivityScheduled() if message.task_scheduled.tags:
            return replace(event, tags=dict(message.task_scheduled.tags))
        case ChildScheduled() if message.sub_orchestration_instance_created.tags:
            return replace(event, tags=dict(message.sub_orchestration_instance_created.tags))
        case _:
            return event
