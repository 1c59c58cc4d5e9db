from holdfast_proto.v1 import history_pb2 as _history_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkerFrame(_message.Message):
    __slots__ = ("hello", "turns", "activities", "fused", "heartbeats", "credits", "forgotten", "draining", "pong")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_FIELD_NUMBER: _ClassVar[int]
    FUSED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    hello: WorkerHello
    turns: _containers.RepeatedCompositeFieldContainer[TurnDone]
    activities: _containers.RepeatedCompositeFieldContainer[ActivityDone]
    fused: _containers.RepeatedCompositeFieldContainer[FusedStep]
    heartbeats: _containers.RepeatedCompositeFieldContainer[Heartbeat]
    credits: Credits
    forgotten: _containers.RepeatedCompositeFieldContainer[Forgotten]
    draining: bool
    pong: int
    def __init__(self, hello: _Optional[_Union[WorkerHello, _Mapping]] = ..., turns: _Optional[_Iterable[_Union[TurnDone, _Mapping]]] = ..., activities: _Optional[_Iterable[_Union[ActivityDone, _Mapping]]] = ..., fused: _Optional[_Iterable[_Union[FusedStep, _Mapping]]] = ..., heartbeats: _Optional[_Iterable[_Union[Heartbeat, _Mapping]]] = ..., credits: _Optional[_Union[Credits, _Mapping]] = ..., forgotten: _Optional[_Iterable[_Union[Forgotten, _Mapping]]] = ..., draining: bool = ..., pong: _Optional[int] = ...) -> None: ...

class WorkerHello(_message.Message):
    __slots__ = ("protocol", "namespace", "worker_id", "sdk", "capabilities", "workflows", "activities", "cache_max", "turn_slots", "activity_slots")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_FIELD_NUMBER: _ClassVar[int]
    CACHE_MAX_FIELD_NUMBER: _ClassVar[int]
    TURN_SLOTS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SLOTS_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    namespace: str
    worker_id: str
    sdk: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    workflows: _containers.RepeatedCompositeFieldContainer[WorkflowName]
    activities: _containers.RepeatedScalarFieldContainer[str]
    cache_max: int
    turn_slots: int
    activity_slots: int
    def __init__(self, protocol: _Optional[int] = ..., namespace: _Optional[str] = ..., worker_id: _Optional[str] = ..., sdk: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., workflows: _Optional[_Iterable[_Union[WorkflowName, _Mapping]]] = ..., activities: _Optional[_Iterable[str]] = ..., cache_max: _Optional[int] = ..., turn_slots: _Optional[int] = ..., activity_slots: _Optional[int] = ...) -> None: ...

class WorkflowName(_message.Message):
    __slots__ = ("name", "versions")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., versions: _Optional[_Iterable[str]] = ...) -> None: ...

class Credits(_message.Message):
    __slots__ = ("turns", "activities")
    TURNS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_FIELD_NUMBER: _ClassVar[int]
    turns: int
    activities: int
    def __init__(self, turns: _Optional[int] = ..., activities: _Optional[int] = ...) -> None: ...

class TurnDone(_message.Message):
    __slots__ = ("token", "actions", "custom_status", "clears_custom_status", "patches", "version_name", "is_cached", "needs_history", "abandoned")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_STATUS_FIELD_NUMBER: _ClassVar[int]
    CLEARS_CUSTOM_STATUS_FIELD_NUMBER: _ClassVar[int]
    PATCHES_FIELD_NUMBER: _ClassVar[int]
    VERSION_NAME_FIELD_NUMBER: _ClassVar[int]
    IS_CACHED_FIELD_NUMBER: _ClassVar[int]
    NEEDS_HISTORY_FIELD_NUMBER: _ClassVar[int]
    ABANDONED_FIELD_NUMBER: _ClassVar[int]
    token: int
    actions: _containers.RepeatedCompositeFieldContainer[_history_pb2.Action]
    custom_status: str
    clears_custom_status: bool
    patches: _containers.RepeatedScalarFieldContainer[str]
    version_name: str
    is_cached: bool
    needs_history: bool
    abandoned: str
    def __init__(self, token: _Optional[int] = ..., actions: _Optional[_Iterable[_Union[_history_pb2.Action, _Mapping]]] = ..., custom_status: _Optional[str] = ..., clears_custom_status: bool = ..., patches: _Optional[_Iterable[str]] = ..., version_name: _Optional[str] = ..., is_cached: bool = ..., needs_history: bool = ..., abandoned: _Optional[str] = ...) -> None: ...

class ActivityDone(_message.Message):
    __slots__ = ("token", "result", "failure", "abandoned")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ABANDONED_FIELD_NUMBER: _ClassVar[int]
    token: int
    result: str
    failure: _history_pb2.Failure
    abandoned: str
    def __init__(self, token: _Optional[int] = ..., result: _Optional[str] = ..., failure: _Optional[_Union[_history_pb2.Failure, _Mapping]] = ..., abandoned: _Optional[str] = ...) -> None: ...

class FusedStep(_message.Message):
    __slots__ = ("results", "turn_token", "based_on", "turn_time", "actions", "custom_status", "clears_custom_status", "patches", "version_name", "is_cached")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    TURN_TOKEN_FIELD_NUMBER: _ClassVar[int]
    BASED_ON_FIELD_NUMBER: _ClassVar[int]
    TURN_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_STATUS_FIELD_NUMBER: _ClassVar[int]
    CLEARS_CUSTOM_STATUS_FIELD_NUMBER: _ClassVar[int]
    PATCHES_FIELD_NUMBER: _ClassVar[int]
    VERSION_NAME_FIELD_NUMBER: _ClassVar[int]
    IS_CACHED_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ActivityDone]
    turn_token: int
    based_on: int
    turn_time: int
    actions: _containers.RepeatedCompositeFieldContainer[_history_pb2.Action]
    custom_status: str
    clears_custom_status: bool
    patches: _containers.RepeatedScalarFieldContainer[str]
    version_name: str
    is_cached: bool
    def __init__(self, results: _Optional[_Iterable[_Union[ActivityDone, _Mapping]]] = ..., turn_token: _Optional[int] = ..., based_on: _Optional[int] = ..., turn_time: _Optional[int] = ..., actions: _Optional[_Iterable[_Union[_history_pb2.Action, _Mapping]]] = ..., custom_status: _Optional[str] = ..., clears_custom_status: bool = ..., patches: _Optional[_Iterable[str]] = ..., version_name: _Optional[str] = ..., is_cached: bool = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("token", "details")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    token: int
    details: str
    def __init__(self, token: _Optional[int] = ..., details: _Optional[str] = ...) -> None: ...

class Forgotten(_message.Message):
    __slots__ = ("instance_id", "execution_id")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: str
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ...) -> None: ...

class SidecarFrame(_message.Message):
    __slots__ = ("welcome", "turns", "activities", "cancels", "drops", "draining", "ping", "refusal")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_FIELD_NUMBER: _ClassVar[int]
    CANCELS_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    welcome: WorkerWelcome
    turns: _containers.RepeatedCompositeFieldContainer[Turn]
    activities: _containers.RepeatedCompositeFieldContainer[Activity]
    cancels: _containers.RepeatedCompositeFieldContainer[Cancel]
    drops: _containers.RepeatedCompositeFieldContainer[Drop]
    draining: bool
    ping: int
    refusal: WorkerRefusal
    def __init__(self, welcome: _Optional[_Union[WorkerWelcome, _Mapping]] = ..., turns: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., activities: _Optional[_Iterable[_Union[Activity, _Mapping]]] = ..., cancels: _Optional[_Iterable[_Union[Cancel, _Mapping]]] = ..., drops: _Optional[_Iterable[_Union[Drop, _Mapping]]] = ..., draining: bool = ..., ping: _Optional[int] = ..., refusal: _Optional[_Union[WorkerRefusal, _Mapping]] = ...) -> None: ...

class WorkerWelcome(_message.Message):
    __slots__ = ("protocol", "namespace", "host_id", "sidecar", "items_max", "frame_bytes_max", "payload_bytes_max", "capabilities")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    SIDECAR_FIELD_NUMBER: _ClassVar[int]
    ITEMS_MAX_FIELD_NUMBER: _ClassVar[int]
    FRAME_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    namespace: str
    host_id: str
    sidecar: str
    items_max: int
    frame_bytes_max: int
    payload_bytes_max: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, protocol: _Optional[int] = ..., namespace: _Optional[str] = ..., host_id: _Optional[str] = ..., sidecar: _Optional[str] = ..., items_max: _Optional[int] = ..., frame_bytes_max: _Optional[int] = ..., payload_bytes_max: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ...) -> None: ...

class WorkerRefusal(_message.Message):
    __slots__ = ("code", "text")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    code: str
    text: str
    def __init__(self, code: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("token", "instance_id", "execution_id", "generation", "past_count", "past", "new", "has_more", "name", "is_repaired")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    PAST_COUNT_FIELD_NUMBER: _ClassVar[int]
    PAST_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_REPAIRED_FIELD_NUMBER: _ClassVar[int]
    token: int
    instance_id: str
    execution_id: str
    generation: int
    past_count: int
    past: _containers.RepeatedCompositeFieldContainer[_history_pb2.HistoryEvent]
    new: _containers.RepeatedCompositeFieldContainer[_history_pb2.HistoryEvent]
    has_more: bool
    name: str
    is_repaired: bool
    def __init__(self, token: _Optional[int] = ..., instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., generation: _Optional[int] = ..., past_count: _Optional[int] = ..., past: _Optional[_Iterable[_Union[_history_pb2.HistoryEvent, _Mapping]]] = ..., new: _Optional[_Iterable[_Union[_history_pb2.HistoryEvent, _Mapping]]] = ..., has_more: bool = ..., name: _Optional[str] = ..., is_repaired: bool = ...) -> None: ...

class Activity(_message.Message):
    __slots__ = ("token", "instance_id", "execution_id", "event", "delivery", "heartbeat_details", "workflow_name", "generation")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_DETAILS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_NAME_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    token: int
    instance_id: str
    execution_id: str
    event: _history_pb2.HistoryEvent
    delivery: int
    heartbeat_details: str
    workflow_name: str
    generation: int
    def __init__(self, token: _Optional[int] = ..., instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., event: _Optional[_Union[_history_pb2.HistoryEvent, _Mapping]] = ..., delivery: _Optional[int] = ..., heartbeat_details: _Optional[str] = ..., workflow_name: _Optional[str] = ..., generation: _Optional[int] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ("token", "reason")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNSPECIFIED: _ClassVar[Cancel.Reason]
        REQUESTED: _ClassVar[Cancel.Reason]
        TIMED_OUT: _ClassVar[Cancel.Reason]
        HEARTBEAT_TIMED_OUT: _ClassVar[Cancel.Reason]
        INSTANCE_ENDED: _ClassVar[Cancel.Reason]
        LOST: _ClassVar[Cancel.Reason]
    UNSPECIFIED: Cancel.Reason
    REQUESTED: Cancel.Reason
    TIMED_OUT: Cancel.Reason
    HEARTBEAT_TIMED_OUT: Cancel.Reason
    INSTANCE_ENDED: Cancel.Reason
    LOST: Cancel.Reason
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    token: int
    reason: Cancel.Reason
    def __init__(self, token: _Optional[int] = ..., reason: _Optional[_Union[Cancel.Reason, str]] = ...) -> None: ...

class Drop(_message.Message):
    __slots__ = ("instance_id", "execution_id", "text")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    execution_id: str
    text: str
    def __init__(self, instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class RawTurn(_message.Message):
    __slots__ = ("token", "instance_id", "execution_id", "generation", "past_count", "past", "new", "has_more", "name", "is_repaired")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    PAST_COUNT_FIELD_NUMBER: _ClassVar[int]
    PAST_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_REPAIRED_FIELD_NUMBER: _ClassVar[int]
    token: int
    instance_id: str
    execution_id: str
    generation: int
    past_count: int
    past: _containers.RepeatedScalarFieldContainer[bytes]
    new: _containers.RepeatedScalarFieldContainer[bytes]
    has_more: bool
    name: str
    is_repaired: bool
    def __init__(self, token: _Optional[int] = ..., instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., generation: _Optional[int] = ..., past_count: _Optional[int] = ..., past: _Optional[_Iterable[bytes]] = ..., new: _Optional[_Iterable[bytes]] = ..., has_more: bool = ..., name: _Optional[str] = ..., is_repaired: bool = ...) -> None: ...

class RawActivity(_message.Message):
    __slots__ = ("token", "instance_id", "execution_id", "event", "delivery", "heartbeat_details", "workflow_name", "generation")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_DETAILS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_NAME_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    token: int
    instance_id: str
    execution_id: str
    event: bytes
    delivery: int
    heartbeat_details: str
    workflow_name: str
    generation: int
    def __init__(self, token: _Optional[int] = ..., instance_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., event: _Optional[bytes] = ..., delivery: _Optional[int] = ..., heartbeat_details: _Optional[str] = ..., workflow_name: _Optional[str] = ..., generation: _Optional[int] = ...) -> None: ...

class RawSidecarFrame(_message.Message):
    __slots__ = ("welcome", "turns", "activities", "cancels", "drops", "draining", "ping", "refusal")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_FIELD_NUMBER: _ClassVar[int]
    CANCELS_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    welcome: WorkerWelcome
    turns: _containers.RepeatedCompositeFieldContainer[RawTurn]
    activities: _containers.RepeatedCompositeFieldContainer[RawActivity]
    cancels: _containers.RepeatedCompositeFieldContainer[Cancel]
    drops: _containers.RepeatedCompositeFieldContainer[Drop]
    draining: bool
    ping: int
    refusal: WorkerRefusal
    def __init__(self, welcome: _Optional[_Union[WorkerWelcome, _Mapping]] = ..., turns: _Optional[_Iterable[_Union[RawTurn, _Mapping]]] = ..., activities: _Optional[_Iterable[_Union[RawActivity, _Mapping]]] = ..., cancels: _Optional[_Iterable[_Union[Cancel, _Mapping]]] = ..., drops: _Optional[_Iterable[_Union[Drop, _Mapping]]] = ..., draining: bool = ..., ping: _Optional[int] = ..., refusal: _Optional[_Union[WorkerRefusal, _Mapping]] = ...) -> None: ...
