"""Every field that a real client can send is read as what the client meant, or is known to be passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType
from typing import Final

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from holdfast_proto.durabletask import dapr_pb2, microsoft_pb2
from holdfast_proto.v1 import history_pb2
from tests.unit.proto.vectors import BY_CLIENT

SCHEMAS: Final[dict[str, ModuleType]] = {"microsoft": microsoft_pb2, "legacy": dapr_pb2, "dapr": dapr_pb2}

# Names that Dapr gave to messages which we call by their older name.
RENAMED: Final = {
    "WorkflowRequest": "OrchestratorRequest",
    "WorkflowResponse": "OrchestratorResponse",
    "WorkflowState": "OrchestrationState",
    "WorkflowAction": "OrchestratorAction",
    "CreateChildWorkflowAction": "CreateSubOrchestrationAction",
    "CompleteWorkflowAction": "CompleteOrchestrationAction",
    "ChildWorkflowInstanceCreatedEvent": "SubOrchestrationInstanceCreatedEvent",
    "WorkflowCompletedEvent": "OrchestratorCompletedEvent",
    "WorkflowVersionNotAvailableAction": "OrchestratorVersionNotAvailableAction",
}
SHARED: Final = {
    "OrchestrationInstance": "Instance",
    "WorkflowInstance": "Instance",
    "ParentInstanceInfo": "Parent",
    "TraceContext": "Trace",
    "TaskFailureDetails": "Failure",
    "OrchestrationVersion": "Version",
    "WorkflowVersion": "Version",
    "RerunParentInstanceInfo": "Origin",
    "RetryParentInstanceInfo": "Origin",
    "ExecutionStartedEvent": "WorkflowStarted",
    "ExecutionCompletedEvent": "WorkflowCompleted",
    "ExecutionTerminatedEvent": "TerminateRequested",
    "TaskCompletedEvent": "ActivityCompleted",
    "TaskFailedEvent": "ActivityFailed",
    "SubOrchestrationInstanceCompletedEvent": "ChildCompleted",
    "ChildWorkflowInstanceCompletedEvent": "ChildCompleted",
    "SubOrchestrationInstanceFailedEvent": "ChildFailed",
    "ChildWorkflowInstanceFailedEvent": "ChildFailed",
    "TimerCreatedEvent": "TimerCreated",
    "TimerFiredEvent": "TimerFired",
    "OrchestratorStartedEvent": "TurnStarted",
    "WorkflowStartedEvent": "TurnStarted",
    "EventSentEvent": "EventSent",
    "EventRaisedEvent": "EventReceived",
    "ExecutionSuspendedEvent": "Suspended",
    "ExecutionResumedEvent": "Resumed",
    "ExecutionRewoundEvent": "Rewound",
    "ExecutionStalledEvent": "Stalled",
    "DetachedWorkflowInstanceCreatedEvent": "DetachedStarted",
    "CreateTimerAction": "CreateTimer",
    "SendEventAction": "SendEvent",
    "TerminateOrchestrationAction": "TerminateInstance",
    "TerminateWorkflowAction": "TerminateInstance",
    "CreateDetachedWorkflowAction": "StartDetached",
    "TimerOriginCreateTimer": "UserTimer",
    "TimerOriginExternalEvent": "EventTimeout",
    "TimerOriginActivityRetry": "ActivityRetry",
    "TimerOriginChildWorkflowRetry": "ChildRetry",
}
# Where our name for a field is not the client's.
OUR_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "capabilities": ("legacy_capabilities",),
    "child_workflow_instance_completed": ("sub_orchestration_instance_completed",),
    "child_workflow_instance_created": ("sub_orchestration_instance_created",),
    "child_workflow_instance_failed": ("sub_orchestration_instance_failed",),
    "child_workflow_retry": ("child_retry",),
    "complete_workflow": ("complete_orchestration",),
    "create_child_workflow": ("create_sub_orchestration",),
    "create_timer": ("user",),
    "data": ("input",),
    "error_message": ("message",),
    "error_type": ("kind",),
    "external_event": ("event_timeout",),
    "failure_details": ("failure",),
    "health_ping": ("legacy_health_ping",),
    "inner_failure": ("cause",),
    "input": (
        "output",
        "reason",
    ),
    "is_non_retriable": ("is_non_retryable",),
    "orchestration_instance": ("instance",),
    "orchestration_status": ("status",),
    "parent_instance": ("parent",),
    "parent_trace_context": ("trace",),
    "rerun_parent_instance_info": ("rerun_of",),
    "scheduled_start_timestamp": ("scheduled_at",),
    "stack_trace": ("stack",),
    "task_scheduled_id": ("seq",),
    "terminate_workflow": ("terminate_orchestration",),
    "timer_id": ("seq",),
    "trace_parent": ("parent",),
    "trace_state": ("state",),
    "workflow_completed": ("orchestrator_completed",),
    "workflow_instance": (
        "instance",
        "orchestration_instance",
    ),
    "workflow_request": ("orchestrator_request",),
    "workflow_started": ("orchestrator_started",),
    "workflow_state": ("orchestration_state",),
    "workflow_status": (
        "orchestration_status",
        "status",
    ),
    "workflow_version_not_available": ("orchestrator_version_not_available",),
}
# What clients have and we pass over: the older span id of a start, signatures of Dapr's history signing, and, of the
# legacy Dapr client, entities, which no Dapr SDK offers.
NONE: Final = frozenset[int]()
PASSED_OVER: Final[dict[str, set[int]]] = {
    "WorkflowStarted": {8},
    "ActivityCompleted": {4, 5},
    "ActivityFailed": {4, 5},
    "ChildCompleted": {3, 4},
    "ChildFailed": {3, 4},
}
PASSED_OVER_OF_LEGACY: Final[dict[str, set[int]]] = {
    "HistoryEvent": {18, 19, *range(23, 30)},
    "OrchestratorAction": {8},
    "OrchestratorRequest": {5},
    "WorkItem": {3, 5},
}


def cases() -> Iterator[tuple[str, str]]:
    for client, vectors in BY_CLIENT.items():
        for name in vectors["filled"]:
            if kind_of(client, name) is not None:
                yield client, name


def kind_of(client: str, name: str) -> type[Message] | None:
    kind: type[Message] | None = getattr(SCHEMAS[client], RENAMED.get(name, name), None)
    if kind is None:
        kind = getattr(history_pb2, SHARED.get(name, ""), None)
    return kind


@pytest.mark.parametrize(("client", "name"), list(cases()))
def test_a_filled_message_of_a_client_is_read_field_by_field(client: str, name: str) -> None:
    kind = kind_of(client, name)
    assert kind is not None
    for vector in BY_CLIENT[client]["filled"][name]:
        check_fields(kind.FromString(bytes.fromhex(vector)), client)


@pytest.mark.parametrize(("client", "name"), list(cases()))
def test_a_field_has_the_name_that_the_client_gives_its_number(client: str, name: str) -> None:
    kind = kind_of(client, name)
    assert kind is not None
    theirs = {int(number): snake(field) for number, field in BY_CLIENT[client]["fields"][name].items()}
    differing = {
        (number, field, kind.DESCRIPTOR.fields_by_number[number].name)
        for number, field in theirs.items()
        if number in kind.DESCRIPTOR.fields_by_number
        and kind.DESCRIPTOR.fields_by_number[number].name not in {field, *OUR_WORDS.get(field, ())}
    }
    assert differing == set()


@pytest.mark.parametrize("client", list(SCHEMAS))
def test_no_message_that_matters_is_missing(client: str) -> None:
    missing = {name for name in BY_CLIENT[client]["filled"] if kind_of(client, name) is None}
    entities = {name for name in missing if "Entit" in name or name.startswith(("Operation", "SendSignal"))}
    signing = {name for name in missing if "Attestation" in name or "Signing" in name}
    rest = missing - entities - signing
    assert rest == (LEFT_OUT_OF_LEGACY if client == "legacy" else set())


LEFT_OUT_OF_LEGACY: Final = {
    "CreateTaskHubRequest",
    "CreateTaskHubResponse",
    "DeleteTaskHubRequest",
    "DeleteTaskHubResponse",
    "GenericEvent",
    "HistoryStateEvent",
    "StartNewOrchestrationAction",
}


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name.replace("IDs", "Ids").replace("ID", "Id")).lower()


def check_fields(message: Message, client: str, holder: int | None = None) -> None:
    """Values name the field that they were written to; see `make_vectors.py`."""
    name = message.DESCRIPTOR.name
    allowed = PASSED_OVER.get(name, NONE) | (PASSED_OVER_OF_LEGACY.get(name, NONE) if client == "legacy" else NONE)
    unknown = UnknownFieldSet(message)
    assert {unknown[nth].field_number for nth in range(len(unknown))} <= allowed, name
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            assert list(value) == [f"k{field.number}"], field.full_name
        else:
            for item in [value] if isinstance(value, SINGLE) else value:
                check_value(field, item, client, number=holder or field.number)


def check_value(field: FieldDescriptor, value: object, client: str, *, number: int) -> None:
    if isinstance(value, Message):
        is_known = value.DESCRIPTOR.full_name.startswith("google.protobuf.")
        check_fields(value, client, holder=number if is_known else None)
    elif isinstance(value, str):
        assert value == f"s{number}", field.full_name
    elif isinstance(value, bytes):
        assert value == f"b{number}".encode() or field.full_name == "holdfast.v1.Failure.properties"
    elif isinstance(value, bool) or field.name in ENUMERATED:
        assert value
    else:
        assert value == number or field.enum_type is not None, field.full_name


SINGLE: Final = (str, bytes, int, float, Message)
ENUMERATED: Final = {
    "status",
    "reason",
    "action",
    "orchestration_status",
    "runtime_status",
    "operation_status",
    "replaceable_status",
}
