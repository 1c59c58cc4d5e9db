from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
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
    WORKER_CAPABILITY_SCHEDULED_TASKS: _ClassVar[WorkerCapability]
    WORKER_CAPABILITY_LARGE_PAYLOADS: _ClassVar[WorkerCapability]
WORKER_CAPABILITY_UNSPECIFIED: WorkerCapability
WORKER_CAPABILITY_HISTORY_STREAMING: WorkerCapability
WORKER_CAPABILITY_SCHEDULED_TASKS: WorkerCapability
WORKER_CAPABILITY_LARGE_PAYLOADS: WorkerCapability

class OrchestrationTraceContext(_message.Message):
    __slots__ = ("span_id", "span_start_time")
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    SPAN_START_TIME_FIELD_NUMBER: _ClassVar[int]
    span_id: _wrappers_pb2.StringValue
    span_start_time: _timestamp_pb2.Timestamp
    def __init__(self, span_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., span_start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class InstanceBatch(_message.Message):
    __slots__ = ("instance_ids",)
    INSTANCE_IDS_FIELD_NUMBER: _ClassVar[int]
    instance_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, instance_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class HistoryEvent(_message.Message):
    __slots__ = ("event_id", "timestamp", "execution_started", "execution_completed", "execution_terminated", "task_scheduled", "task_completed", "task_failed", "sub_orchestration_instance_created", "sub_orchestration_instance_completed", "sub_orchestration_instance_failed", "timer_created", "timer_fired", "orchestrator_started", "orchestrator_completed", "event_sent", "event_raised", "generic_event", "history_state", "continue_as_new", "execution_suspended", "execution_resumed", "entity_operation_signaled", "entity_operation_called", "entity_operation_completed", "entity_operation_failed", "entity_lock_requested", "entity_lock_granted", "entity_unlock_sent", "execution_rewound")
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
    GENERIC_EVENT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_STATE_FIELD_NUMBER: _ClassVar[int]
    CONTINUE_AS_NEW_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_RESUMED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_OPERATION_SIGNALED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_OPERATION_CALLED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_OPERATION_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_OPERATION_FAILED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_LOCK_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_LOCK_GRANTED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_UNLOCK_SENT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_REWOUND_FIELD_NUMBER: _ClassVar[int]
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
    generic_event: GenericEvent
    history_state: HistoryStateEvent
    continue_as_new: ContinueAsNewEvent
    execution_suspended: _history_pb2.Suspended
    execution_resumed: _history_pb2.Resumed
    entity_operation_signaled: EntityOperationSignaledEvent
    entity_operation_called: EntityOperationCalledEvent
    entity_operation_completed: EntityOperationCompletedEvent
    entity_operation_failed: EntityOperationFailedEvent
    entity_lock_requested: EntityLockRequestedEvent
    entity_lock_granted: EntityLockGrantedEvent
    entity_unlock_sent: EntityUnlockSentEvent
    execution_rewound: _history_pb2.Rewound
    def __init__(self, event_id: _Optional[int] = ..., timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., execution_started: _Optional[_Union[_history_pb2.WorkflowStarted, _Mapping]] = ..., execution_completed: _Optional[_Union[_history_pb2.WorkflowCompleted, _Mapping]] = ..., execution_terminated: _Optional[_Union[_history_pb2.TerminateRequested, _Mapping]] = ..., task_scheduled: _Optional[_Union[TaskScheduledEvent, _Mapping]] = ..., task_completed: _Optional[_Union[_history_pb2.ActivityCompleted, _Mapping]] = ..., task_failed: _Optional[_Union[_history_pb2.ActivityFailed, _Mapping]] = ..., sub_orchestration_instance_created: _Optional[_Union[SubOrchestrationInstanceCreatedEvent, _Mapping]] = ..., sub_orchestration_instance_completed: _Optional[_Union[_history_pb2.ChildCompleted, _Mapping]] = ..., sub_orchestration_instance_failed: _Optional[_Union[_history_pb2.ChildFailed, _Mapping]] = ..., timer_created: _Optional[_Union[_history_pb2.TimerCreated, _Mapping]] = ..., timer_fired: _Optional[_Union[_history_pb2.TimerFired, _Mapping]] = ..., orchestrator_started: _Optional[_Union[_history_pb2.TurnStarted, _Mapping]] = ..., orchestrator_completed: _Optional[_Union[OrchestratorCompletedEvent, _Mapping]] = ..., event_sent: _Optional[_Union[_history_pb2.EventSent, _Mapping]] = ..., event_raised: _Optional[_Union[_history_pb2.EventReceived, _Mapping]] = ..., generic_event: _Optional[_Union[GenericEvent, _Mapping]] = ..., history_state: _Optional[_Union[HistoryStateEvent, _Mapping]] = ..., continue_as_new: _Optional[_Union[ContinueAsNewEvent, _Mapping]] = ..., execution_suspended: _Optional[_Union[_history_pb2.Suspended, _Mapping]] = ..., execution_resumed: _Optional[_Union[_history_pb2.Resumed, _Mapping]] = ..., entity_operation_signaled: _Optional[_Union[EntityOperationSignaledEvent, _Mapping]] = ..., entity_operation_called: _Optional[_Union[EntityOperationCalledEvent, _Mapping]] = ..., entity_operation_completed: _Optional[_Union[EntityOperationCompletedEvent, _Mapping]] = ..., entity_operation_failed: _Optional[_Union[EntityOperationFailedEvent, _Mapping]] = ..., entity_lock_requested: _Optional[_Union[EntityLockRequestedEvent, _Mapping]] = ..., entity_lock_granted: _Optional[_Union[EntityLockGrantedEvent, _Mapping]] = ..., entity_unlock_sent: _Optional[_Union[EntityUnlockSentEvent, _Mapping]] = ..., execution_rewound: _Optional[_Union[_history_pb2.Rewound, _Mapping]] = ...) -> None: ...

class TaskScheduledEvent(_message.Message):
    __slots__ = ("name", "version", "input", "parent_trace_context", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    parent_trace_context: _history_pb2.Trace
    tags: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class SubOrchestrationInstanceCreatedEvent(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "parent_trace_context", "tags")
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
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    parent_trace_context: _history_pb2.Trace
    tags: _containers.ScalarMap[str, str]
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class OrchestratorCompletedEvent(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GenericEvent(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: _wrappers_pb2.StringValue
    def __init__(self, data: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class HistoryStateEvent(_message.Message):
    __slots__ = ("orchestration_state",)
    ORCHESTRATION_STATE_FIELD_NUMBER: _ClassVar[int]
    orchestration_state: OrchestrationState
    def __init__(self, orchestration_state: _Optional[_Union[OrchestrationState, _Mapping]] = ...) -> None: ...

class ContinueAsNewEvent(_message.Message):
    __slots__ = ("input",)
    INPUT_FIELD_NUMBER: _ClassVar[int]
    input: _wrappers_pb2.StringValue
    def __init__(self, input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class EntityOperationSignaledEvent(_message.Message):
    __slots__ = ("request_id", "operation", "scheduled_time", "input", "target_instance_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TARGET_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    operation: str
    scheduled_time: _timestamp_pb2.Timestamp
    input: _wrappers_pb2.StringValue
    target_instance_id: _wrappers_pb2.StringValue
    def __init__(self, request_id: _Optional[str] = ..., operation: _Optional[str] = ..., scheduled_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., target_instance_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class EntityOperationCalledEvent(_message.Message):
    __slots__ = ("request_id", "operation", "scheduled_time", "input", "parent_instance_id", "parent_execution_id", "target_instance_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    PARENT_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    operation: str
    scheduled_time: _timestamp_pb2.Timestamp
    input: _wrappers_pb2.StringValue
    parent_instance_id: _wrappers_pb2.StringValue
    parent_execution_id: _wrappers_pb2.StringValue
    target_instance_id: _wrappers_pb2.StringValue
    def __init__(self, request_id: _Optional[str] = ..., operation: _Optional[str] = ..., scheduled_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., parent_instance_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., parent_execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., target_instance_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class EntityOperationCompletedEvent(_message.Message):
    __slots__ = ("request_id", "output")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    output: _wrappers_pb2.StringValue
    def __init__(self, request_id: _Optional[str] = ..., output: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class EntityOperationFailedEvent(_message.Message):
    __slots__ = ("request_id", "failure_details")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    failure_details: _history_pb2.Failure
    def __init__(self, request_id: _Optional[str] = ..., failure_details: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ...) -> None: ...

class EntityLockRequestedEvent(_message.Message):
    __slots__ = ("critical_section_id", "lock_set", "position", "parent_instance_id")
    CRITICAL_SECTION_ID_FIELD_NUMBER: _ClassVar[int]
    LOCK_SET_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PARENT_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    critical_section_id: str
    lock_set: _containers.RepeatedScalarFieldContainer[str]
    position: int
    parent_instance_id: _wrappers_pb2.StringValue
    def __init__(self, critical_section_id: _Optional[str] = ..., lock_set: _Optional[_Iterable[str]] = ..., position: _Optional[int] = ..., parent_instance_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class EntityLockGrantedEvent(_message.Message):
    __slots__ = ("critical_section_id",)
    CRITICAL_SECTION_ID_FIELD_NUMBER: _ClassVar[int]
    critical_section_id: str
    def __init__(self, critical_section_id: _Optional[str] = ...) -> None: ...

class EntityUnlockSentEvent(_message.Message):
    __slots__ = ("critical_section_id", "parent_instance_id", "target_instance_id")
    CRITICAL_SECTION_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    critical_section_id: str
    parent_instance_id: _wrappers_pb2.StringValue
    target_instance_id: _wrappers_pb2.StringValue
    def __init__(self, critical_section_id: _Optional[str] = ..., parent_instance_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., target_instance_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class OrchestratorAction(_message.Message):
    __slots__ = ("id", "schedule_task", "create_sub_orchestration", "create_timer", "send_event", "complete_orchestration", "terminate_orchestration", "send_entity_message", "rewind_orchestration")
    ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TASK_FIELD_NUMBER: _ClassVar[int]
    CREATE_SUB_ORCHESTRATION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIMER_FIELD_NUMBER: _ClassVar[int]
    SEND_EVENT_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_ORCHESTRATION_FIELD_NUMBER: _ClassVar[int]
    TERMINATE_ORCHESTRATION_FIELD_NUMBER: _ClassVar[int]
    SEND_ENTITY_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REWIND_ORCHESTRATION_FIELD_NUMBER: _ClassVar[int]
    id: int
    schedule_task: ScheduleTaskAction
    create_sub_orchestration: CreateSubOrchestrationAction
    create_timer: _history_pb2.CreateTimer
    send_event: _history_pb2.SendEvent
    complete_orchestration: CompleteOrchestrationAction
    terminate_orchestration: _history_pb2.TerminateInstance
    send_entity_message: SendEntityMessageAction
    rewind_orchestration: RewindOrchestrationAction
    def __init__(self, id: _Optional[int] = ..., schedule_task: _Optional[_Union[ScheduleTaskAction, _Mapping]] = ..., create_sub_orchestration: _Optional[_Union[CreateSubOrchestrationAction, _Mapping]] = ..., create_timer: _Optional[_Union[_history_pb2.CreateTimer, _Mapping]] = ..., send_event: _Optional[_Union[_history_pb2.SendEvent, _Mapping]] = ..., complete_orchestration: _Optional[_Union[CompleteOrchestrationAction, _Mapping]] = ..., terminate_orchestration: _Optional[_Union[_history_pb2.TerminateInstance, _Mapping]] = ..., send_entity_message: _Optional[_Union[SendEntityMessageAction, _Mapping]] = ..., rewind_orchestration: _Optional[_Union[RewindOrchestrationAction, _Mapping]] = ...) -> None: ...

class ScheduleTaskAction(_message.Message):
    __slots__ = ("name", "version", "input", "tags", "parent_trace_context")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    tags: _containers.ScalarMap[str, str]
    parent_trace_context: _history_pb2.Trace
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ...) -> None: ...

class CreateSubOrchestrationAction(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "parent_trace_context", "tags")
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
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    parent_trace_context: _history_pb2.Trace
    tags: _containers.ScalarMap[str, str]
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CompleteOrchestrationAction(_message.Message):
    __slots__ = ("orchestration_status", "result", "details", "new_version", "carryover_events", "failure_details", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ORCHESTRATION_STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    NEW_VERSION_FIELD_NUMBER: _ClassVar[int]
    CARRYOVER_EVENTS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    orchestration_status: int
    result: _wrappers_pb2.StringValue
    details: _wrappers_pb2.StringValue
    new_version: _wrappers_pb2.StringValue
    carryover_events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    failure_details: _history_pb2.Failure
    tags: _containers.ScalarMap[str, str]
    def __init__(self, orchestration_status: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., details: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., new_version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., carryover_events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., failure_details: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class SendEntityMessageAction(_message.Message):
    __slots__ = ("entity_operation_signaled", "entity_operation_called", "entity_lock_requested", "entity_unlock_sent")
    ENTITY_OPERATION_SIGNALED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_OPERATION_CALLED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_LOCK_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_UNLOCK_SENT_FIELD_NUMBER: _ClassVar[int]
    entity_operation_signaled: EntityOperationSignaledEvent
    entity_operation_called: EntityOperationCalledEvent
    entity_lock_requested: EntityLockRequestedEvent
    entity_unlock_sent: EntityUnlockSentEvent
    def __init__(self, entity_operation_signaled: _Optional[_Union[EntityOperationSignaledEvent, _Mapping]] = ..., entity_operation_called: _Optional[_Union[EntityOperationCalledEvent, _Mapping]] = ..., entity_lock_requested: _Optional[_Union[EntityLockRequestedEvent, _Mapping]] = ..., entity_unlock_sent: _Optional[_Union[EntityUnlockSentEvent, _Mapping]] = ...) -> None: ...

class RewindOrchestrationAction(_message.Message):
    __slots__ = ("new_history",)
    NEW_HISTORY_FIELD_NUMBER: _ClassVar[int]
    new_history: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    def __init__(self, new_history: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ...) -> None: ...

class GetWorkItemsRequest(_message.Message):
    __slots__ = ("max_concurrent_orchestration_work_items", "max_concurrent_activity_work_items", "max_concurrent_entity_work_items", "capabilities", "work_item_filters", "worker_instance_id")
    MAX_CONCURRENT_ORCHESTRATION_WORK_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_ACTIVITY_WORK_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_ENTITY_WORK_ITEMS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    WORK_ITEM_FILTERS_FIELD_NUMBER: _ClassVar[int]
    WORKER_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    max_concurrent_orchestration_work_items: int
    max_concurrent_activity_work_items: int
    max_concurrent_entity_work_items: int
    capabilities: _containers.RepeatedScalarFieldContainer[WorkerCapability]
    work_item_filters: WorkItemFilters
    worker_instance_id: str
    def __init__(self, max_concurrent_orchestration_work_items: _Optional[int] = ..., max_concurrent_activity_work_items: _Optional[int] = ..., max_concurrent_entity_work_items: _Optional[int] = ..., capabilities: _Optional[_Iterable[_Union[WorkerCapability, str]]] = ..., work_item_filters: _Optional[_Union[WorkItemFilters, _Mapping]] = ..., worker_instance_id: _Optional[str] = ...) -> None: ...

class WorkItemFilters(_message.Message):
    __slots__ = ("orchestrations", "activities", "entities")
    ORCHESTRATIONS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    orchestrations: _containers.RepeatedCompositeFieldContainer[OrchestrationFilter]
    activities: _containers.RepeatedCompositeFieldContainer[ActivityFilter]
    entities: _containers.RepeatedCompositeFieldContainer[EntityFilter]
    def __init__(self, orchestrations: _Optional[_Iterable[_Union[OrchestrationFilter, _Mapping]]] = ..., activities: _Optional[_Iterable[_Union[ActivityFilter, _Mapping]]] = ..., entities: _Optional[_Iterable[_Union[EntityFilter, _Mapping]]] = ...) -> None: ...

class OrchestrationFilter(_message.Message):
    __slots__ = ("name", "versions")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., versions: _Optional[_Iterable[str]] = ...) -> None: ...

class ActivityFilter(_message.Message):
    __slots__ = ("name", "versions")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., versions: _Optional[_Iterable[str]] = ...) -> None: ...

class EntityFilter(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WorkItem(_message.Message):
    __slots__ = ("orchestrator_request", "activity_request", "entity_request", "health_ping", "entity_request_v2", "completion_token")
    ORCHESTRATOR_REQUEST_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_REQUEST_FIELD_NUMBER: _ClassVar[int]
    ENTITY_REQUEST_FIELD_NUMBER: _ClassVar[int]
    HEALTH_PING_FIELD_NUMBER: _ClassVar[int]
    ENTITY_REQUEST_V2_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    orchestrator_request: OrchestratorRequest
    activity_request: ActivityRequest
    entity_request: EntityBatchRequest
    health_ping: HealthPing
    entity_request_v2: EntityRequest
    completion_token: str
    def __init__(self, orchestrator_request: _Optional[_Union[OrchestratorRequest, _Mapping]] = ..., activity_request: _Optional[_Union[ActivityRequest, _Mapping]] = ..., entity_request: _Optional[_Union[EntityBatchRequest, _Mapping]] = ..., health_ping: _Optional[_Union[HealthPing, _Mapping]] = ..., entity_request_v2: _Optional[_Union[EntityRequest, _Mapping]] = ..., completion_token: _Optional[str] = ...) -> None: ...

class HealthPing(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OrchestratorRequest(_message.Message):
    __slots__ = ("instance_id", "execution_id", "past_events", "new_events", "entity_parameters", "requires_history_streaming", "properties", "orchestration_trace_context")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _struct_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAST_EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEW_EVENTS_FIELD_NUMBER: _ClassVar[int]
    ENTITY_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_HISTORY_STREAMING_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATION_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: _wrappers_pb2.StringValue
    past_events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    new_events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    entity_parameters: OrchestratorEntityParameters
    requires_history_streaming: bool
    properties: _containers.MessageMap[str, _struct_pb2.Value]
    orchestration_trace_context: OrchestrationTraceContext
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., past_events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., new_events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., entity_parameters: _Optional[_Union[OrchestratorEntityParameters, _Mapping]] = ..., requires_history_streaming: bool = ..., properties: _Optional[_Mapping[str, _struct_pb2.Value]] = ..., orchestration_trace_context: _Optional[_Union[OrchestrationTraceContext, _Mapping]] = ...) -> None: ...

class OrchestratorResponse(_message.Message):
    __slots__ = ("instance_id", "actions", "custom_status", "completion_token", "num_events_processed", "orchestration_trace_context", "requires_history", "is_partial", "chunk_index")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_STATUS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NUM_EVENTS_PROCESSED_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATION_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_HISTORY_FIELD_NUMBER: _ClassVar[int]
    IS_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    CHUNK_INDEX_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    actions: _containers.RepeatedCompositeFieldContainer[OrchestratorAction]
    custom_status: _wrappers_pb2.StringValue
    completion_token: str
    num_events_processed: _wrappers_pb2.Int32Value
    orchestration_trace_context: OrchestrationTraceContext
    requires_history: bool
    is_partial: bool
    chunk_index: _wrappers_pb2.Int32Value
    def __init__(self, instance_id: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[OrchestratorAction, _Mapping]]] = ..., custom_status: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., completion_token: _Optional[str] = ..., num_events_processed: _Optional[_Union[_wrappers_pb2.Int32Value, _Mapping]] = ..., orchestration_trace_context: _Optional[_Union[OrchestrationTraceContext, _Mapping]] = ..., requires_history: bool = ..., is_partial: bool = ..., chunk_index: _Optional[_Union[_wrappers_pb2.Int32Value, _Mapping]] = ...) -> None: ...

class ActivityRequest(_message.Message):
    __slots__ = ("name", "version", "input", "orchestration_instance", "task_id", "parent_trace_context", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATION_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    orchestration_instance: _history_pb2.Instance
    task_id: int
    parent_trace_context: _history_pb2.Trace
    tags: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., orchestration_instance: _Optional[_Union[_history_pb2.Instance, _Mapping]] = ..., task_id: _Optional[int] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

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

class AbandonEntityTaskRequest(_message.Message):
    __slots__ = ("completion_token",)
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    completion_token: str
    def __init__(self, completion_token: _Optional[str] = ...) -> None: ...

class AbandonEntityTaskResponse(_message.Message):
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

class CreateInstanceRequest(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "scheduled_start_timestamp", "orchestration_id_reuse_policy", "execution_id", "tags", "parent_trace_context", "request_time")
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
    REQUEST_TIME_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    scheduled_start_timestamp: _timestamp_pb2.Timestamp
    orchestration_id_reuse_policy: OrchestrationIdReusePolicy
    execution_id: _wrappers_pb2.StringValue
    tags: _containers.ScalarMap[str, str]
    parent_trace_context: _history_pb2.Trace
    request_time: _timestamp_pb2.Timestamp
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., scheduled_start_timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., orchestration_id_reuse_policy: _Optional[_Union[OrchestrationIdReusePolicy, _Mapping]] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ..., request_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OrchestrationIdReusePolicy(_message.Message):
    __slots__ = ("replaceable_status",)
    REPLACEABLE_STATUS_FIELD_NUMBER: _ClassVar[int]
    replaceable_status: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, replaceable_status: _Optional[_Iterable[int]] = ...) -> None: ...

class CreateInstanceResponse(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class GetInstanceRequest(_message.Message):
    __slots__ = ("instance_id", "get_inputs_and_outputs")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    GET_INPUTS_AND_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    get_inputs_and_outputs: bool
    def __init__(self, instance_id: _Optional[str] = ..., get_inputs_and_outputs: bool = ...) -> None: ...

class GetInstanceResponse(_message.Message):
    __slots__ = ("exists", "orchestration_state")
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    ORCHESTRATION_STATE_FIELD_NUMBER: _ClassVar[int]
    exists: bool
    orchestration_state: OrchestrationState
    def __init__(self, exists: bool = ..., orchestration_state: _Optional[_Union[OrchestrationState, _Mapping]] = ...) -> None: ...

class OrchestrationState(_message.Message):
    __slots__ = ("instance_id", "name", "version", "orchestration_status", "scheduled_start_timestamp", "created_timestamp", "last_updated_timestamp", "input", "output", "custom_status", "failure_details", "execution_id", "completed_timestamp", "parent_instance_id", "tags")
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
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., orchestration_status: _Optional[int] = ..., scheduled_start_timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., created_timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., last_updated_timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., output: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., custom_status: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., failure_details: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., completed_timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., parent_instance_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RaiseEventRequest(_message.Message):
    __slots__ = ("instance_id", "name", "input")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    input: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class RaiseEventResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TerminateRequest(_message.Message):
    __slots__ = ("instance_id", "output", "recursive")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    output: _wrappers_pb2.StringValue
    recursive: bool
    def __init__(self, instance_id: _Optional[str] = ..., output: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., recursive: bool = ...) -> None: ...

class TerminateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SuspendRequest(_message.Message):
    __slots__ = ("instance_id", "reason")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class SuspendResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("instance_id", "reason")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

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

class RestartInstanceRequest(_message.Message):
    __slots__ = ("instance_id", "restart_with_new_instance_id")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    RESTART_WITH_NEW_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    restart_with_new_instance_id: bool
    def __init__(self, instance_id: _Optional[str] = ..., restart_with_new_instance_id: bool = ...) -> None: ...

class RestartInstanceResponse(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

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

class ListInstanceIdsRequest(_message.Message):
    __slots__ = ("runtime_status", "completed_time_from", "completed_time_to", "page_size", "last_instance_key")
    RUNTIME_STATUS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TIME_FROM_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TIME_TO_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    LAST_INSTANCE_KEY_FIELD_NUMBER: _ClassVar[int]
    runtime_status: _containers.RepeatedScalarFieldContainer[int]
    completed_time_from: _timestamp_pb2.Timestamp
    completed_time_to: _timestamp_pb2.Timestamp
    page_size: int
    last_instance_key: _wrappers_pb2.StringValue
    def __init__(self, runtime_status: _Optional[_Iterable[int]] = ..., completed_time_from: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., completed_time_to: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., last_instance_key: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class ListInstanceIdsResponse(_message.Message):
    __slots__ = ("instance_ids", "last_instance_key")
    INSTANCE_IDS_FIELD_NUMBER: _ClassVar[int]
    LAST_INSTANCE_KEY_FIELD_NUMBER: _ClassVar[int]
    instance_ids: _containers.RepeatedScalarFieldContainer[str]
    last_instance_key: _wrappers_pb2.StringValue
    def __init__(self, instance_ids: _Optional[_Iterable[str]] = ..., last_instance_key: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class PurgeInstancesRequest(_message.Message):
    __slots__ = ("instance_id", "purge_instance_filter", "instance_batch", "recursive", "is_orchestration")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    PURGE_INSTANCE_FILTER_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_BATCH_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    IS_ORCHESTRATION_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    purge_instance_filter: PurgeInstanceFilter
    instance_batch: InstanceBatch
    recursive: bool
    is_orchestration: bool
    def __init__(self, instance_id: _Optional[str] = ..., purge_instance_filter: _Optional[_Union[PurgeInstanceFilter, _Mapping]] = ..., instance_batch: _Optional[_Union[InstanceBatch, _Mapping]] = ..., recursive: bool = ..., is_orchestration: bool = ...) -> None: ...

class PurgeInstanceFilter(_message.Message):
    __slots__ = ("created_time_from", "created_time_to", "runtime_status", "timeout")
    CREATED_TIME_FROM_FIELD_NUMBER: _ClassVar[int]
    CREATED_TIME_TO_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_STATUS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    created_time_from: _timestamp_pb2.Timestamp
    created_time_to: _timestamp_pb2.Timestamp
    runtime_status: _containers.RepeatedScalarFieldContainer[int]
    timeout: _duration_pb2.Duration
    def __init__(self, created_time_from: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., created_time_to: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., runtime_status: _Optional[_Iterable[int]] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class PurgeInstancesResponse(_message.Message):
    __slots__ = ("deleted_instance_count", "is_complete")
    DELETED_INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    deleted_instance_count: int
    is_complete: _wrappers_pb2.BoolValue
    def __init__(self, deleted_instance_count: _Optional[int] = ..., is_complete: _Optional[_Union[_wrappers_pb2.BoolValue, _Mapping]] = ...) -> None: ...

class SkipGracefulOrchestrationTerminationsRequest(_message.Message):
    __slots__ = ("instance_batch", "reason")
    INSTANCE_BATCH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    instance_batch: InstanceBatch
    reason: _wrappers_pb2.StringValue
    def __init__(self, instance_batch: _Optional[_Union[InstanceBatch, _Mapping]] = ..., reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class SkipGracefulOrchestrationTerminationsResponse(_message.Message):
    __slots__ = ("unterminated_instance_ids",)
    UNTERMINATED_INSTANCE_IDS_FIELD_NUMBER: _ClassVar[int]
    unterminated_instance_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, unterminated_instance_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateTaskHubRequest(_message.Message):
    __slots__ = ("recreate_if_exists",)
    RECREATE_IF_EXISTS_FIELD_NUMBER: _ClassVar[int]
    recreate_if_exists: bool
    def __init__(self, recreate_if_exists: bool = ...) -> None: ...

class CreateTaskHubResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteTaskHubRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteTaskHubResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SignalEntityRequest(_message.Message):
    __slots__ = ("instance_id", "name", "input", "request_id", "scheduled_time", "parent_trace_context", "request_time")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_TIME_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    input: _wrappers_pb2.StringValue
    request_id: str
    scheduled_time: _timestamp_pb2.Timestamp
    parent_trace_context: _history_pb2.Trace
    request_time: _timestamp_pb2.Timestamp
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., request_id: _Optional[str] = ..., scheduled_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ..., request_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SignalEntityResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetEntityRequest(_message.Message):
    __slots__ = ("instance_id", "include_state")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_STATE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    include_state: bool
    def __init__(self, instance_id: _Optional[str] = ..., include_state: bool = ...) -> None: ...

class GetEntityResponse(_message.Message):
    __slots__ = ("exists", "entity")
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    exists: bool
    entity: EntityMetadata
    def __init__(self, exists: bool = ..., entity: _Optional[_Union[EntityMetadata, _Mapping]] = ...) -> None: ...

class EntityQuery(_message.Message):
    __slots__ = ("instance_id_starts_with", "last_modified_from", "last_modified_to", "include_state", "include_transient", "page_size", "continuation_token")
    INSTANCE_ID_STARTS_WITH_FIELD_NUMBER: _ClassVar[int]
    LAST_MODIFIED_FROM_FIELD_NUMBER: _ClassVar[int]
    LAST_MODIFIED_TO_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_STATE_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TRANSIENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    instance_id_starts_with: _wrappers_pb2.StringValue
    last_modified_from: _timestamp_pb2.Timestamp
    last_modified_to: _timestamp_pb2.Timestamp
    include_state: bool
    include_transient: bool
    page_size: _wrappers_pb2.Int32Value
    continuation_token: _wrappers_pb2.StringValue
    def __init__(self, instance_id_starts_with: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., last_modified_from: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., last_modified_to: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., include_state: bool = ..., include_transient: bool = ..., page_size: _Optional[_Union[_wrappers_pb2.Int32Value, _Mapping]] = ..., continuation_token: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class QueryEntitiesRequest(_message.Message):
    __slots__ = ("query",)
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: EntityQuery
    def __init__(self, query: _Optional[_Union[EntityQuery, _Mapping]] = ...) -> None: ...

class QueryEntitiesResponse(_message.Message):
    __slots__ = ("entities", "continuation_token")
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entities: _containers.RepeatedCompositeFieldContainer[EntityMetadata]
    continuation_token: _wrappers_pb2.StringValue
    def __init__(self, entities: _Optional[_Iterable[_Union[EntityMetadata, _Mapping]]] = ..., continuation_token: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class EntityMetadata(_message.Message):
    __slots__ = ("instance_id", "last_modified_time", "backlog_queue_size", "locked_by", "serialized_state")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_MODIFIED_TIME_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_QUEUE_SIZE_FIELD_NUMBER: _ClassVar[int]
    LOCKED_BY_FIELD_NUMBER: _ClassVar[int]
    SERIALIZED_STATE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    last_modified_time: _timestamp_pb2.Timestamp
    backlog_queue_size: int
    locked_by: _wrappers_pb2.StringValue
    serialized_state: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., last_modified_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., backlog_queue_size: _Optional[int] = ..., locked_by: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., serialized_state: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class CleanEntityStorageRequest(_message.Message):
    __slots__ = ("continuation_token", "remove_empty_entities", "release_orphaned_locks")
    CONTINUATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REMOVE_EMPTY_ENTITIES_FIELD_NUMBER: _ClassVar[int]
    RELEASE_ORPHANED_LOCKS_FIELD_NUMBER: _ClassVar[int]
    continuation_token: _wrappers_pb2.StringValue
    remove_empty_entities: bool
    release_orphaned_locks: bool
    def __init__(self, continuation_token: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., remove_empty_entities: bool = ..., release_orphaned_locks: bool = ...) -> None: ...

class CleanEntityStorageResponse(_message.Message):
    __slots__ = ("continuation_token", "empty_entities_removed", "orphaned_locks_released")
    CONTINUATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EMPTY_ENTITIES_REMOVED_FIELD_NUMBER: _ClassVar[int]
    ORPHANED_LOCKS_RELEASED_FIELD_NUMBER: _ClassVar[int]
    continuation_token: _wrappers_pb2.StringValue
    empty_entities_removed: int
    orphaned_locks_released: int
    def __init__(self, continuation_token: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., empty_entities_removed: _Optional[int] = ..., orphaned_locks_released: _Optional[int] = ...) -> None: ...

class OrchestratorEntityParameters(_message.Message):
    __slots__ = ("entity_message_reorder_window",)
    ENTITY_MESSAGE_REORDER_WINDOW_FIELD_NUMBER: _ClassVar[int]
    entity_message_reorder_window: _duration_pb2.Duration
    def __init__(self, entity_message_reorder_window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class EntityBatchRequest(_message.Message):
    __slots__ = ("instance_id", "entity_state", "operations", "properties")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _struct_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITY_STATE_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    entity_state: _wrappers_pb2.StringValue
    operations: _containers.RepeatedCompositeFieldContainer[OperationRequest]
    properties: _containers.MessageMap[str, _struct_pb2.Value]
    def __init__(self, instance_id: _Optional[str] = ..., entity_state: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., operations: _Optional[_Iterable[_Union[OperationRequest, _Mapping]]] = ..., properties: _Optional[_Mapping[str, _struct_pb2.Value]] = ...) -> None: ...

class EntityRequest(_message.Message):
    __slots__ = ("instance_id", "execution_id", "entity_state", "operation_requests")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITY_STATE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: str
    entity_state: _wrappers_pb2.StringValue
    operation_requests: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., entity_state: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., operation_requests: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ...) -> None: ...

class OperationRequest(_message.Message):
    __slots__ = ("operation", "request_id", "input", "trace_context")
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    operation: str
    request_id: str
    input: _wrappers_pb2.StringValue
    trace_context: _history_pb2.Trace
    def __init__(self, operation: _Optional[str] = ..., request_id: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ...) -> None: ...

class EntityBatchResult(_message.Message):
    __slots__ = ("results", "actions", "entity_state", "failure_details", "completion_token", "operation_infos", "requires_state")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    ENTITY_STATE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OPERATION_INFOS_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_STATE_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[OperationResult]
    actions: _containers.RepeatedCompositeFieldContainer[OperationAction]
    entity_state: _wrappers_pb2.StringValue
    failure_details: _history_pb2.Failure
    completion_token: str
    operation_infos: _containers.RepeatedCompositeFieldContainer[OperationInfo]
    requires_state: bool
    def __init__(self, results: _Optional[_Iterable[_Union[OperationResult, _Mapping]]] = ..., actions: _Optional[_Iterable[_Union[OperationAction, _Mapping]]] = ..., entity_state: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., failure_details: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ..., completion_token: _Optional[str] = ..., operation_infos: _Optional[_Iterable[_Union[OperationInfo, _Mapping]]] = ..., requires_state: bool = ...) -> None: ...

class OperationResult(_message.Message):
    __slots__ = ("success", "failure")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    success: OperationResultSuccess
    failure: OperationResultFailure
    def __init__(self, success: _Optional[_Union[OperationResultSuccess, _Mapping]] = ..., failure: _Optional[_Union[OperationResultFailure, _Mapping]] = ...) -> None: ...

class OperationResultSuccess(_message.Message):
    __slots__ = ("result", "start_time_utc", "end_time_utc")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_UTC_FIELD_NUMBER: _ClassVar[int]
    END_TIME_UTC_FIELD_NUMBER: _ClassVar[int]
    result: _wrappers_pb2.StringValue
    start_time_utc: _timestamp_pb2.Timestamp
    end_time_utc: _timestamp_pb2.Timestamp
    def __init__(self, result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., start_time_utc: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time_utc: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OperationResultFailure(_message.Message):
    __slots__ = ("failure_details", "start_time_utc", "end_time_utc")
    FAILURE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_UTC_FIELD_NUMBER: _ClassVar[int]
    END_TIME_UTC_FIELD_NUMBER: _ClassVar[int]
    failure_details: _history_pb2.Failure
    start_time_utc: _timestamp_pb2.Timestamp
    end_time_utc: _timestamp_pb2.Timestamp
    def __init__(self, failure_details: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ..., start_time_utc: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time_utc: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OperationInfo(_message.Message):
    __slots__ = ("request_id", "response_destination")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_DESTINATION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    response_destination: _history_pb2.Instance
    def __init__(self, request_id: _Optional[str] = ..., response_destination: _Optional[_Union[_history_pb2.Instance, _Mapping]] = ...) -> None: ...

class OperationAction(_message.Message):
    __slots__ = ("id", "send_signal", "start_new_orchestration")
    ID_FIELD_NUMBER: _ClassVar[int]
    SEND_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    START_NEW_ORCHESTRATION_FIELD_NUMBER: _ClassVar[int]
    id: int
    send_signal: SendSignalAction
    start_new_orchestration: StartNewOrchestrationAction
    def __init__(self, id: _Optional[int] = ..., send_signal: _Optional[_Union[SendSignalAction, _Mapping]] = ..., start_new_orchestration: _Optional[_Union[StartNewOrchestrationAction, _Mapping]] = ...) -> None: ...

class SendSignalAction(_message.Message):
    __slots__ = ("instance_id", "name", "input", "scheduled_time", "request_time", "parent_trace_context")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_TIME_FIELD_NUMBER: _ClassVar[int]
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    input: _wrappers_pb2.StringValue
    scheduled_time: _timestamp_pb2.Timestamp
    request_time: _timestamp_pb2.Timestamp
    parent_trace_context: _history_pb2.Trace
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., scheduled_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., request_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ...) -> None: ...

class StartNewOrchestrationAction(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "scheduled_time", "request_time", "parent_trace_context")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_TIME_FIELD_NUMBER: _ClassVar[int]
    PARENT_TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    scheduled_time: _timestamp_pb2.Timestamp
    request_time: _timestamp_pb2.Timestamp
    parent_trace_context: _history_pb2.Trace
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., scheduled_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., request_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., parent_trace_context: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ...) -> None: ...
