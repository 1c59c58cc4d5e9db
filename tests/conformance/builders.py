"""Commits as the engine makes them: counters of the record always fit the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from msgspec.structs import replace

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import Commit, Record
from tests.conformance.harness import PARTITIONS


def partition_of(instance_id: str) -> int:
    return crc32(instance_id.encode()) % PARTITIONS


def place(instance_id: str) -> tuple[int, str]:
    return partition_of(instance_id), instance_id


def create(
    instance_id: str,
    *,
    epoch: int = 1,
    messages: Sequence[bytes] = (b"start",),
    events: Sequence[bytes] = (),
    record: dict[str, Any] | None = None,
    **rows: Any,
) -> Commit:
    """The first commit of an instance: a start, or with `events` its first turn. `record` names fields of the record,
    `rows` those of the commit."""
    fields: dict[str, Any] = {"name": "hello", "status": Status.PENDING, "created_at": 1_000, "updated_at": 1_000}
    fields |= {"history_length": len(events), "history_bytes": sum(map(len, events)), **(record or {})}
    return Commit(
        partition=partition_of(instance_id),
        epoch=epoch,
        instance_id=instance_id,
        expected_version=0,
        record=Record(
            id=instance_id, execution_id=f"run-{instance_id}", version=1, inbox_length=len(messages), **fields
        ),
        history_append=events,
        inbox_append=messages,
        **rows,
    )


def follow(
    before: Commit,
    *,
    events: Sequence[bytes] = (),
    messages: Sequence[bytes] = (),
    consume: int = 0,
    resets: bool = False,
    epoch: int = 0,
    record: dict[str, Any] | None = None,
    **rows: Any,
) -> Commit:
    """The next commit, on top of what `before` left."""
    assert before.record is not None
    old = before.record
    kept = 0 if resets else old.history_length
    first, length = old.inbox_first + consume, old.inbox_length - consume
    fields: dict[str, Any] = {
        "version": old.version + 1,
        "status": Status.RUNNING,
        "updated_at": old.updated_at + 1,
        "history_length": kept + len(events),
        "history_bytes": sum(map(len, events)) + (0 if resets else old.history_bytes),
        "inbox_first": first,
        "inbox_length": length + len(messages),
    }
    return Commit(
        partition=before.partition,
        epoch=epoch or before.epoch,
        instance_id=before.instance_id,
        expected_version=old.version,
        record=replace(old, **(fields | (record or {}))),
        resets_history=resets,
        history_first=kept,
        history_append=events,
        inbox_first=first + length,
        inbox_append=messages,
        inbox_consumed=(old.inbox_first, first),
        **rows,
    )


def finish(before: Commit, *, at: int, status: Status = Status.COMPLETED, **more: Any) -> Commit:
    """The commit that ends an instance."""
    more.setdefault("events", (b"turn", b"completed"))
    more["record"] = {"status": status, "completed_at": at, **more.get("record", {})}
    return follow(before, **more)


def delete(before: Commit, *, epoch: int = 0) -> Commit:
    assert before.record is not None
    return Commit(
        partition=before.partition,
        epoch=epoch or before.epoch,
        instance_id=before.instance_id,
        expected_version=before.record.version,
        record=None,
    )
