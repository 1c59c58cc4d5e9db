from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FromHost(_message.Message):
    __slots__ = ("hello", "heartbeat", "serve", "leaving", "leave", "fenced", "watch")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    SERVE_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    FENCED_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    heartbeat: Heartbeat
    serve: Serve
    leaving: Leaving
    leave: Leave
    fenced: Fenced
    watch: Watch
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., serve: _Optional[_Union[Serve, _Mapping]] = ..., leaving: _Optional[_Union[Leaving, _Mapping]] = ..., leave: _Optional[_Union[Leave, _Mapping]] = ..., fenced: _Optional[_Union[Fenced, _Mapping]] = ..., watch: _Optional[_Union[Watch, _Mapping]] = ...) -> None: ...

class ToHost(_message.Message):
    __slots__ = ("welcome", "table", "diff", "heartbeat_ack", "refusal", "go_away", "left")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_ACK_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    GO_AWAY_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    table: Table
    diff: Diff
    heartbeat_ack: HeartbeatAck
    refusal: Refusal
    go_away: GoAway
    left: Left
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., table: _Optional[_Union[Table, _Mapping]] = ..., diff: _Optional[_Union[Diff, _Mapping]] = ..., heartbeat_ack: _Optional[_Union[HeartbeatAck, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ..., go_away: _Optional[_Union[GoAway, _Mapping]] = ..., left: _Optional[_Union[Left, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol", "namespace", "app_id", "host_id", "incarnation", "address", "partitions", "capabilities", "table_version", "serving")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    APP_ID_FIELD_NUMBER: _ClassVar[int]
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    TABLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    namespace: str
    app_id: str
    host_id: str
    incarnation: str
    address: str
    partitions: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    table_version: int
    serving: bool
    def __init__(self, protocol: _Optional[int] = ..., namespace: _Optional[str] = ..., app_id: _Optional[str] = ..., host_id: _Optional[str] = ..., incarnation: _Optional[str] = ..., address: _Optional[str] = ..., partitions: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ..., table_version: _Optional[int] = ..., serving: bool = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("seq",)
    SEQ_FIELD_NUMBER: _ClassVar[int]
    seq: int
    def __init__(self, seq: _Optional[int] = ...) -> None: ...

class Serve(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Leaving(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Leave(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Fenced(_message.Message):
    __slots__ = ("partition", "fence", "epoch")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    partition: int
    fence: int
    epoch: int
    def __init__(self, partition: _Optional[int] = ..., fence: _Optional[int] = ..., epoch: _Optional[int] = ...) -> None: ...

class Watch(_message.Message):
    __slots__ = ("app_id",)
    APP_ID_FIELD_NUMBER: _ClassVar[int]
    app_id: str
    def __init__(self, app_id: _Optional[str] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("protocol", "replica_id", "lease_ms", "heartbeat_ms")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    replica_id: str
    lease_ms: int
    heartbeat_ms: int
    def __init__(self, protocol: _Optional[int] = ..., replica_id: _Optional[str] = ..., lease_ms: _Optional[int] = ..., heartbeat_ms: _Optional[int] = ...) -> None: ...

class HeartbeatAck(_message.Message):
    __slots__ = ("seq", "etcd_silence_ms")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ETCD_SILENCE_MS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    etcd_silence_ms: int
    def __init__(self, seq: _Optional[int] = ..., etcd_silence_ms: _Optional[int] = ...) -> None: ...

class Host(_message.Message):
    __slots__ = ("id", "address", "incarnation", "capabilities", "is_guest")
    ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    IS_GUEST_FIELD_NUMBER: _ClassVar[int]
    id: str
    address: str
    incarnation: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    is_guest: bool
    def __init__(self, id: _Optional[str] = ..., address: _Optional[str] = ..., incarnation: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., is_guest: bool = ...) -> None: ...

class Table(_message.Message):
    __slots__ = ("namespace", "app_id", "version", "partitions", "hosts", "owners", "epochs")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    APP_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    HOSTS_FIELD_NUMBER: _ClassVar[int]
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    app_id: str
    version: int
    partitions: int
    hosts: _containers.RepeatedCompositeFieldContainer[Host]
    owners: _containers.RepeatedScalarFieldContainer[int]
    epochs: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, namespace: _Optional[str] = ..., app_id: _Optional[str] = ..., version: _Optional[int] = ..., partitions: _Optional[int] = ..., hosts: _Optional[_Iterable[_Union[Host, _Mapping]]] = ..., owners: _Optional[_Iterable[int]] = ..., epochs: _Optional[_Iterable[int]] = ...) -> None: ...

class Diff(_message.Message):
    __slots__ = ("namespace", "app_id", "from_version", "version", "joined", "left", "changed", "owners", "epochs")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    APP_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    app_id: str
    from_version: int
    version: int
    joined: _containers.RepeatedCompositeFieldContainer[Host]
    left: _containers.RepeatedScalarFieldContainer[str]
    changed: _containers.RepeatedScalarFieldContainer[int]
    owners: _containers.RepeatedScalarFieldContainer[int]
    epochs: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, namespace: _Optional[str] = ..., app_id: _Optional[str] = ..., from_version: _Optional[int] = ..., version: _Optional[int] = ..., joined: _Optional[_Iterable[_Union[Host, _Mapping]]] = ..., left: _Optional[_Iterable[str]] = ..., changed: _Optional[_Iterable[int]] = ..., owners: _Optional[_Iterable[int]] = ..., epochs: _Optional[_Iterable[int]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("code", "text", "retry_after_ms")
    class Code(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNSPECIFIED: _ClassVar[Refusal.Code]
        INVALID: _ClassVar[Refusal.Code]
        PROTOCOL: _ClassVar[Refusal.Code]
        PARTITION_COUNT: _ClassVar[Refusal.Code]
        HOST_ID_TAKEN: _ClassVar[Refusal.Code]
        IDENTITY_MISSING: _ClassVar[Refusal.Code]
        IDENTITY_MISMATCH: _ClassVar[Refusal.Code]
        TRUST_DOMAIN: _ClassVar[Refusal.Code]
        ETCD_UNAVAILABLE: _ClassVar[Refusal.Code]
        SUPERSEDED: _ClassVar[Refusal.Code]
        SILENT: _ClassVar[Refusal.Code]
    UNSPECIFIED: Refusal.Code
    INVALID: Refusal.Code
    PROTOCOL: Refusal.Code
    PARTITION_COUNT: Refusal.Code
    HOST_ID_TAKEN: Refusal.Code
    IDENTITY_MISSING: Refusal.Code
    IDENTITY_MISMATCH: Refusal.Code
    TRUST_DOMAIN: Refusal.Code
    ETCD_UNAVAILABLE: Refusal.Code
    SUPERSEDED: Refusal.Code
    SILENT: Refusal.Code
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    code: Refusal.Code
    text: str
    retry_after_ms: int
    def __init__(self, code: _Optional[_Union[Refusal.Code, str]] = ..., text: _Optional[str] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class GoAway(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Left(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Member(_message.Message):
    __slots__ = ("namespace", "app_id", "host", "serving", "replica_id", "joined_at_ms")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    APP_ID_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    JOINED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    app_id: str
    host: Host
    serving: bool
    replica_id: str
    joined_at_ms: int
    def __init__(self, namespace: _Optional[str] = ..., app_id: _Optional[str] = ..., host: _Optional[_Union[Host, _Mapping]] = ..., serving: bool = ..., replica_id: _Optional[str] = ..., joined_at_ms: _Optional[int] = ...) -> None: ...

class Leader(_message.Message):
    __slots__ = ("replica_id", "http_address", "elected_at_ms")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    HTTP_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ELECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    http_address: str
    elected_at_ms: int
    def __init__(self, replica_id: _Optional[str] = ..., http_address: _Optional[str] = ..., elected_at_ms: _Optional[int] = ...) -> None: ...
