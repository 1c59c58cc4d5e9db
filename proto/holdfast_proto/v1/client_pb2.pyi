from holdfast_proto.v1 import history_pb2 as _history_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CallFrame(_message.Message):
    __slots__ = ("requests", "namespace", "sdk")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[Request]
    namespace: str
    sdk: str
    def __init__(self, requests: _Optional[_Iterable[_Union[Request, _Mapping]]] = ..., namespace: _Optional[str] = ..., sdk: _Optional[str] = ...) -> None: ...

class ReplyFrame(_message.Message):
    __slots__ = ("replies", "draining")
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    replies: _containers.RepeatedCompositeFieldContainer[Reply]
    draining: bool
    def __init__(self, replies: _Optional[_Iterable[_Union[Reply, _Mapping]]] = ..., draining: bool = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("id", "timeout_ms", "start", "start_many", "get", "wait", "list", "raise_event", "pause", "resume", "terminate", "purge", "rerun", "restart", "rewind", "history", "cancel", "run")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    START_MANY_FIELD_NUMBER: _ClassVar[int]
    GET_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    RAISE_EVENT_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    TERMINATE_FIELD_NUMBER: _ClassVar[int]
    PURGE_FIELD_NUMBER: _ClassVar[int]
    RERUN_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    REWIND_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    id: int
    timeout_ms: int
    start: StartRequest
    start_many: StartManyRequest
    get: GetRequest
    wait: WaitRequest
    list: ListRequest
    raise_event: RaiseEventRequest
    pause: PauseRequest
    resume: ResumeRequest
    terminate: TerminateCall
    purge: PurgeRequest
    rerun: RerunRequest
    restart: RestartRequest
    rewind: RewindRequest
    history: HistoryRequest
    cancel: CancelRequest
    run: RunRequest
    def __init__(self, id: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., start: _Optional[_Union[StartRequest, _Mapping]] = ..., start_many: _Optional[_Union[StartManyRequest, _Mapping]] = ..., get: _Optional[_Union[GetRequest, _Mapping]] = ..., wait: _Optional[_Union[WaitRequest, _Mapping]] = ..., list: _Optional[_Union[ListRequest, _Mapping]] = ..., raise_event: _Optional[_Union[RaiseEventRequest, _Mapping]] = ..., pause: _Optional[_Union[PauseRequest, _Mapping]] = ..., resume: _Optional[_Union[ResumeRequest, _Mapping]] = ..., terminate: _Optional[_Union[TerminateCall, _Mapping]] = ..., purge: _Optional[_Union[PurgeRequest, _Mapping]] = ..., rerun: _Optional[_Union[RerunRequest, _Mapping]] = ..., restart: _Optional[_Union[RestartRequest, _Mapping]] = ..., rewind: _Optional[_Union[RewindRequest, _Mapping]] = ..., history: _Optional[_Union[HistoryRequest, _Mapping]] = ..., cancel: _Optional[_Union[CancelRequest, _Mapping]] = ..., run: _Optional[_Union[RunRequest, _Mapping]] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("id", "error", "started", "started_many", "found", "page", "done", "history", "purged", "outcome")
    ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STARTED_MANY_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    PURGED_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    id: int
    error: Error
    started: Started
    started_many: StartedMany
    found: Found
    page: InstancePage
    done: Done
    history: HistoryPage
    purged: Purged
    outcome: Outcome
    def __init__(self, id: _Optional[int] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., started: _Optional[_Union[Started, _Mapping]] = ..., started_many: _Optional[_Union[StartedMany, _Mapping]] = ..., found: _Optional[_Union[Found, _Mapping]] = ..., page: _Optional[_Union[InstancePage, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., history: _Optional[_Union[HistoryPage, _Mapping]] = ..., purged: _Optional[_Union[Purged, _Mapping]] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("kind", "code", "text", "facts")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNSPECIFIED: _ClassVar[Error.Kind]
        INVALID: _ClassVar[Error.Kind]
        NOT_FOUND: _ClassVar[Error.Kind]
        EXISTS: _ClassVar[Error.Kind]
        WRONG_STATE: _ClassVar[Error.Kind]
        EXHAUSTED: _ClassVar[Error.Kind]
        UNAVAILABLE: _ClassVar[Error.Kind]
        DENIED: _ClassVar[Error.Kind]
        UNSUPPORTED: _ClassVar[Error.Kind]
        INTERNAL: _ClassVar[Error.Kind]
        CANCELED: _ClassVar[Error.Kind]
    UNSPECIFIED: Error.Kind
    INVALID: Error.Kind
    NOT_FOUND: Error.Kind
    EXISTS: Error.Kind
    WRONG_STATE: Error.Kind
    EXHAUSTED: Error.Kind
    UNAVAILABLE: Error.Kind
    DENIED: Error.Kind
    UNSUPPORTED: Error.Kind
    INTERNAL: Error.Kind
    CANCELED: Error.Kind
    class FactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    kind: Error.Kind
    code: str
    text: str
    facts: _containers.ScalarMap[str, str]
    def __init__(self, kind: _Optional[_Union[Error.Kind, str]] = ..., code: _Optional[str] = ..., text: _Optional[str] = ..., facts: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    def __init__(self, request_id: _Optional[int] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Reuse(_message.Message):
    __slots__ = ("replaceable", "kept")
    REPLACEABLE_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    replaceable: _containers.RepeatedScalarFieldContainer[int]
    kept: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, replaceable: _Optional[_Iterable[int]] = ..., kept: _Optional[_Iterable[int]] = ...) -> None: ...

class StartRequest(_message.Message):
    __slots__ = ("name", "input", "instance_id", "execution_id", "version", "tags", "scheduled_at", "reuse", "trace")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_AT_FIELD_NUMBER: _ClassVar[int]
    REUSE_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    name: str
    input: str
    instance_id: str
    execution_id: str
    version: str
    tags: _containers.ScalarMap[str, str]
    scheduled_at: int
    reuse: Reuse
    trace: _history_pb2.Trace
    def __init__(self, name: _Optional[str] = ..., input: _Optional[str] = ..., instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., version: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ..., scheduled_at: _Optional[int] = ..., reuse: _Optional[_Union[Reuse, _Mapping]] = ..., trace: _Optional[_Union[_history_pb2.Trace, _Mapping]] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("instance_id", "execution_id")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: str
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("start",)
    START_FIELD_NUMBER: _ClassVar[int]
    start: StartRequest
    def __init__(self, start: _Optional[_Union[StartRequest, _Mapping]] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("instance_id", "execution_id", "name", "status", "output", "failure")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: str
    name: str
    status: int
    output: str
    failure: _history_pb2.Failure
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., name: _Optional[str] = ..., status: _Optional[int] = ..., output: _Optional[str] = ..., failure: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ...) -> None: ...

class StartManyRequest(_message.Message):
    __slots__ = ("starts",)
    STARTS_FIELD_NUMBER: _ClassVar[int]
    starts: _containers.RepeatedCompositeFieldContainer[StartRequest]
    def __init__(self, starts: _Optional[_Iterable[_Union[StartRequest, _Mapping]]] = ...) -> None: ...

class StartedMany(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[StartOutcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[StartOutcome, _Mapping]]] = ...) -> None: ...

class StartOutcome(_message.Message):
    __slots__ = ("started", "error")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    started: Started
    error: Error
    def __init__(self, started: _Optional[_Union[Started, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("instance_id", "with_payloads")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    WITH_PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    with_payloads: bool
    def __init__(self, instance_id: _Optional[str] = ..., with_payloads: bool = ...) -> None: ...

class WaitRequest(_message.Message):
    __slots__ = ("instance_id", "until", "with_payloads", "execution_id", "is_brief")
    class Until(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ENDED: _ClassVar[WaitRequest.Until]
        STARTED: _ClassVar[WaitRequest.Until]
    ENDED: WaitRequest.Until
    STARTED: WaitRequest.Until
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    WITH_PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    IS_BRIEF_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    until: WaitRequest.Until
    with_payloads: bool
    execution_id: str
    is_brief: bool
    def __init__(self, instance_id: _Optional[str] = ..., until: _Optional[_Union[WaitRequest.Until, str]] = ..., with_payloads: bool = ..., execution_id: _Optional[str] = ..., is_brief: bool = ...) -> None: ...

class Found(_message.Message):
    __slots__ = ("instance", "timed_out")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    instance: InstanceState
    timed_out: bool
    def __init__(self, instance: _Optional[_Union[InstanceState, _Mapping]] = ..., timed_out: bool = ...) -> None: ...

class InstanceState(_message.Message):
    __slots__ = ("instance_id", "execution_id", "name", "status", "generation", "version", "created_at", "updated_at", "scheduled_at", "started_at", "completed_at", "input", "output", "custom_status", "failure", "tags", "parent", "stall", "history_length", "history_bytes", "inbox_length", "is_suspended")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_STATUS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    STALL_FIELD_NUMBER: _ClassVar[int]
    HISTORY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    HISTORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    INBOX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    IS_SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: str
    name: str
    status: int
    generation: int
    version: str
    created_at: int
    updated_at: int
    scheduled_at: int
    started_at: int
    completed_at: int
    input: str
    output: str
    custom_status: str
    failure: _history_pb2.Failure
    tags: _containers.ScalarMap[str, str]
    parent: _history_pb2.Parent
    stall: StallState
    history_length: int
    history_bytes: int
    inbox_length: int
    is_suspended: bool
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., name: _Optional[str] = ..., status: _Optional[int] = ..., generation: _Optional[int] = ..., version: _Optional[str] = ..., created_at: _Optional[int] = ..., updated_at: _Optional[int] = ..., scheduled_at: _Optional[int] = ..., started_at: _Optional[int] = ..., completed_at: _Optional[int] = ..., input: _Optional[str] = ..., output: _Optional[str] = ..., custom_status: _Optional[str] = ..., failure: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ..., parent: _Optional[_Union[_history_pb2.Parent, _Mapping]] = ..., stall: _Optional[_Union[StallState, _Mapping]] = ..., history_length: _Optional[int] = ..., history_bytes: _Optional[int] = ..., inbox_length: _Optional[int] = ..., is_suspended: bool = ...) -> None: ...

class StallState(_message.Message):
    __slots__ = ("reason", "description", "at", "attempts")
    REASON_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    reason: str
    description: str
    at: int
    attempts: int
    def __init__(self, reason: _Optional[str] = ..., description: _Optional[str] = ..., at: _Optional[int] = ..., attempts: _Optional[int] = ...) -> None: ...

class InstanceFilter(_message.Message):
    __slots__ = ("statuses", "name", "id_prefix", "created_from", "created_to", "completed_from", "completed_to", "by_completion", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    CREATED_FROM_FIELD_NUMBER: _ClassVar[int]
    CREATED_TO_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FROM_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TO_FIELD_NUMBER: _ClassVar[int]
    BY_COMPLETION_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedScalarFieldContainer[int]
    name: str
    id_prefix: str
    created_from: int
    created_to: int
    completed_from: int
    completed_to: int
    by_completion: bool
    tags: _containers.ScalarMap[str, str]
    def __init__(self, statuses: _Optional[_Iterable[int]] = ..., name: _Optional[str] = ..., id_prefix: _Optional[str] = ..., created_from: _Optional[int] = ..., created_to: _Optional[int] = ..., completed_from: _Optional[int] = ..., completed_to: _Optional[int] = ..., by_completion: bool = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("filter", "limit", "cursor", "with_payloads")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    WITH_PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    filter: InstanceFilter
    limit: int
    cursor: str
    with_payloads: bool
    def __init__(self, filter: _Optional[_Union[InstanceFilter, _Mapping]] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ..., with_payloads: bool = ...) -> None: ...

class InstancePage(_message.Message):
    __slots__ = ("instances", "cursor")
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedCompositeFieldContainer[InstanceState]
    cursor: str
    def __init__(self, instances: _Optional[_Iterable[_Union[InstanceState, _Mapping]]] = ..., cursor: _Optional[str] = ...) -> None: ...

class HistoryRequest(_message.Message):
    __slots__ = ("instance_id", "from_row", "limit")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_ROW_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    from_row: int
    limit: int
    def __init__(self, instance_id: _Optional[str] = ..., from_row: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class HistoryPage(_message.Message):
    __slots__ = ("events", "next_row", "generation", "execution_id")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ROW_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_history_pb2.HistoryEvent]
    next_row: int
    generation: int
    execution_id: str
    def __init__(self, events: _Optional[_Iterable[_Union[_history_pb2.HistoryEvent, _Mapping]]] = ..., next_row: _Optional[int] = ..., generation: _Optional[int] = ..., execution_id: _Optional[str] = ...) -> None: ...

class RawHistoryPage(_message.Message):
    __slots__ = ("events", "next_row", "generation", "execution_id")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ROW_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedScalarFieldContainer[bytes]
    next_row: int
    generation: int
    execution_id: str
    def __init__(self, events: _Optional[_Iterable[bytes]] = ..., next_row: _Optional[int] = ..., generation: _Optional[int] = ..., execution_id: _Optional[str] = ...) -> None: ...

class RaiseEventRequest(_message.Message):
    __slots__ = ("instance_id", "name", "input", "source")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    name: str
    input: str
    source: str
    def __init__(self, instance_id: _Optional[str] = ..., name: _Optional[str] = ..., input: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ("instance_id", "reason")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: str
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("instance_id", "reason")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: str
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class TerminateCall(_message.Message):
    __slots__ = ("instance_id", "output", "recurse")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RECURSE_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    output: str
    recurse: bool
    def __init__(self, instance_id: _Optional[str] = ..., output: _Optional[str] = ..., recurse: bool = ...) -> None: ...

class PurgeRequest(_message.Message):
    __slots__ = ("instance_ids", "filter", "recurse", "is_forced")
    INSTANCE_IDS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    RECURSE_FIELD_NUMBER: _ClassVar[int]
    IS_FORCED_FIELD_NUMBER: _ClassVar[int]
    instance_ids: _containers.RepeatedScalarFieldContainer[str]
    filter: InstanceFilter
    recurse: bool
    is_forced: bool
    def __init__(self, instance_ids: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[InstanceFilter, _Mapping]] = ..., recurse: bool = ..., is_forced: bool = ...) -> None: ...

class Purged(_message.Message):
    __slots__ = ("count", "is_complete")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    count: int
    is_complete: bool
    def __init__(self, count: _Optional[int] = ..., is_complete: bool = ...) -> None: ...

class RerunRequest(_message.Message):
    __slots__ = ("instance_id", "from_row", "new_instance_id", "input", "overwrites_input", "execution_id")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_ROW_FIELD_NUMBER: _ClassVar[int]
    NEW_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OVERWRITES_INPUT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    from_row: int
    new_instance_id: str
    input: str
    overwrites_input: bool
    execution_id: str
    def __init__(self, instance_id: _Optional[str] = ..., from_row: _Optional[int] = ..., new_instance_id: _Optional[str] = ..., input: _Optional[str] = ..., overwrites_input: bool = ..., execution_id: _Optional[str] = ...) -> None: ...

class RestartRequest(_message.Message):
    __slots__ = ("instance_id", "keeps_id", "execution_id")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    KEEPS_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    keeps_id: bool
    execution_id: str
    def __init__(self, instance_id: _Optional[str] = ..., keeps_id: bool = ..., execution_id: _Optional[str] = ...) -> None: ...

class RewindRequest(_message.Message):
    __slots__ = ("instance_id", "reason")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    reason: str
    def __init__(self, instance_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
