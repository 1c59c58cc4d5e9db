"""Engine values as the messages of the client service."""

from __future__ import annotations

from holdfast_proto.codec import decode_event
from holdfast_proto.codec.values import set_failure, set_parent
from holdfast_proto.history import WorkflowCompleted, WorkflowStarted
from holdfast_proto.v1 import client_pb2 as pb
from holdfast_sidecar.api.status import answer_to
from holdfast_sidecar.core.errors import HoldfastError, Kind
from holdfast_sidecar.core.state import View

_KINDS = {
    Kind.INVALID: pb.Error.INVALID,
    Kind.NOT_FOUND: pb.Error.NOT_FOUND,
    Kind.EXISTS: pb.Error.EXISTS,
    Kind.WRONG_STATE: pb.Error.WRONG_STATE,
    Kind.EXHAUSTED: pb.Error.EXHAUSTED,
    Kind.UNAVAILABLE: pb.Error.UNAVAILABLE,
    Kind.DENIED: pb.Error.DENIED,
    Kind.UNSUPPORTED: pb.Error.UNSUPPORTED,
}


def error_of(error: Exception) -> pb.Error:
    answer = answer_to(error)
    kind = _KINDS[error.kind] if isinstance(error, HoldfastError) else pb.Error.INTERNAL
    return pb.Error(kind=kind, code=answer.name, text=answer.text)


def fill_state(state: pb.InstanceState, view: View) -> None:
    record = view.record
    state.instance_id = record.id
    state.execution_id = record.execution_id
    state.name = record.name
    state.status = record.status
    state.generation = record.generation
    state.created_at = record.created_at
    state.updated_at = record.updated_at
    state.scheduled_at = record.scheduled_at or 0
    state.started_at = record.started_at or 0
    state.completed_at = record.completed_at or 0
    state.history_length = record.history_length
    state.history_bytes = record.history_bytes
    state.inbox_length = record.inbox_length
    state.is_suspended = record.is_suspended
    _fill_rare(state, view)
    _fill_payloads(state, view)


def _fill_rare(state: pb.InstanceState, view: View) -> None:
    record = view.record
    if record.label is not None:
        state.version = record.label
    if record.tags:
        state.tags.update(record.tags)
    if record.parent is not None:
        set_parent(state.parent, record.parent)
    if record.stall is not None:
        state.stall.reason = record.stall.reason
        state.stall.description = record.stall.description
        state.stall.at = record.stall.at
        state.stall.attempts = record.attempts
    if view.custom_status is not None:
        state.custom_status = view.custom_status


def _fill_payloads(state: pb.InstanceState, view: View) -> None:
    start = None if view.start is None else decode_event(view.start)
    if isinstance(start, WorkflowStarted) and start.input is not None:
        state.input = start.input
    _fill_end(state, view)


def fill_outcome(outcome: pb.Outcome, view: View) -> None:
    record = view.record
    outcome.instance_id = record.id
    outcome.execution_id = record.execution_id
    outcome.name = record.name
    outcome.status = record.status
    _fill_end(outcome, view)


def _fill_end(message: pb.InstanceState | pb.Outcome, view: View) -> None:
    end = None if view.end is None else decode_event(view.end)
    if isinstance(end, WorkflowCompleted):
        if end.result is not None:
            message.output = end.result
        if end.failure is not None:
            set_failure(message.failure, end.failure)
