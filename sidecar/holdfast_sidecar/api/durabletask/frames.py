"""What the dialects' frames have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from holdfast_proto.codec import Kind, kind_of
from holdfast_proto.codec.values import failure_of, set_trace
from holdfast_proto.durabletask import dapr_pb2 as dapr
from holdfast_proto.durabletask import microsoft_pb2 as microsoft
from holdfast_proto.history import Failure
from holdfast_sidecar.api.durabletask import wire
from holdfast_sidecar.api.durabletask.model import ActivityAnswer, ActivityCall, TurnCall
from holdfast_sidecar.api.durabletask.parsing import named, parsed

_TURN: Final = b"\x0a"  # WorkItem
_ACTIVITY: Final = b"\x12"
_TOKEN: Final = b"\x52"
_INSTANCE_ID: Final = b"\x0a"  # OrchestratorRequest
_EXECUTION_ID: Final = b"\x12"
_PAST: Final = b"\x1a"
_NEW: Final = b"\x22"
_WRAPPED: Final = b"\x0a"  # StringValue.value
_EVENTS: Final = b"\x0a"  # HistoryChunk and GetInstanceHistoryResponse

# Every client takes these in a work item. Completion markers are in nobody's: most workers fail the workflow over them.
EVERYWHERE: Final = frozenset(Kind) - {
    Kind.WORKFLOW_COMPLETED,
    Kind.EVENT_SENT,
    Kind.REWOUND,
    Kind.STALLED,
    Kind.DETACHED_STARTED,
    Kind.ACTIVITY_CANCEL_REQUESTED,
    Kind.TIMER_CANCELED,
}


def turn_frame(turn: TurnCall, token: str, *, rest: bytes = b"") -> bytes:
    """`rest` is what the dialect alone adds to the request, already encoded. The past is copied once, right here."""
    before = wire.text(_INSTANCE_ID, turn.instance_id) + wire.field(
        _EXECUTION_ID, wire.text(_WRAPPED, turn.execution_id)
    )
    new = wire.repeated(_NEW, turn.new)
    size = len(before) + len(turn.past) + len(new) + len(rest)
    return b"".join((_TURN, wire.varint(size), before, turn.past, new, rest, wire.text(_TOKEN, token)))


def past_events(rows: Iterable[bytes]) -> bytes:
    """As they stand in the request of a turn."""
    return wire.repeated(_PAST, rows)


def activity_frame(request: microsoft.ActivityRequest | dapr.ActivityRequest, token: str) -> bytes:
    return wire.field(_ACTIVITY, request.SerializeToString()) + wire.text(_TOKEN, token)


def fill_activity(request: microsoft.ActivityRequest | dapr.ActivityRequest, call: ActivityCall) -> None:
    """Sets what is numbered alike by all."""
    request.name = call.name
    request.task_id = call.seq
    request.orchestration_instance.instance_id = call.instance_id
    request.orchestration_instance.execution_id.value = call.execution_id
    if call.version is not None:
        request.version.value = call.version
    if call.input is not None:
        request.input.value = call.input
    if call.trace is not None:
        set_trace(request.parent_trace_context, call.trace)


def history_frame(events: Iterable[bytes | None]) -> bytes:
    return wire.repeated(_EVENTS, (event for event in events if event is not None))


def read_activity_answer(data: bytes) -> ActivityAnswer:
    response = parsed(microsoft.ActivityResponse, data, "activity answer")
    failure: Failure | None = None
    if response.HasField("failure_details"):
        with named("activity answer"):
            failure = failure_of(response.failure_details)
    return ActivityAnswer(
        instance_id=response.instance_id,
        seq=response.task_id,
        token=response.completion_token,
        result=response.result.value if response.HasField("result") else None,
        failure=failure,
    )


def rows_of_kinds(rows: Sequence[bytes], kinds: frozenset[Kind]) -> list[bytes]:
    return [row for row in rows if kind_of(row) in kinds]
