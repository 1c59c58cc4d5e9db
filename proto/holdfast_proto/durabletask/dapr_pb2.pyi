from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import wrappers_pb2 as _wrappers_pb2
from holdfast_proto.v1 import history_pb2 as _history_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkerCapability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORKER_CAPABILITY_UNSPECIFIED: _ClassVar[WorkerCapability]
    WORKER_CAPABILITY_HISTORY_STREAMING: _ClassVar[WorkerCapability]
    WORKER_CAPABILITY_STATEFUL_HISTORY: _ClassVar[WorkerCapability]
    WORKER_CAPABILITY_HEALTH_PING: _ClassVar[WorkerCapability]

class HistoryPropagationScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HISTORY_PROPAGATION_SCOPE_NONE: _ClassVar[HistoryPropagationScope]
    HISTORY_PROPAGATION_SCOPE_OWN_HISTORY: _ClassVar[HistoryPropagationScope]
    HISTORY_PROPAGATION_SCOPE_LINEAGE: _ClassVar[HistoryPropagationScope]
WORKER_CAPABILITY_UNSPECIFIED: WorkerCapability
WORKER_CAPABILITY_HISTORY_STREAMING: WorkerCapability
WORKER_CAPABILITY_STATEFUL_HISTORY: WorkerCapability
WORKER_CAPABILITY_HEALTH_PING: WorkerCapability
HISTORY_PROPAGATION_SCOPE_NONE: HistoryPropagationScope
HISTORY_PROPAGATION_SCOPE_OWN_HISTORY: HistoryPropagationScope
HISTORY_PROPAGATION_SCOPE_LINEAGE: HistoryPropagationScope

class TaskRouter(_message.Message):
    __slots__ = ("source_app_id", "target_app_id", "target_app_namespace")
    SOURCE_APP_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_APP_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_APP_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    source_app_id: str
    target_app_id: str
    target_app_namespace: str
    def __init__(self, source_app_id: _Optional[str] = ..., target_app_id: _Optional[str] = ..., target_app_namespace: _Optional[str] = ...) -> None: ...

class PropagatedHistory(_message.Message):
    __slots__ = ("scope", "chunks")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    scope: HistoryPropagationScope
    chunks: _containers.RepeatedCompositeFieldContainer[PropagatedHistoryChunk]
    def __init__(self, scope: _Optional[_Union[HistoryPropagationScope, str]] = ..., chunks: _Optional[_Iterable[_Union[PropagatedHistoryChunk, _Mapping]]] = ...) -> None: ...

class PropagatedHistoryChunk(_message.Message):
    __slots__ = ("raw_events", "app_id", "instance_id", "workflow_name", "raw_signatures", "signing_cert_chains")
    RAW_EVENTS_FIELD_NUMBER: _ClassVar[int]
    APP_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_NAME_FIELD_NUMBER: _ClassVar[int]
    RAW_SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    SIGNING_CERT_CHAINS_FIELD_NUMBER: _ClassVar[int]
    raw_events: _containers.RepeatedScalarFieldContainer[bytes]
    app_id: str
    instance_id: str
    workflow_name: str
    raw_signatures: _containers.RepeatedScalarFieldContainer[bytes]
    signing_cert_chains: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, raw_events: _Optional[_Iterable[bytes]] = ..., app_id: _Optional[str] = ..., instance_id: _Optional[str] = ..., workflow_name: _Optional[str] = ..., raw_signatures: _Optional[_Iterable[bytes]] = ..., signing_cert_chains: _Optional[_Iterable[bytes]] = ...) -> None: ...

class CachedHistory(_message.Message):
    __slots__ = ("event_count",)
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    event_count: int
    def __init__(self, event_count: _Optional[int] = ...) -> None: ...

class HistoryEvent(_message.Message):
    __slots__ = ("event_id", "timestamp", "execution_started", "execution_completed", "execution_terminated", "task_scheduled", "task_completed", "task_failed", "sub_orchestration_instance_created", "sub_orchestration_instance_completed", "sub_orchestration_instance_failed", "timer_created", "timer_fired", "orchestrator_started", "orchestrator_completed", "event_sent", "event_raised", "continue_as_new", "execution_suspended", "execution_resumed", "execution_stalled", "detached_workflow_instance_created", "router")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_STARTED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TERMINATED_FIELD_NUMBER: _ClassVar[int]
    TASK_SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    TASK_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    TASK_FAILED_FIELD_NUMBER: _ClassVar[int]
    SUB_ORCHESTRATION_INSTANCE_CREATED_FIELD_NUMBER: _ClassVar[int]
    SUB_ORCHESTRATION_INSTANCE_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    SUB_ORCHESTRATION_INSTANCE_FAILED_FIELD_NUMBER: _ClassVar[int]
    TIMER_CREATED_FIELD_NUMBER: _ClassVar[int]
    TIMER_FIRED_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATOR_STARTED_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATOR_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    EVENT_SENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_RAISED_FIELD_NUMBER: _ClassVar[int]
    CONTINUE_AS_NEW_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_RESUMED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_STALLED_FIELD_NUMBER: _ClassVar[int]
    DETACHED_WORKFLOW_INSTANCE_CREATED_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    event_id: int
    timestamp: _timestamp_pb2.Timestamp
    execution_started: _history_pb2.WorkflowStarted
    execution_completed: _history_pb2.WorkflowCompleted
    execution_terminated: _history_pb2.TerminateRequested
    task_scheduled: TaskScheduledEvent
    task_completed: _history_pb2.ActivityCompleted
    task_failed: _history_pb2.ActivityFailed
    sub_orchestration_instance_created: SubOrchestrationInstanceCreatedEvent
    sub_orchestration_instance_completed: _history_pb2.ChildCompleted
    sub_orchestration_instance_failed: _history_pb2.ChildFailed
    timer_created: _history_pb2.TimerCreated
    timer_fired: _history_pb2.TimerFired
    orchestrator_started: _history_pb2.TurnStarted
    orchestrator_completed: OrchestratorCompletedEvent
    event_sent: _history_pb2.EventSent
    event_raised: _history_pb2.EventReceived
    continue_as_new: ContinueAsNewEvent
    execution_suspended: _history_pb2.Suspended
    execution_resumed: _history_pb2.Resumed
    execution_stalled: _history_pb2.Stalled
    detached_workflow_instance_created: _history_pb2.DetachedStarted
    router: TaskRouter
    def __init__(self, event_id: _Optional[int] = ..., timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., execution_started: _Optional[_Union[_history_pb2.WorkflowStarted, _Mapping]] = ..., execution_completed: _Optional[_Union[_history_pb2.WorkflowCompleted, _Mapping]] = ..., execution_terminated: _Optional[_Union[_history_pb2.TerminateRequested, _Mapping]] = ..., task_scheduled: _Optional[_Union[TaskScheduledEvent, _Mapping]] = ..., task_completed: _Optional[_Union[_history_pb2.ActivityCompleted, _Mapping]] = ..., task_failed: _Optional[_Union[_history_pb2.ActivityFailed, _Mapping]] = ..., sub_orchestration_instance_created: _Optional[_Union[SubOrchestrationInstanceCreatedEvent, _Mapping]] = ..., sub_orchestration_instance_completed: _Optional[_Union[_history_pb2.ChildCompleted, _Mapping]] = ..., sub_orchestration_instance_failed: _Optional[_Union[_history_pb2.ChildFailed, _Mapping]] = ..., timer_created: _Optional[_Union[_history_pb2.TimerCreated, _Mapping]] = ..., timer_fired: _Optional[_Union[_history_pb2.TimerFired, _Mapping]] = ..., orchestrator_started: _Optional[_Union[_history_pb2.TurnStarted, _Mapping]] = ..., orchestrator_completed: _Optional[_Union[OrchestratorCompletedEvent, _Mapping]] = ..., event_sent: _Optional[_Union[_history_pb2.EventSent, _Mapping]] = ..., event_raised: _Optional[_Union[_history_pb2.EventReceived, _Mapping]] = ..., continue_as_new: _Optional[_Union[ContinueAsNewEvent, _Mapping]] = ..., execution_suspended: _Optional[_Union[_history_pb2.Suspended, _Mapping]] = ..., execution_resumed: _Optional[_Union[_history_pb2.Resumed, _Mapping]] = ..., execution_stalled: _Optional[_Union[_history_pb2.Stalled, _Mapping]] = ..., detached_workflow_instance_created: _Optional[_Union[_history_pb2.DetachedStarted, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class TaskScheduledEvent(_message.Message):
    __slots__ = ("name", "version", "input", "parent_trace_context", "task_execution_id", "rerun_parent_instance_info", "history_propagation_scope")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RERUN_PARENT_INSTANCE_INFO_FIELD_NUMBER: _ClassVar[int]
    HISTORY_PROPAGATION_SCOPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    parent_trace_context: _history_pb2.Trace
    task_execution_id: str
    rerun_parent_instance_info: _history_pb2.Origin
    history_propagation_scope: HistoryPropagationScope
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ..., task_execution_id: _Optional[str] = ..., rerun_parent_instance_info: _Optional[_Union[_history_pb2.Origin, _Mapping]] = ..., history_propagation_scope: _Optional[_Union[HistoryPropagationScope, str]] = ...) -> None: ...

class SubOrchestrationInstanceCreatedEvent(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "parent_trace_context", "rerun_parent_instance_info", "history_propagation_scope", "retry_parent_instance_info")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    RERUN_PARENT_INSTANCE_INFO_FIELD_NUMBER: _ClassVar[int]
    HISTORY_PROPAGATION_SCOPE_FIELD_NUMBER: _ClassVar[int]
    RETRY_PARENT_INSTANCE_INFO_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    parent_trace_context: _history_pb2.Trace
    rerun_parent_instance_info: _history_pb2.Origin
    history_propagation_scope: HistoryPropagationScope
    retry_parent_instance_info: _history_pb2.Origin
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ..., rerun_parent_instance_info: _Optional[_Union[_history_pb2.Origin, _Mapping]] = ..., history_propagation_scope: _Optional[_Union[HistoryPropagationScope, str]] = ..., retry_parent_instance_info: _Optional[_Union[_history_pb2.Origin, _Mapping]] = ...) -> None: ...

class OrchestratorCompletedEvent(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ContinueAsNewEvent(_message.Message):
    __slots__ = ("input",)
    INPUT_FIELD_NUMBER: _ClassVar[int]
    input: _wrappers_pb2.StringValue
    def __init__(self, input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class OrchestratorAction(_message.Message):
    __slots__ = ("id", "schedule_task", "create_sub_orchestration", "create_timer", "send_event", "complete_orchestration", "terminate_orchestration", "orchestrator_version_not_available", "create_detached_workflow", "router")
    ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TASK_FIELD_NUMBER: _ClassVar[int]
    CREATE_SUB_ORCHESTRATION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIMER_FIELD_NUMBER: _ClassVar[int]
    SEND_EVENT_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_ORCHESTRATION_FIELD_NUMBER: _ClassVar[int]
    TERMINATE_ORCHESTRATION_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATOR_VERSION_NOT_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    CREATE_DETACHED_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    id: int
    schedule_task: ScheduleTaskAction
    create_sub_orchestration: CreateSubOrchestrationAction
    create_timer: _history_pb2.CreateTimer
    send_event: _history_pb2.SendEvent
    complete_orchestration: CompleteOrchestrationAction
    terminate_orchestration: _history_pb2.TerminateInstance
    orchestrator_version_not_available: OrchestratorVersionNotAvailableAction
    create_detached_workflow: _history_pb2.StartDetached
    router: TaskRouter
    def __init__(self, id: _Optional[int] = ..., schedule_task: _Optional[_Union[ScheduleTaskAction, _Mapping]] = ..., create_sub_orchestration: _Optional[_Union[CreateSubOrchestrationAction, _Mapping]] = ..., create_timer: _Optional[_Union[_history_pb2.CreateTimer, _Mapping]] = ..., send_event: _Optional[_Union[_history_pb2.SendEvent, _Mapping]] = ..., complete_orchestration: _Optional[_Union[CompleteOrchestrationAction, _Mapping]] = ..., terminate_orchestration: _Optional[_Union[_history_pb2.TerminateInstance, _Mapping]] = ..., orchestrator_version_not_available: _Optional[_Union[OrchestratorVersionNotAvailableAction, _Mapping]] = ..., create_detached_workflow: _Optional[_Union[_history_pb2.StartDetached, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class ScheduleTaskAction(_message.Message):
    __slots__ = ("name", "version", "input", "router", "task_execution_id", "history_propagation_scope")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_PROPAGATION_SCOPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    router: TaskRouter
    task_execution_id: str
    history_propagation_scope: HistoryPropagationScope
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ..., task_execution_id: _Optional[str] = ..., history_propagation_scope: _Optional[_Union[HistoryPropagationScope, str]] = ...) -> None: ...

class CreateSubOrchestrationAction(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "router", "history_propagation_scope", "retry_parent_instance_info")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    HISTORY_PROPAGATION_SCOPE_FIELD_NUMBER: _ClassVar[int]
    RETRY_PARENT_INSTANCE_INFO_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    router: TaskRouter
    history_propagation_scope: HistoryPropagationScope
    retry_parent_instance_info: _history_pb2.Origin
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ..., history_propagation_scope: _Optional[_Union[HistoryPropagationScope, str]] = ..., retry_parent_instance_info: _Optional[_Union[_history_pb2.Origin, _Mapping]] = ...) -> None: ...

class CompleteOrchestrationAction(_message.Message):
    __slots__ = ("orchestration_status", "result", "details", "new_version", "carryover_events", "failure_details")
    ORCHESTRATION_STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    NEW_VERSION_FIELD_NUMBER: _ClassVar[int]
    CARRYOVER_EVENTS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    orchestration_status: int
    result: _wrappers_pb2.StringValue
    details: _wrappers_pb2.StringValue
    new_version: _wrappers_pb2.StringValue
    carryover_events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    failure_details: _history_pb2.Failure
    def __init__(self, orchestration_status: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., details: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., new_version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., carryover_events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., failure_details: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ...) -> None: ...

class OrchestratorVersionNotAvailableAction(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetWorkItemsRequest(_message.Message):
    __slots__ = ("max_concurrent_orchestration_work_items", "max_concurrent_activity_work_items", "max_concurrent_entity_work_items", "capabilities", "legacy_capabilities")
    MAX_CONCURRENT_ORCHESTRATION_WORK_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_ACTIVITY_WORK_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_ENTITY_WORK_ITEMS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    LEGACY_CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    max_concurrent_orchestration_work_items: int
    max_concurrent_activity_work_items: int
    max_concurrent_entity_work_items: int
    capabilities: _containers.RepeatedScalarFieldContainer[WorkerCapability]
    legacy_capabilities: _containers.RepeatedScalarFieldContainer[WorkerCapability]
    def __init__(self, max_concurrent_orchestration_work_items: _Optional[int] = ..., max_concurrent_activity_work_items: _Optional[int] = ..., max_concurrent_entity_work_items: _Optional[int] = ..., capabilities: _Optional[_Iterable[_Union[WorkerCapability, str]]] = ..., legacy_capabilities: _Optional[_Iterable[_Union[WorkerCapability, str]]] = ...) -> None: ...

class WorkItem(_message.Message):
    __slots__ = ("orchestrator_request", "activity_request", "legacy_health_ping", "health_ping", "completion_token")
    ORCHESTRATOR_REQUEST_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_REQUEST_FIELD_NUMBER: _ClassVar[int]
    LEGACY_HEALTH_PING_FIELD_NUMBER: _ClassVar[int]
    HEALTH_PING_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    orchestrator_request: OrchestratorRequest
    activity_request: ActivityRequest
    legacy_health_ping: HealthPing
    health_ping: HealthPing
    completion_token: str
    def __init__(self, orchestrator_request: _Optional[_Union[OrchestratorRequest, _Mapping]] = ..., activity_request: _Optional[_Union[ActivityRequest, _Mapping]] = ..., legacy_health_ping: _Optional[_Union[HealthPing, _Mapping]] = ..., health_ping: _Optional[_Union[HealthPing, _Mapping]] = ..., completion_token: _Optional[str] = ...) -> None: ...

class HealthPing(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OrchestratorRequest(_message.Message):
    __slots__ = ("instance_id", "execution_id", "past_events", "new_events", "requires_history_streaming", "router", "propagated_history", "cached_history")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAST_EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEW_EVENTS_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_HISTORY_STREAMING_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    PROPAGATED_HISTORY_FIELD_NUMBER: _ClassVar[int]
    CACHED_HISTORY_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: _wrappers_pb2.StringValue
    past_events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    new_events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    requires_history_streaming: bool
    router: TaskRouter
    propagated_history: PropagatedHistory
    cached_history: CachedHistory
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., past_events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., new_events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., requires_history_streaming: bool = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ..., propagated_history: _Optional[_Union[PropagatedHistory, _Mapping]] = ..., cached_history: _Optional[_Union[CachedHistory, _Mapping]] = ...) -> None: ...

class OrchestratorResponse(_message.Message):
    __slots__ = ("instance_id", "actions", "custom_status", "completion_token", "num_events_processed", "version")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_STATUS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NUM_EVENTS_PROCESSED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    actions: _containers.RepeatedCompositeFieldContainer[OrchestratorAction]
    custom_status: _wrappers_pb2.StringValue
    completion_token: str
    num_events_processed: _wrappers_pb2.Int32Value
    version: _history_pb2.Version
    def __init__(self, instance_id: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[OrchestratorAction, _Mapping]]] = ..., custom_status: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., completion_token: _Optional[str] = ..., num_events_processed: _Optional[_Union[_wrappers_pb2.Int32Value, _Mapping]] = ..., version: _Optional[_Union[_history_pb2.Version, _Mapping]] = ...) -> None: ...

class ActivityRequest(_message.Message):
    __slots__ = ("name", "version", "input", "orchestration_instance", "task_id", "parent_trace_context", "task_execution_id", "propagated_history")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATION_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    PROPAGATED_HISTORY_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    orchestration_instance: _history_pb2.Instance
    task_id: int
    parent_trace_context: _history_pb2.Trace
    task_execution_id: str
    propagated_history: PropagatedHistory
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., orchestration_instance: _Optional[_Union[_history_pb2.Instance, _Mapping]] = ..., task_id: _Optional[int] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ..., task_execution_id: _Optional[str] = ..., propagated_history: _Optional[_Union[PropagatedHistory, _Mapping]] = ...) -> None: ...

class ActivityResponse(_message.Message):
    __slots__ = ("instance_id", "task_id", "result", "failure_details", "completion_token")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    task_id: int
    result: _wrappers_pb2.StringValue
    failure_details: _history_pb2.Failure
    completion_token: str
    def __init__(self, instance_id: _Optional[str] = ..., task_id: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., failure_details: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ..., completion_token: _Optional[str] = ...) -> None: ...

class CompleteTaskResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AbandonActivityTaskRequest(_message.Message):
    __slots__ = ("completion_token",)
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    completion_token: str
    def __init__(self, completion_token: _Optional[str] = ...) -> None: ...

class AbandonActivityTaskResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AbandonOrchestrationTaskRequest(_message.Message):
    __slots__ = ("completion_token",)
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    completion_token: str
    def __init__(self, completion_token: _Optional[str] = ...) -> None: ...

class AbandonOrchestrationTaskResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamInstanceHistoryRequest(_message.Message):
    __slots__ = ("instance_id", "execution_id", "for_work_item_processing")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    FOR_WORK_ITEM_PROCESSING_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: _wrappers_pb2.StringValue
    for_work_item_processing: bool
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., for_work_item_processing: bool = ...) -> None: ...

class HistoryChunk(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ...) -> None: ...

class GetInstanceHistoryRequest(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class GetInstanceHistoryResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ...) -> None: ...

class CreateInstanceRequest(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "scheduled_start_timestamp", "orchestration_id_reuse_policy", "execution_id", "tags", "parent_trace_context", "enforce_unique_instance_id", "router")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_START_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATION_ID_REUSE_POLICY_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ENFORCE_UNIQUE_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    scheduled_start_timestamp: _timestamp_pb2.Timestamp
    orchestration_id_reuse_policy: OrchestrationIdReusePolicy
    execution_id: _wrappers_pb2.StringValue
    tags: _containers.ScalarMap[str, str]
    parent_trace_context: _history_pb2.Trace
    enforce_unique_instance_id: bool
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., scheduled_start_timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., orchestration_id_reuse_policy: _Optional[_Union[OrchestrationIdReusePolicy, _Mapping]] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ..., enforce_unique_instance_id: bool = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class OrchestrationIdReusePolicy(_message.Message):
    __slots__ = ("operation_status", "action")
    OPERATION_STATUS_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    operation_status: _containers.RepeatedScalarFieldContainer[int]
    action: int
    def __init__(self, operation_status: _Optional[_Iterable[int]] = ..., action: _Optional[int] = ...) -> None: ...

class CreateInstanceResponse(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class GetInstanceRequest(_message.Message):
    __slots__ = ("instance_id", "get_inputs_and_outputs", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    GET_INPUTS_AND_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    get_inputs_and_outputs: bool
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., get_inputs_and_outputs: bool = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class GetInstanceResponse(_message.Message):
    __slots__ = ("exists", "orchestration_state")
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATION_STATE_FIELD_NUMBER: _ClassVar[int]
    exists: bool
    orchestration_state: OrchestrationState
    def __init__(self, exists: bool = ..., orchestration_state: _Optional[_Union[OrchestrationState, _Mapping]] = ...) -> None: ...

class OrchestrationState(_message.Message):
    __slots__ = ("instance_id", "name", "version", "orchestration_status", "scheduled_start_timestamp", "created_timestamp", "last_updated_timestamp", "input", "output", "custom_status", "failure_details", "execution_id", "completed_timestamp", "parent_instance_id", "tags", "parent_app_id", "started_at")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATION_STATUS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_START_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    CREATED_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    LAST_UPDATED_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_STATUS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    PARENT_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PARENT_APP_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    orchestration_status: int
    scheduled_start_timestamp: _timestamp_pb2.Timestamp
    created_timestamp: _timestamp_pb2.Timestamp
    last_updated_timestamp: _timestamp_pb2.Timestamp
    input: _wrappers_pb2.StringValue
    output: _wrappers_pb2.StringValue
    custom_status: _wrappers_pb2.StringValue
    failure_details: _history_pb2.Failure
    execution_id: _wrappers_pb2.StringValue
    completed_timestamp: _timestamp_pb2.Timestamp
    parent_instance_id: _wrappers_pb2.StringValue
    tags: _containers.ScalarMap[str, str]
    parent_app_id: _wrappers_pb2.StringValue
    started_at: _timestamp_pb2.Timestamp
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., orchestration_status: _Optional[int] = ..., scheduled_start_timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., created_timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., last_updated_timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., output: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., custom_status: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., failure_details: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., completed_timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., parent_instance_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ..., parent_app_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., started_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RaiseEventRequest(_message.Message):
    __slots__ = ("instance_id", "name", "input", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    input: _wrappers_pb2.StringValue
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class RaiseEventResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TerminateRequest(_message.Message):
    __slots__ = ("instance_id", "output", "recursive", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    output: _wrappers_pb2.StringValue
    recursive: bool
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., output: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., recursive: bool = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class TerminateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SuspendRequest(_message.Message):
    __slots__ = ("instance_id", "reason", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: _wrappers_pb2.StringValue
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class SuspendResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("instance_id", "reason", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: _wrappers_pb2.StringValue
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class ResumeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RewindInstanceRequest(_message.Message):
    __slots__ = ("instance_id", "reason")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class RewindInstanceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueryInstancesRequest(_message.Message):
    __slots__ = ("query",)
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: InstanceQuery
    def __init__(self, query: _Optional[_Union[InstanceQuery, _Mapping]] = ...) -> None: ...

class InstanceQuery(_message.Message):
    __slots__ = ("runtime_status", "created_time_from", "created_time_to", "task_hub_names", "max_instance_count", "continuation_token", "instance_id_prefix", "fetch_inputs_and_outputs")
    RUNTIME_STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATED_TIME_FROM_FIELD_NUMBER: _ClassVar[int]
    CREATED_TIME_TO_FIELD_NUMBER: _ClassVar[int]
    TASK_HUB_NAMES_FIELD_NUMBER: _ClassVar[int]
    MAX_INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    FETCH_INPUTS_AND_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    runtime_status: _containers.RepeatedScalarFieldContainer[int]
    created_time_from: _timestamp_pb2.Timestamp
    created_time_to: _timestamp_pb2.Timestamp
    task_hub_names: _containers.RepeatedCompositeFieldContainer[_wrappers_pb2.StringValue]
    max_instance_count: int
    continuation_token: _wrappers_pb2.StringValue
    instance_id_prefix: _wrappers_pb2.StringValue
    fetch_inputs_and_outputs: bool
    def __init__(self, runtime_status: _Optional[_Iterable[int]] = ..., created_time_from: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., created_time_to: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., task_hub_names: _Optional[_Iterable[_Union[_wrappers_pb2.StringValue, _Mapping]]] = ..., max_instance_count: _Optional[int] = ..., continuation_token: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., instance_id_prefix: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., fetch_inputs_and_outputs: bool = ...) -> None: ...

class QueryInstancesResponse(_message.Message):
    __slots__ = ("orchestration_state", "continuation_token")
    ORCHESTRATION_STATE_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    orchestration_state: _containers.RepeatedCompositeFieldContainer[OrchestrationState]
    continuation_token: _wrappers_pb2.StringValue
    def __init__(self, orchestration_state: _Optional[_Iterable[_Union[OrchestrationState, _Mapping]]] = ..., continuation_token: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class ListInstanceIDsRequest(_message.Message):
    __slots__ = ("continuation_token", "page_size")
    CONTINUATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    continuation_token: str
    page_size: int
    def __init__(self, continuation_token: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListInstanceIDsResponse(_message.Message):
    __slots__ = ("instance_ids", "continuation_token")
    INSTANCE_IDS_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    instance_ids: _containers.RepeatedScalarFieldContainer[str]
    continuation_token: str
    def __init__(self, instance_ids: _Optional[_Iterable[str]] = ..., continuation_token: _Optional[str] = ...) -> None: ...

class PurgeInstancesRequest(_message.Message):
    __slots__ = ("instance_id", "purge_instance_filter", "recursive", "force", "router")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    PURGE_INSTANCE_FILTER_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    purge_instance_filter: PurgeInstanceFilter
    recursive: bool
    force: bool
    router: TaskRouter
    def __init__(self, instance_id: _Optional[str] = ..., purge_instance_filter: _Optional[_Union[PurgeInstanceFilter, _Mapping]] = ..., recursive: bool = ..., force: bool = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class PurgeInstanceFilter(_message.Message):
    __slots__ = ("created_time_from", "created_time_to", "runtime_status")
    CREATED_TIME_FROM_FIELD_NUMBER: _ClassVar[int]
    CREATED_TIME_TO_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_STATUS_FIELD_NUMBER: _ClassVar[int]
    created_time_from: _timestamp_pb2.Timestamp
    created_time_to: _timestamp_pb2.Timestamp
    runtime_status: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, created_time_from: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., created_time_to: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., runtime_status: _Optional[_Iterable[int]] = ...) -> None: ...

class PurgeInstancesResponse(_message.Message):
    __slots__ = ("deleted_instance_count", "is_complete")
    DELETED_INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    deleted_instance_count: int
    is_complete: _wrappers_pb2.BoolValue
    def __init__(self, deleted_instance_count: _Optional[int] = ..., is_complete: _Optional[_Union[_wrappers_pb2.BoolValue, _Mapping]] = ...) -> None: ...

class RerunWorkflowFromEventRequest(_message.Message):
    __slots__ = ("source_instance_id", "event_id", "new_instance_id", "input", "overwrite_input", "new_child_workflow_instance_id", "router")
    SOURCE_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    NEW_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OVERWRITE_INPUT_FIELD_NUMBER: _ClassVar[int]
    NEW_CHILD_WORKFLOW_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    source_instance_id: str
    event_id: int
    new_instance_id: str
    input: _wrappers_pb2.StringValue
    overwrite_input: bool
    new_child_workflow_instance_id: str
    router: TaskRouter
    def __init__(self, source_instance_id: _Optional[str] = ..., event_id: _Optional[int] = ..., new_instance_id: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., overwrite_input: bool = ..., new_child_workflow_instance_id: _Optional[str] = ..., router: _Optional[_Union[TaskRouter, _Mapping]] = ...) -> None: ...

class RerunWorkflowFromEventResponse(_message.Message):
    __slots__ = ("new_instance_id",)
    NEW_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    new_instance_id: str
    def __init__(self, new_instance_id: _Optional[str] = ...) -> None: ...
