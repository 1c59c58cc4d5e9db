"""Times, failures, traces and parents between values and messages; shared by everything that reads or writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from holdfast_proto.codec.errors import Unreadable
from holdfast_proto.history import ActivityOptions, Failure, Parent, Trace
from holdfast_proto.v1 import history_pb2 as pb

SECOND: Final = 1_000_000_000
FIRST_AT: Final = -62_135_596_800 * SECOND  # 0001-01-01, and the last nanosecond of 9999: what a Timestamp may hold
LAST_AT: Final = 253_402_300_800 * SECOND - 1
_NO_ROW: Final = -1


def set_time(stamp: Timestamp, at: int) -> None:
    stamp.seconds, stamp.nanos = divmod(at, SECOND)


def time_of(stamp: Timestamp) -> int:
    at = stamp.seconds * SECOND + stamp.nanos
    if not FIRST_AT <= at <= LAST_AT:
        raise Unreadable("time between the years 1 and 9999", found=f"{at} nanoseconds after 1970")
    return at


def encode_failure(failure: Failure) -> bytes:
    message = pb.Failure()
    set_failure(message, failure)
    return message.SerializeToString()


def decode_failure(data: bytes) -> Failure:
    try:
        return failure_of(pb.Failure.FromString(data))
    except DecodeError as error:
        raise Unreadable("failure", found=f"{len(data)} bytes of another form") from error


def set_failure(target: pb.Failure, failure: Failure) -> None:
    target.kind = failure.kind
    target.message = failure.message
    if failure.stack is not None:
        target.stack.value = failure.stack
    if failure.cause is not None:
        set_failure(target.cause, failure.cause)
    if failure.is_non_retryable:
        target.is_non_retryable = True
    if failure.properties:
        target.MergeFromString(failure.properties)


def failure_of(source: pb.Failure) -> Failure:
    return Failure(
        kind=source.kind,
        message=source.message,
        stack=source.stack.value if source.HasField("stack") else None,
        cause=failure_of(source.cause) if source.HasField("cause") else None,
        is_non_retryable=source.is_non_retryable,
        properties=pb.Failure(properties=source.properties).SerializeToString() if source.properties else b"",
    )


def set_trace(target: pb.Trace, trace: Trace) -> None:
    target.parent = trace.parent
    if trace.state is not None:
        target.state.value = trace.state
    if trace.span_id:
        target.span_id = trace.span_id


def trace_of(source: pb.Trace) -> Trace:
    return Trace(source.parent, source.state.value if source.HasField("state") else None, source.span_id)


def tags_of(source: Mapping[str, str]) -> dict[str, str]:
    """Most have none, and to copy an empty map of protobuf's is dear."""
    return dict(source) if source else {}


def set_parent(target: pb.Parent, parent: Parent) -> None:
    target.seq = parent.seq
    target.instance.instance_id = parent.instance_id
    if parent.execution_id is not None:
        target.instance.execution_id.value = parent.execution_id
    if parent.name is not None:
        target.name.value = parent.name
    if parent.version is not None:
        target.version.value = parent.version
    if parent.app_id is not None:
        target.app_id = parent.app_id
    if parent.app_namespace is not None:
        target.app_namespace = parent.app_namespace
    if parent.row != _NO_ROW:
        target.row = parent.row


def parent_of(source: pb.Parent) -> Parent:
    instance = source.instance
    return Parent(
        instance_id=instance.instance_id,
        seq=source.seq,
        name=source.name.value if source.HasField("name") else None,
        version=source.version.value if source.HasField("version") else None,
        execution_id=instance.execution_id.value if instance.HasField("execution_id") else None,
        app_id=source.app_id if source.HasField("app_id") else None,
        app_namespace=source.app_namespace if source.HasField("app_namespace") else None,
        row=source.row if source.HasField("row") else _NO_ROW,
    )


def set_options(target: pb.ActivityOptions, options: ActivityOptions) -> None:
    target.SetInParent()
    target.start_to_close = options.start_to_close
    target.schedule_to_start = options.schedule_to_start
    target.heartbeat = options.heartbeat
    target.is_local_first = options.is_local_first


def options_of(source: pb.ActivityOptions) -> ActivityOptions:
    return ActivityOptions(
        start_to_close=source.start_to_close,
        schedule_to_start=source.schedule_to_start,
        heartbeat=source.heartbeat,
        is_local_first=source.is_local_first,
    )
