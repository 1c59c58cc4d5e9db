"""Answers to management calls. Calls without content are answered with no bytes at all."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from holdfast_proto.codec.values import set_failure, set_time
from holdfast_proto.durabletask import dapr_pb2 as dapr
from holdfast_proto.durabletask import microsoft_pb2 as microsoft
from holdfast_proto.history import Failure, Status

NOTHING = b""


class Snapshot(Struct, frozen=True, kw_only=True):
    """All that a status query shows of an instance. What is None stays absent."""

    instance_id: str
    name: str
    status: Status
    created_at: int
    updated_at: int
    version: str | None = None
    scheduled_at: int | None = None
    input: str | None = None
    output: str | None = None
    custom_status: str | None = None
    failure: Failure | None = None
    execution_id: str | None = None
    completed_at: int | None = None
    parent_id: str | None = None
    tags: dict[str, str] = {}
    parent_app_id: str | None = None
    started_at: int | None = None


def started(instance_id: str) -> bytes:
    return microsoft.CreateInstanceResponse(instance_id=instance_id).SerializeToString()


def found(snapshot: Snapshot | None) -> bytes:
    response = dapr.GetInstanceResponse()
    if snapshot is not None:
        response.exists = True
        _fill(response.orchestration_state, snapshot)
    return response.SerializeToString()


def page(snapshots: Iterable[Snapshot], *, cursor: str = "") -> bytes:
    response = dapr.QueryInstancesResponse()
    for snapshot in snapshots:
        _fill(response.orchestration_state.add(), snapshot)
    if cursor:
        response.continuation_token.value = cursor
    return response.SerializeToString()


def ended_ids(instance_ids: Iterable[str], *, cursor: str = "") -> bytes:
    response = microsoft.ListInstanceIdsResponse(instance_ids=instance_ids)
    if cursor:
        response.last_instance_key.value = cursor
    return response.SerializeToString()


def all_ids(instance_ids: Iterable[str], *, cursor: str = "") -> bytes:
    response = dapr.ListInstanceIDsResponse(instance_ids=instance_ids)
    if cursor:
        response.continuation_token = cursor
    return response.SerializeToString()


def purged(count: int, *, is_complete: bool | None = None) -> bytes:
    response = microsoft.PurgeInstancesResponse(deleted_instance_count=count)
    if is_complete is not None:
        response.is_complete.value = is_complete
    return response.SerializeToString()


def restarted(instance_id: str) -> bytes:
    return microsoft.RestartInstanceResponse(instance_id=instance_id).SerializeToString()


def rerun(new_id: str) -> bytes:
    return dapr.RerunWorkflowFromEventResponse(new_instance_id=new_id).SerializeToString()


def _fill(state: dapr.OrchestrationState, snapshot: Snapshot) -> None:
    state.instance_id = snapshot.instance_id
    state.name = snapshot.name
    state.orchestration_status = snapshot.status
    _fill_times(state, snapshot)
    for wrapper, text in (
        (state.version, snapshot.version),
        (state.input, snapshot.input),
        (state.output, snapshot.output),
        (state.custom_status, snapshot.custom_status),
        (state.execution_id, snapshot.execution_id),
        (state.parent_instance_id, snapshot.parent_id),
        (state.parent_app_id, snapshot.parent_app_id),
    ):
        if text is not None:
            wrapper.value = text
    if snapshot.failure is not None:
        set_failure(state.failure_details, snapshot.failure)
    if snapshot.tags:
        state.tags.update(snapshot.tags)


def _fill_times(state: dapr.OrchestrationState, snapshot: Snapshot) -> None:
    for stamp, at in (
        (state.created_timestamp, snapshot.created_at),
        (state.last_updated_timestamp, snapshot.updated_at),
        (state.scheduled_start_timestamp, snapshot.scheduled_at),
        (state.completed_timestamp, snapshot.completed_at),
        (state.started_at, snapshot.started_at),
    ):
        if at is not None:
            set_time(stamp, at)
