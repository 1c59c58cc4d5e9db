"""Reading of what all dialects answer alike to a turn."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.wrappers_pb2 import StringValue

from holdfast_proto.actions import CompleteWorkflow
from holdfast_proto.codec.values import failure_of, time_of
from holdfast_proto.durabletask import dapr_pb2 as dapr
from holdfast_proto.durabletask import microsoft_pb2 as microsoft
from holdfast_proto.history import EventReceived
from holdfast_sidecar.api.durabletask.errors import BadRequest
from holdfast_sidecar.api.durabletask.parsing import status_of

SUBJECT = "turn answer"
_Completion = microsoft.CompleteOrchestrationAction | dapr.CompleteOrchestrationAction


def completion_of(body: _Completion, *, seq: int, tags: dict[str, str] | None = None) -> CompleteWorkflow:
    return CompleteWorkflow(
        seq=seq,
        status=status_of(body.orchestration_status, SUBJECT),
        result=body.result.value if body.HasField("result") else None,
        failure=failure_of(body.failure_details) if body.HasField("failure_details") else None,
        new_version=body.new_version.value if body.HasField("new_version") else None,
        carryover=tuple(_carried(body.carryover_events)),
        tags=tags,
    )


def _carried(events: Iterable[microsoft.HistoryEvent | dapr.HistoryEvent]) -> Iterable[EventReceived]:
    """Only received events outlive a generation; whatever else a worker hands over belongs to the old one."""
    for event in events:
        if event.HasField("event_raised"):
            body = event.event_raised
            yield EventReceived(
                at=time_of(event.timestamp), name=body.name, input=body.input.value if body.HasField("input") else None
            )


def custom_status_of(status: StringValue) -> str | None:
    """Java sends an empty text when there is none."""
    return status.value or None


def unknown_action(seq: int) -> BadRequest:
    return BadRequest(SUBJECT, expected=f"action {seq} to be of a known kind", found="none of them")
