from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import wrappers_pb2 as _wrappers_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Instance(_message.Message):
    __slots__ = ("instance_id", "execution_id")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class Parent(_message.Message):
    __slots__ = ("seq", "name", "version", "instance", "app_id", "app_namespace", "row")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    APP_ID_FIELD_NUMBER: _ClassVar[int]
    APP_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    seq: int
    name: _wrappers_pb2.StringValue
    version: _wrappers_pb2.StringValue
    instance: Instance
    app_id: str
    app_namespace: str
    row: int
    def __init__(self, seq: _Optional[int] = ..., name: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., instance: _Optional[_Union[Instance, _Mapping]] = ..., app_id: _Optional[str] = ..., app_namespace: _Optional[str] = ..., row: _Optional[int] = ...) -> None: ...

class Trace(_message.Message):
    __slots__ = ("parent", "span_id", "state")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    parent: str
    span_id: str
    state: _wrappers_pb2.StringValue
    def __init__(self, parent: _Optional[str] = ..., span_id: _Optional[str] = ..., state: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("kind", "message", "stack", "cause", "is_non_retryable", "properties")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STACK_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    IS_NON_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    kind: str
    message: str
    stack: _wrappers_pb2.StringValue
    cause: Failure
    is_non_retryable: bool
    properties: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, kind: _Optional[str] = ..., message: _Optional[str] = ..., stack: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., cause: _Optional[_Union[Failure, _Mapping]] = ..., is_non_retryable: bool = ..., properties: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Version(_message.Message):
    __slots__ = ("patches", "name")
    PATCHES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    patches: _containers.RepeatedScalarFieldContainer[str]
    name: str
    def __init__(self, patches: _Optional[_Iterable[str]] = ..., name: _Optional[str] = ...) -> None: ...

class Origin(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class ActivityOptions(_message.Message):
    __slots__ = ("start_to_close", "schedule_to_start", "heartbeat", "is_local_first")
    START_TO_CLOSE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_START_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    IS_LOCAL_FIRST_FIELD_NUMBER: _ClassVar[int]
    start_to_close: int
    schedule_to_start: int
    heartbeat: int
    is_local_first: bool
    def __init__(self, start_to_close: _Optional[int] = ..., schedule_to_start: _Optional[int] = ..., heartbeat: _Optional[int] = ..., is_local_first: bool = ...) -> None: ...

class Extras(_message.Message):
    __slots__ = ("tags", "task_execution_id", "rerun_of", "options", "source", "clears_tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RERUN_OF_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CLEARS_TAGS_FIELD_NUMBER: _ClassVar[int]
    tags: _containers.ScalarMap[str, str]
    task_execution_id: str
    rerun_of: str
    options: ActivityOptions
    source: str
    clears_tags: bool
    def __init__(self, tags: _Optional[_Mapping[str, str]] = ..., task_execution_id: _Optional[str] = ..., rerun_of: _Optional[str] = ..., options: _Optional[_Union[ActivityOptions, _Mapping]] = ..., source: _Optional[str] = ..., clears_tags: bool = ...) -> None: ...

class HistoryEvent(_message.Message):
    __slots__ = ("event_id", "timestamp", "workflow_started", "workflow_completed", "terminate_requested", "activity_scheduled", "activity_completed", "activity_failed", "child_scheduled", "child_completed", "child_failed", "timer_created", "timer_fired", "turn_started", "event_sent", "event_received", "suspended", "resumed", "rewound", "stalled", "detached_started", "activity_cancel_requested", "timer_canceled", "extras")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_STARTED_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    TERMINATE_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FAILED_FIELD_NUMBER: _ClassVar[int]
    CHILD_SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    CHILD_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    CHILD_FAILED_FIELD_NUMBER: _ClassVar[int]
    TIMER_CREATED_FIELD_NUMBER: _ClassVar[int]
    TIMER_FIRED_FIELD_NUMBER: _ClassVar[int]
    TURN_STARTED_FIELD_NUMBER: _ClassVar[int]
    EVENT_SENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    REWOUND_FIELD_NUMBER: _ClassVar[int]
    STALLED_FIELD_NUMBER: _ClassVar[int]
    DETACHED_STARTED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    TIMER_CANCELED_FIELD_NUMBER: _ClassVar[int]
    EXTRAS_FIELD_NUMBER: _ClassVar[int]
    event_id: int
    timestamp: _timestamp_pb2.Timestamp
    workflow_started: WorkflowStarted
    workflow_completed: WorkflowCompleted
    terminate_requested: TerminateRequested
    activity_scheduled: ActivityScheduled
    activity_completed: ActivityCompleted
    activity_failed: ActivityFailed
    child_scheduled: ChildScheduled
    child_completed: ChildCompleted
    child_failed: ChildFailed
    timer_created: TimerCreated
    timer_fired: TimerFired
    turn_started: TurnStarted
    event_sent: EventSent
    event_received: EventReceived
    suspended: Suspended
    resumed: Resumed
    rewound: Rewound
    stalled: Stalled
    detached_started: DetachedStarted
    activity_cancel_requested: ActivityCancelRequested
    timer_canceled: TimerCanceled
    extras: Extras
    def __init__(self, event_id: _Optional[int] = ..., timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., workflow_started: _Optional[_Union[WorkflowStarted, _Mapping]] = ..., workflow_completed: _Optional[_Union[WorkflowCompleted, _Mapping]] = ..., terminate_requested: _Optional[_Union[TerminateRequested, _Mapping]] = ..., activity_scheduled: _Optional[_Union[ActivityScheduled, _Mapping]] = ..., activity_completed: _Optional[_Union[ActivityCompleted, _Mapping]] = ..., activity_failed: _Optional[_Union[ActivityFailed, _Mapping]] = ..., child_scheduled: _Optional[_Union[ChildScheduled, _Mapping]] = ..., child_completed: _Optional[_Union[ChildCompleted, _Mapping]] = ..., child_failed: _Optional[_Union[ChildFailed, _Mapping]] = ..., timer_created: _Optional[_Union[TimerCreated, _Mapping]] = ..., timer_fired: _Optional[_Union[TimerFired, _Mapping]] = ..., turn_started: _Optional[_Union[TurnStarted, _Mapping]] = ..., event_sent: _Optional[_Union[EventSent, _Mapping]] = ..., event_received: _Optional[_Union[EventReceived, _Mapping]] = ..., suspended: _Optional[_Union[Suspended, _Mapping]] = ..., resumed: _Optional[_Union[Resumed, _Mapping]] = ..., rewound: _Optional[_Union[Rewound, _Mapping]] = ..., stalled: _Optional[_Union[Stalled, _Mapping]] = ..., detached_started: _Optional[_Union[DetachedStarted, _Mapping]] = ..., activity_cancel_requested: _Optional[_Union[ActivityCancelRequested, _Mapping]] = ..., timer_canceled: _Optional[_Union[TimerCanceled, _Mapping]] = ..., extras: _Optional[_Union[Extras, _Mapping]] = ...) -> None: ...

class WorkflowStarted(_message.Message):
    __slots__ = ("name", "version", "input", "instance", "parent", "scheduled_at", "trace", "tags")
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
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_AT_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    instance: Instance
    parent: Parent
    scheduled_at: _timestamp_pb2.Timestamp
    trace: Trace
    tags: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., instance: _Optional[_Union[Instance, _Mapping]] = ..., parent: _Optional[_Union[Parent, _Mapping]] = ..., scheduled_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., trace: _Optional[_Union[Trace, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class WorkflowCompleted(_message.Message):
    __slots__ = ("status", "result", "failure")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    status: int
    result: _wrappers_pb2.StringValue
    failure: Failure
    def __init__(self, status: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class TerminateRequested(_message.Message):
    __slots__ = ("output", "recurse")
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RECURSE_FIELD_NUMBER: _ClassVar[int]
    output: _wrappers_pb2.StringValue
    recurse: bool
    def __init__(self, output: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., recurse: bool = ...) -> None: ...

class ActivityScheduled(_message.Message):
    __slots__ = ("name", "version", "input", "trace", "rerun_of")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    RERUN_OF_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    trace: Trace
    rerun_of: Origin
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., trace: _Optional[_Union[Trace, _Mapping]] = ..., rerun_of: _Optional[_Union[Origin, _Mapping]] = ...) -> None: ...

class ActivityCompleted(_message.Message):
    __slots__ = ("seq", "result", "task_execution_id")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    seq: int
    result: _wrappers_pb2.StringValue
    task_execution_id: str
    def __init__(self, seq: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., task_execution_id: _Optional[str] = ...) -> None: ...

class ActivityFailed(_message.Message):
    __slots__ = ("seq", "failure", "task_execution_id")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    seq: int
    failure: Failure
    task_execution_id: str
    def __init__(self, seq: _Optional[int] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., task_execution_id: _Optional[str] = ...) -> None: ...

class ChildScheduled(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "trace", "retry_of")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    RETRY_OF_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    trace: Trace
    retry_of: Origin
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., trace: _Optional[_Union[Trace, _Mapping]] = ..., retry_of: _Optional[_Union[Origin, _Mapping]] = ...) -> None: ...

class ChildCompleted(_message.Message):
    __slots__ = ("seq", "result")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    seq: int
    result: _wrappers_pb2.StringValue
    def __init__(self, seq: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class ChildFailed(_message.Message):
    __slots__ = ("seq", "failure")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    seq: int
    failure: Failure
    def __init__(self, seq: _Optional[int] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class UserTimer(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EventTimeout(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ActivityRetry(_message.Message):
    __slots__ = ("task_execution_id",)
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    def __init__(self, task_execution_id: _Optional[str] = ...) -> None: ...

class ChildRetry(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class TimerCreated(_message.Message):
    __slots__ = ("fire_at", "name", "rerun_of", "user", "event_timeout", "activity_retry", "child_retry")
    FIRE_AT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RERUN_OF_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_RETRY_FIELD_NUMBER: _ClassVar[int]
    CHILD_RETRY_FIELD_NUMBER: _ClassVar[int]
    fire_at: _timestamp_pb2.Timestamp
    name: str
    rerun_of: Origin
    user: UserTimer
    event_timeout: EventTimeout
    activity_retry: ActivityRetry
    child_retry: ChildRetry
    def __init__(self, fire_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ..., rerun_of: _Optional[_Union[Origin, _Mapping]] = ..., user: _Optional[_Union[UserTimer, _Mapping]] = ..., event_timeout: _Optional[_Union[EventTimeout, _Mapping]] = ..., activity_retry: _Optional[_Union[ActivityRetry, _Mapping]] = ..., child_retry: _Optional[_Union[ChildRetry, _Mapping]] = ...) -> None: ...

class TimerFired(_message.Message):
    __slots__ = ("fire_at", "seq")
    FIRE_AT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    fire_at: _timestamp_pb2.Timestamp
    seq: int
    def __init__(self, fire_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., seq: _Optional[int] = ...) -> None: ...

class TurnStarted(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: Version
    def __init__(self, version: _Optional[_Union[Version, _Mapping]] = ...) -> None: ...

class EventSent(_message.Message):
    __slots__ = ("instance_id", "name", "input")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    input: _wrappers_pb2.StringValue
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class EventReceived(_message.Message):
    __slots__ = ("name", "input")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    input: _wrappers_pb2.StringValue
    def __init__(self, name: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class Suspended(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: _wrappers_pb2.StringValue
    def __init__(self, reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class Resumed(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: _wrappers_pb2.StringValue
    def __init__(self, reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class Rewound(_message.Message):
    __slots__ = ("reason", "parent_execution_id", "instance_id", "trace", "name", "version", "input", "parent", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    PARENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    reason: _wrappers_pb2.StringValue
    parent_execution_id: _wrappers_pb2.StringValue
    instance_id: _wrappers_pb2.StringValue
    trace: Trace
    name: _wrappers_pb2.StringValue
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    parent: Parent
    tags: _containers.ScalarMap[str, str]
    def __init__(self, reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., parent_execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., instance_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., trace: _Optional[_Union[Trace, _Mapping]] = ..., name: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., parent: _Optional[_Union[Parent, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Stalled(_message.Message):
    __slots__ = ("reason", "description")
    REASON_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    reason: int
    description: str
    def __init__(self, reason: _Optional[int] = ..., description: _Optional[str] = ...) -> None: ...

class DetachedStarted(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class ActivityCancelRequested(_message.Message):
    __slots__ = ("seq",)
    SEQ_FIELD_NUMBER: _ClassVar[int]
    seq: int
    def __init__(self, seq: _Optional[int] = ...) -> None: ...

class TimerCanceled(_message.Message):
    __slots__ = ("seq",)
    SEQ_FIELD_NUMBER: _ClassVar[int]
    seq: int
    def __init__(self, seq: _Optional[int] = ...) -> None: ...

class Action(_message.Message):
    __slots__ = ("seq", "schedule_activity", "start_child", "create_timer", "send_event", "complete_workflow", "terminate_instance", "start_detached", "cancel_activity", "cancel_timer", "replace_history", "stall", "extras")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    START_CHILD_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIMER_FIELD_NUMBER: _ClassVar[int]
    SEND_EVENT_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TERMINATE_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    START_DETACHED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    CANCEL_TIMER_FIELD_NUMBER: _ClassVar[int]
    REPLACE_HISTORY_FIELD_NUMBER: _ClassVar[int]
    STALL_FIELD_NUMBER: _ClassVar[int]
    EXTRAS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    schedule_activity: ScheduleActivity
    start_child: StartChild
    create_timer: CreateTimer
    send_event: SendEvent
    complete_workflow: CompleteWorkflow
    terminate_instance: TerminateInstance
    start_detached: StartDetached
    cancel_activity: CancelActivity
    cancel_timer: CancelTimer
    replace_history: ReplaceHistory
    stall: Stall
    extras: Extras
    def __init__(self, seq: _Optional[int] = ..., schedule_activity: _Optional[_Union[ScheduleActivity, _Mapping]] = ..., start_child: _Optional[_Union[StartChild, _Mapping]] = ..., create_timer: _Optional[_Union[CreateTimer, _Mapping]] = ..., send_event: _Optional[_Union[SendEvent, _Mapping]] = ..., complete_workflow: _Optional[_Union[CompleteWorkflow, _Mapping]] = ..., terminate_instance: _Optional[_Union[TerminateInstance, _Mapping]] = ..., start_detached: _Optional[_Union[StartDetached, _Mapping]] = ..., cancel_activity: _Optional[_Union[CancelActivity, _Mapping]] = ..., cancel_timer: _Optional[_Union[CancelTimer, _Mapping]] = ..., replace_history: _Optional[_Union[ReplaceHistory, _Mapping]] = ..., stall: _Optional[_Union[Stall, _Mapping]] = ..., extras: _Optional[_Union[Extras, _Mapping]] = ...) -> None: ...

class ScheduleActivity(_message.Message):
    __slots__ = ("name", "version", "input", "trace")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    trace: Trace
    def __init__(self, name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., trace: _Optional[_Union[Trace, _Mapping]] = ...) -> None: ...

class StartChild(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "retry_of", "trace")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_OF_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    retry_of: Origin
    trace: Trace
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., retry_of: _Optional[_Union[Origin, _Mapping]] = ..., trace: _Optional[_Union[Trace, _Mapping]] = ...) -> None: ...

class CreateTimer(_message.Message):
    __slots__ = ("fire_at", "name", "user", "event_timeout", "activity_retry", "child_retry")
    FIRE_AT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_RETRY_FIELD_NUMBER: _ClassVar[int]
    CHILD_RETRY_FIELD_NUMBER: _ClassVar[int]
    fire_at: _timestamp_pb2.Timestamp
    name: str
    user: UserTimer
    event_timeout: EventTimeout
    activity_retry: ActivityRetry
    child_retry: ChildRetry
    def __init__(self, fire_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ..., user: _Optional[_Union[UserTimer, _Mapping]] = ..., event_timeout: _Optional[_Union[EventTimeout, _Mapping]] = ..., activity_retry: _Optional[_Union[ActivityRetry, _Mapping]] = ..., child_retry: _Optional[_Union[ChildRetry, _Mapping]] = ...) -> None: ...

class SendEvent(_message.Message):
    __slots__ = ("instance", "name", "input")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    instance: Instance
    name: str
    input: _wrappers_pb2.StringValue
    def __init__(self, instance: _Optional[_Union[Instance, _Mapping]] = ..., name: _Optional[str] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ...) -> None: ...

class CompleteWorkflow(_message.Message):
    __slots__ = ("status", "result", "new_version", "carryover", "failure", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    NEW_VERSION_FIELD_NUMBER: _ClassVar[int]
    CARRYOVER_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    status: int
    result: _wrappers_pb2.StringValue
    new_version: _wrappers_pb2.StringValue
    carryover: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    failure: Failure
    tags: _containers.ScalarMap[str, str]
    def __init__(self, status: _Optional[int] = ..., result: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., new_version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., carryover: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TerminateInstance(_message.Message):
    __slots__ = ("instance_id", "reason", "recurse")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RECURSE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: _wrappers_pb2.StringValue
    recurse: bool
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., recurse: bool = ...) -> None: ...

class StartDetached(_message.Message):
    __slots__ = ("instance_id", "name", "version", "input", "scheduled_at", "execution_id", "tags", "trace")
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
    SCHEDULED_AT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    version: _wrappers_pb2.StringValue
    input: _wrappers_pb2.StringValue
    scheduled_at: _timestamp_pb2.Timestamp
    execution_id: _wrappers_pb2.StringValue
    tags: _containers.ScalarMap[str, str]
    trace: Trace
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., input: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., scheduled_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., execution_id: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ..., trace: _Optional[_Union[Trace, _Mapping]] = ...) -> None: ...

class CancelActivity(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelTimer(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReplaceHistory(_message.Message):
    __slots__ = ("history",)
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    history: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    def __init__(self, history: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ...) -> None: ...

class Stall(_message.Message):
    __slots__ = ("reason", "description")
    REASON_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    reason: int
    description: str
    def __init__(self, reason: _Optional[int] = ..., description: _Optional[str] = ...) -> None: ...
