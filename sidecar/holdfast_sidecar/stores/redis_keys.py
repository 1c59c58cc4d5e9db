"""How an instance is called in Redis: keys, fields and members of the ordered sets.

All keys of a partition start with the hash tag `{hf:<namespace>:<partition>}` (hf: the prefix), so in a cluster they
lie on one node.
Members of ordered sets all have the score 0: Redis then orders them by their bytes, which is exact where a score,
being a double, could not hold nanoseconds.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import Record
from holdfast_sidecar.stores.stamps import STAMP_LENGTH, stamp_exactly

LAYOUT: Final = 1
NEVER: Final = "-" * STAMP_LENGTH  # in place of a time that has not come; no digit, so it is no time either
AFTER_ALL: Final = b"\xff"  # comes after every character of UTF-8


class PartitionKeys(Struct, frozen=True):
    """The keys that all instances of a partition share, and the start of the others."""

    tag: str
    fence: str
    due: str
    index: str

    def instance(self, instance_id: str) -> str:
        return f"{self.tag}:workflow:{instance_id}"

    def activities(self, instance_id: str) -> str:
        return f"{self.tag}:activity:{instance_id}"

    def reminders(self, instance_id: str) -> str:
        return f"{self.tag}:reminders:{instance_id}"


def partition_keys(prefix: str, namespace: str, partition: int) -> PartitionKeys:
    tag = f"{{{prefix}:{namespace}:{partition}}}"
    return PartitionKeys(tag, f"{tag}:fence", f"{tag}:due", f"{tag}:index")


def layout_key(prefix: str) -> str:
    return f"{{{prefix}}}:layout"


def index_text(record: Record) -> str:
    """What the index must know of an instance: status digit, created, completed, name."""
    completed = NEVER if record.completed_at is None else stamp_exactly(record.completed_at)
    return f"{record.status:d}{stamp_exactly(record.created_at)}{completed}{record.name}"


def etag(record: Record) -> str:
    """What the scripts must know of an instance without reading its metadata."""
    return f"{record.version} {record.history_length} {record.inbox_first}"


def activity_field(seq: int, generation: int) -> str:
    """`activityreq-N` of the activity actor `<instance>#<seq>`."""
    return f"{seq}#activityreq-{generation}"


def parse_activity_field(field: str) -> tuple[int, int]:
    seq, _, rest = field.partition("#")
    return int(seq), int(rest.removeprefix("activityreq-"))


def parse_due_member(member: bytes) -> tuple[int, str, str]:
    """Due time, instance id and name of `due .. id \\0 name`, as the script writes it."""
    instance_id, _, name = member[STAMP_LENGTH:].partition(b"\0")
    return int(member[:STAMP_LENGTH]), instance_id.decode(), name.decode()


def created_prefix() -> bytes:
    return b"c"


def status_prefix(status: Status) -> bytes:
    return b"s%d" % status


def name_prefix(name: str, status: Status) -> bytes:
    encoded = name.encode()
    return b"n%d:%s%d" % (len(encoded), encoded, status)


def completed_prefix(status: Status) -> bytes:
    return b"e%d" % status


def id_prefix(start: str) -> bytes:
    return b"i" + start.encode()
