"""What lies in etcd beside tables: a host's membership and the leader. Pure."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from holdfast_placement.table import AppKey, BadTable, Host, Table, decode, decode_host, encode, encode_host
from holdfast_proto.v1 import placement_pb2 as pb


class BadRecord(ValueError):
    """Bytes under one of our keys that we cannot have written."""


@dataclass(frozen=True, slots=True)
class Member:
    """A host that holds a lease. Only a `serving` one takes partitions; `replica_id` serves its stream."""

    app: AppKey
    host: Host
    serving: bool
    replica_id: str
    joined_at_ms: int


@dataclass(frozen=True, slots=True)
class Leader:
    replica_id: str
    http_address: str
    elected_at_ms: int


def encode_member(member: Member) -> bytes:
    return pb.Member(
        namespace=member.app.namespace,
        app_id=member.app.app_id,
        host=encode_host(member.host),
        serving=member.serving,
        replica_id=member.replica_id,
        joined_at_ms=member.joined_at_ms,
    ).SerializeToString()


def decode_member(value: bytes, app: AppKey, host_id: str) -> Member:
    """Raises `BadRecord` when the value is not the one of this key."""
    message = pb.Member()
    _parse(message, value)
    if (message.namespace, message.app_id, message.host.id) != (*app, host_id):
        raise BadRecord(f"member {app}/{host_id}: found the record of another one")
    host = decode_host(message.host)
    return Member(app, host, message.serving, message.replica_id, message.joined_at_ms)


def encode_leader(leader: Leader) -> bytes:
    return pb.Leader(
        replica_id=leader.replica_id, http_address=leader.http_address, elected_at_ms=leader.elected_at_ms
    ).SerializeToString()


def decode_leader(value: bytes) -> Leader:
    message = pb.Leader()
    _parse(message, value)
    return Leader(message.replica_id, message.http_address, message.elected_at_ms)


def encode_table(table: Table) -> bytes:
    return encode(table).SerializeToString()


def decode_table(value: bytes, app: AppKey) -> Table:
    message = pb.Table()
    _parse(message, value)
    try:
        table = decode(message)
    except BadTable as error:
        raise BadRecord(str(error)) from error
    if table.app != app:
        raise BadRecord(f"table {app}: found the one of {table.app}")
    return table


def decode_number(value: bytes, subject: str) -> int:
    if not value.isdigit() or len(value) > 19 or int(value) == 0:
        raise BadRecord(f"{subject}: expected a positive number, found {value[:40]!r}")
    return int(value)


def _parse(message: pb.Member | pb.Leader | pb.Table, value: bytes) -> None:
    try:
        message.ParseFromString(value)
    except DecodeError as error:
        raise BadRecord(f"{type(message).__name__}: {len(value)} bytes that are none") from error
