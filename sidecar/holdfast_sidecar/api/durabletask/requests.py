"""Management calls of clients, read without knowing their dialect.

All but two have the same numbers everywhere, or numbers that only one family uses; the larger schema reads them.
Start and purge are read with both: where the families clash there, the fields differ in wire type, and a schema passes
over a field of another wire type than its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct

from holdfast_proto.codec.values import SECOND, tags_of, time_of, trace_of
from holdfast_proto.durabletask import dapr_pb2 as dapr
from holdfast_proto.durabletask import microsoft_pb2 as microsoft
from holdfast_proto.history import Status, Trace
from holdfast_sidecar.api.durabletask.errors import BadRequest
from holdfast_sidecar.api.durabletask.parsing import named, parsed, status_of
from holdfast_sidecar.core.messages import ReusePolicy

_UNENDED: Final = frozenset({Status.RUNNING, Status.PENDING, Status.SUSPENDED, Status.STALLED})


class Start(Struct, frozen=True, kw_only=True):
    instance_id: str  # empty: make one
    name: str
    version: str | None = None
    input: str | None = None
    scheduled_at: int | None = None
    execution_id: str | None = None
    tags: dict[str, str] = {}
    trace: Trace | None = None
    policy: ReusePolicy = ReusePolicy()


class Get(Struct, frozen=True, kw_only=True):
    instance_id: str
    payloads: bool


class RaiseEvent(Struct, frozen=True, kw_only=True):
    instance_id: str
    name: str
    input: str | None = None


class Terminate(Struct, frozen=True, kw_only=True):
    instance_id: str
    output: str | None = None
    recursive: bool = False


class WithReason(Struct, frozen=True, kw_only=True):
    """Suspend, resume and rewind."""

    instance_id: str
    reason: str | None = None


class Restart(Struct, frozen=True, kw_only=True):
    instance_id: str
    with_new_id: bool


class PurgeOne(Struct, frozen=True, kw_only=True):
    instance_id: str
    recursive: bool = False
    force: bool = False


class PurgeListed(Struct, frozen=True, kw_only=True):
    instance_ids: tuple[str, ...]
    recursive: bool = False
    force: bool = False


class PurgeMatching(Struct, frozen=True, kw_only=True):
    """Times are [from, to) in nanoseconds, None does not restrict; nor do no statuses. `timeout` in nanoseconds."""

    created_from: int | None = None
    created_to: int | None = None
    statuses: frozenset[Status] = frozenset()
    timeout: int | None = None
    recursive: bool = False
    force: bool = False


Purge = PurgeOne | PurgeListed | PurgeMatching


class Query(Struct, frozen=True, kw_only=True):
    statuses: frozenset[Status] = frozenset()
    created_from: int | None = None
    created_to: int | None = None
    limit: int = 0  # 0: as the server likes
    cursor: str = ""
    id_prefix: str = ""
    payloads: bool = False


class ListEnded(Struct, frozen=True, kw_only=True):
    """Microsoft's listing of ids: ended instances in order of their end."""

    statuses: frozenset[Status] = frozenset()
    completed_from: int | None = None
    completed_to: int | None = None
    limit: int = 0
    cursor: str = ""


class ListAll(Struct, frozen=True, kw_only=True):
    """Dapr's listing of ids: every instance."""

    limit: int = 0
    cursor: str = ""


class Rerun(Struct, frozen=True, kw_only=True):
    instance_id: str
    seq: int
    new_id: str | None = None
    input: str | None = None
    overwrites_input: bool = False
    new_child_id: str | None = None


class ReadHistory(Struct, frozen=True, kw_only=True):
    instance_id: str
    execution_id: str | None = None
    for_turn: bool = False  # a worker fetches it for a turn


def read_start(data: bytes) -> Start:
    subject = "start"
    request = parsed(microsoft.CreateInstanceRequest, data, subject)
    other = parsed(dapr.CreateInstanceRequest, data, subject)
    _required(request.name, subject, "a workflow name")
    with named(subject):
        return Start(
            instance_id=request.instance_id,
            name=request.name,
            version=request.version.value if request.HasField("version") else None,
            input=request.input.value if request.HasField("input") else None,
            scheduled_at=time_of(request.scheduled_start_timestamp) or None,  # JavaScript sends 1970 for "now"
            execution_id=request.execution_id.value or None,
            tags=tags_of(request.tags),
            trace=trace_of(request.parent_trace_context) if request.HasField("parent_trace_context") else None,
            policy=_policy(other, subject),
        )


def _policy(request: dapr.CreateInstanceRequest, subject: str) -> ReusePolicy:
    """The newer policy has no action: its statuses may be replaced. The older one, refusing (0), looks the same."""
    if request.enforce_unique_instance_id:
        return ReusePolicy(replaceable=frozenset())
    if not request.HasField("orchestration_id_reuse_policy"):
        return ReusePolicy()
    policy = request.orchestration_id_reuse_policy
    statuses = _statuses(policy.operation_status, subject)
    match policy.action:
        case 0:
            return ReusePolicy(replaceable=_with_terminated(statuses, subject))
        case 1:
            return ReusePolicy(replaceable=frozenset(), kept=statuses)
        case 2:
            return ReusePolicy(replaceable=statuses)
        case other:
            raise BadRequest(subject, expected="a reuse action from 0 to 2", found=str(other))


def _with_terminated(statuses: frozenset[Status], subject: str) -> frozenset[Status]:
    """A running instance is replaced by ending it, so one that was ended must be replaceable too."""
    running = statuses & _UNENDED
    if running and Status.TERMINATED not in statuses:
        raise BadRequest(
            subject,
            expected="Terminated, which cannot be excluded when running instances are reusable, among the statuses",
            found=", ".join(sorted(status.name for status in statuses)),
        )
    return statuses


def read_get(data: bytes, subject: str = "get") -> Get:
    request = parsed(dapr.GetInstanceRequest, data, subject)
    return Get(instance_id=_id(request.instance_id, subject), payloads=request.get_inputs_and_outputs)


def read_raise_event(data: bytes) -> RaiseEvent:
    subject = "raise event"
    request = parsed(dapr.RaiseEventRequest, data, subject)
    return RaiseEvent(
        instance_id=_id(request.instance_id, subject),
        name=_required(request.name, subject, "an event name"),
        input=request.input.value if request.HasField("input") else None,
    )


def read_terminate(data: bytes) -> Terminate:
    request = parsed(dapr.TerminateRequest, data, "terminate")
    return Terminate(
        instance_id=_id(request.instance_id, "terminate"),
        output=request.output.value if request.HasField("output") else None,
        recursive=request.recursive,
    )


def read_suspend(data: bytes) -> WithReason:
    return _with_reason(parsed(dapr.SuspendRequest, data, "suspend"), "suspend")


def read_resume(data: bytes) -> WithReason:
    return _with_reason(parsed(dapr.ResumeRequest, data, "resume"), "resume")


def read_rewind(data: bytes) -> WithReason:
    return _with_reason(parsed(microsoft.RewindInstanceRequest, data, "rewind"), "rewind")


def _with_reason(
    request: dapr.SuspendRequest | dapr.ResumeRequest | microsoft.RewindInstanceRequest, subject: str
) -> WithReason:
    return WithReason(
        instance_id=_id(request.instance_id, subject),
        reason=request.reason.value if request.HasField("reason") else None,
    )


def read_restart(data: bytes) -> Restart:
    request = parsed(microsoft.RestartInstanceRequest, data, "restart")
    return Restart(instance_id=_id(request.instance_id, "restart"), with_new_id=request.restart_with_new_instance_id)


def read_purge(data: bytes) -> Purge:
    subject = "purge"
    request = parsed(microsoft.PurgeInstancesRequest, data, subject)
    force = parsed(dapr.PurgeInstancesRequest, data, subject).force
    match request.WhichOneof("request"):
        case "instance_id":
            return PurgeOne(instance_id=_id(request.instance_id, subject), recursive=request.recursive, force=force)
        case "instance_batch":
            ids = tuple(_id(instance_id, subject) for instance_id in request.instance_batch.instance_ids)
            return PurgeListed(instance_ids=ids, recursive=request.recursive, force=force)
        case "purge_instance_filter":
            return _purge_matching(request, subject, force=force)
        case _:
            raise BadRequest(subject, expected="an instance id, a list of them or a filter", found="none of them")


def _purge_matching(request: microsoft.PurgeInstancesRequest, subject: str, *, force: bool) -> PurgeMatching:
    wanted = request.purge_instance_filter
    return PurgeMatching(
        created_from=_time(wanted.created_time_from, subject) if wanted.HasField("created_time_from") else None,
        created_to=_time(wanted.created_time_to, subject) if wanted.HasField("created_time_to") else None,
        statuses=_statuses(wanted.runtime_status, subject),
        timeout=_duration(wanted.timeout) if wanted.HasField("timeout") else None,
        recursive=request.recursive,
        force=force,
    )


def read_query(data: bytes) -> Query:
    subject = "query"
    wanted = parsed(microsoft.QueryInstancesRequest, data, subject).query
    return Query(
        statuses=_statuses(wanted.runtime_status, subject),
        created_from=_time(wanted.created_time_from, subject) if wanted.HasField("created_time_from") else None,
        created_to=_time(wanted.created_time_to, subject) if wanted.HasField("created_time_to") else None,
        limit=_limit(wanted.max_instance_count, subject),
        cursor=wanted.continuation_token.value,
        id_prefix=wanted.instance_id_prefix.value,
        payloads=wanted.fetch_inputs_and_outputs,
    )


def read_list_ended(data: bytes) -> ListEnded:
    subject = "list of ended instances"
    wanted = parsed(microsoft.ListInstanceIdsRequest, data, subject)
    return ListEnded(
        statuses=_statuses(wanted.runtime_status, subject),
        completed_from=_time(wanted.completed_time_from, subject) if wanted.HasField("completed_time_from") else None,
        completed_to=_time(wanted.completed_time_to, subject) if wanted.HasField("completed_time_to") else None,
        limit=_limit(wanted.page_size, subject),
        cursor=wanted.last_instance_key.value,
    )


def read_list_all(data: bytes) -> ListAll:
    wanted = parsed(dapr.ListInstanceIDsRequest, data, "list of instances")
    return ListAll(limit=wanted.page_size, cursor=wanted.continuation_token)


def read_rerun(data: bytes) -> Rerun:
    request = parsed(dapr.RerunWorkflowFromEventRequest, data, "rerun")
    return Rerun(
        instance_id=_id(request.source_instance_id, "rerun"),
        seq=request.event_id,
        new_id=request.new_instance_id or None,
        input=request.input.value if request.HasField("input") else None,
        overwrites_input=request.overwrite_input,
        new_child_id=request.new_child_workflow_instance_id or None,
    )


def read_stream_history(data: bytes) -> ReadHistory:
    request = parsed(microsoft.StreamInstanceHistoryRequest, data, "history")
    return ReadHistory(
        instance_id=_id(request.instance_id, "history"),
        execution_id=request.execution_id.value or None,
        for_turn=request.for_work_item_processing,
    )


def read_get_history(data: bytes) -> ReadHistory:
    request = parsed(dapr.GetInstanceHistoryRequest, data, "history")
    return ReadHistory(instance_id=_id(request.instance_id, "history"))


def read_abandon(data: bytes) -> str:
    """The token of the work that a worker gives back, turn or activity."""
    return parsed(microsoft.AbandonActivityTaskRequest, data, "abandoned work").completion_token


def read_create_task_hub(data: bytes) -> bool:
    """Whether what is there shall go."""
    return parsed(microsoft.CreateTaskHubRequest, data, "task hub").recreate_if_exists


def _id(text: str, subject: str) -> str:
    return _required(text, subject, "an instance id")


def _required(text: str, subject: str, expected: str) -> str:
    if not text:
        raise BadRequest(subject, expected=expected, found="none")
    return text


def _statuses(numbers: Iterable[int], subject: str) -> frozenset[Status]:
    return frozenset(status_of(number, subject) for number in numbers)


def _limit(count: int, subject: str) -> int:
    if count < 0:
        raise BadRequest(subject, expected="a page size of 0 or more", found=str(count))
    return count


def _time(stamp: Timestamp, subject: str) -> int:
    with named(subject):
        return time_of(stamp)


def _duration(span: Duration) -> int:
    return span.seconds * SECOND + span.nanos
