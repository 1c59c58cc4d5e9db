"""The dialect of Dapr's clients: legacy, 1.18 and 1.19."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from holdfast_proto.actions import Action, ScheduleActivity, Stall, StartChild
from holdfast_proto.codec import Kind, kind_of
from holdfast_proto.codec.actions import detached_of, send_of, terminate_of, timer_of
from holdfast_proto.durabletask import dapr_pb2 as pb
from holdfast_proto.history import StallReason
from holdfast_proto.v1 import history_pb2 as v1
from holdfast_sidecar.api.durabletask import frames, wire
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

_CACHED_HISTORY: Final = b"\x4a"
_EVENT_COUNT: Final = b"\x08"
_IN_ITEMS: Final = frames.EVERYWHERE | {Kind.STALLED, Kind.DETACHED_STARTED}
_UNSAYABLE: Final = frozenset({Kind.REWOUND, Kind.ACTIVITY_CANCEL_REQUESTED, Kind.TIMER_CANCELED})
_RICHER: Final = frozenset({Kind.ACTIVITY_SCHEDULED, Kind.CHILD_SCHEDULED})


def kinds(new: Sequence[bytes]) -> frozenset[Kind]:
    return _IN_ITEMS


def turn_item(turn: TurnCall, token: str) -> bytes:
    """Announces what the worker holds already, so that it puts the past of this frame behind that."""
    rest = wire.field(_CACHED_HISTORY, _EVENT_COUNT + wire.varint(turn.cached)) if turn.cached else b""
    return frames.turn_frame(turn, token, rest=rest)


def activity_item(call: ActivityCall, token: str) -> bytes:
    request = pb.ActivityRequest()
    frames.fill_activity(request, call)
    request.task_execution_id = call.task_execution_id
    return frames.activity_frame(request, token)


def health_ping() -> bytes:
    """Only for streams that ask for it; see `dialect.Stream.ping`."""
    return b"\x32\x00"


def history_event(row: bytes) -> bytes | None:
    kind = kind_of(row)
    if kind in _UNSAYABLE:
        return None
    if kind not in _RICHER:
        return row
    extras = v1.HistoryEvent.FromString(row).extras
    event = pb.HistoryEvent.FromString(row)
    event.DiscardUnknownFields()
    if kind is Kind.ACTIVITY_SCHEDULED:
        event.task_scheduled.task_execution_id = extras.task_execution_id
    elif extras.rerun_of:
        event.sub_orchestration_instance_created.rerun_parent_instance_info.instance_id = extras.rerun_of
    return event.SerializeToString()


def history(rows: Sequence[bytes]) -> bytes:
    """Of an instance that has not ended exactly the past of its next turn: a worker that lost its copy replays this."""
    has_ended = any(kind_of(row) is Kind.WORKFLOW_COMPLETED for row in rows)
    return frames.history_frame(map(history_event, rows if has_ended else frames.rows_of_kinds(rows, _IN_ITEMS)))


def read_turn_answer(data: bytes) -> TurnAnswer:
    response = parsed(pb.OrchestratorResponse, data, SUBJECT)
    version = response.version
    with named(SUBJECT):
        return TurnAnswer(
            instance_id=response.instance_id,
            actions=tuple(map(_action, response.actions)),
            token=response.completion_token,
            custom_status=custom_status_of(response.custom_status),
            patches=tuple(version.patches),
            version_name=version.name if version.HasField("name") else None,
            events_processed=response.num_events_processed.value if response.HasField("num_events_processed") else None,
        )


def _action(action: pb.OrchestratorAction) -> Action:
    """Routers to other apps are not read: a sidecar serves one app."""
    seq = action.id
    match action.WhichOneof("orchestrator_action_type"):
        case "schedule_task":
            return _schedule_activity(action.schedule_task, seq)
        case "complete_orchestration":
            return completion_of(action.complete_orchestration, seq=seq)
        case "create_timer":
            return timer_of(action.create_timer, seq=seq)
        case "create_sub_orchestration":
            return _start_child(action.create_sub_orchestration, seq)
        case "send_event":
            return send_of(action.send_event, seq=seq)
        case "terminate_orchestration":
            return terminate_of(action.terminate_orchestration, seq=seq)
        case "orchestrator_version_not_available":
            return Stall(reason=StallReason.VERSION_NOT_AVAILABLE, description="the worker lacks this version")
        case "create_detached_workflow":
            return detached_of(action.create_detached_workflow, seq=seq)
        case _:
            raise unknown_action(seq)


def _schedule_activity(body: pb.ScheduleTaskAction, seq: int) -> ScheduleActivity:
    return ScheduleActivity(
        seq=seq,
        name=body.name,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        task_execution_id=body.task_execution_id,
    )


def _start_child(body: pb.CreateSubOrchestrationAction, seq: int) -> StartChild:
    return StartChild(
        seq=seq,
        instance_id=body.instance_id,
        name=body.name,
        version=body.version.value if body.HasField("version") else None,
        input=body.input.value if body.HasField("input") else None,
        retry_of=body.retry_parent_instance_info.instance_id,
    )
