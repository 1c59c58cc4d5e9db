"""What a client sees of an instance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from holdfast import serialization
from holdfast.errors import WorkflowCanceled, WorkflowFailed
from holdfast_proto.codec.values import failure_of
from holdfast_proto.history import Failure, Status
from holdfast_proto.v1 import client_pb2 as pb

_NANOS: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stall:
    """Why an instance stands still, and since when."""

    reason: str
    description: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance at one moment. Payloads are JSON text; `result_as` reads the output."""

    id: str
    name: str
    status: Status
    execution_id: str
    generation: int
    created_at: datetime
    updated_at: datetime
    version: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    scheduled_at: datetime | None = None
    input: str | None = None
    output: str | None = None
    custom_status: str | None = None
    failure: Failure | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    parent_id: str | None = None
    stall: Stall | None = None
    history_length: int = 0

    @property
    def has_ended(self) -> bool:
        return self.status.is_terminal

    def result_as(self, kind: Any) -> Any:
        return serialization.decode(self.output, kind, what=f"result of {self.name}()")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which instances are meant. What is left out does not restrict; times are from (inclusive) to (exclusive)."""

    statuses: Sequence[Status] = ()
    name: str = ""
    id_prefix: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None
    completed_from: datetime | None = None
    completed_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """`cursor` is empty on the last page."""

    instances: list[Instance]
    cursor: str = ""


def instance_of(state: pb.InstanceState) -> Instance:
    return Instance(
        id=state.instance_id,
        name=state.name,
        status=Status(state.status),
        execution_id=state.execution_id,
        generation=state.generation,
        created_at=_moment(state.created_at),
        updated_at=_moment(state.updated_at),
        version=state.version if state.HasField("version") else None,
        started_at=_moment(state.started_at) if state.started_at else None,
        completed_at=_moment(state.completed_at) if state.completed_at else None,
        scheduled_at=_moment(state.scheduled_at) if state.scheduled_at else None,
        input=state.input if state.HasField("input") else None,
        output=state.output if state.HasField("output") else None,
        custom_status=state.custom_status if state.HasField("custom_status") else None,
        failure=failure_of(state.failure) if state.HasField("failure") else None,
        tags=dict(state.tags),
        parent_id=state.parent.instance.instance_id if state.HasField("parent") else None,
        stall=_stall(state.stall) if state.HasField("stall") else None,
        history_length=state.history_length,
    )


def result_of(outcome: pb.Outcome, returns: Any) -> Any:
    """Raises WorkflowFailed, or WorkflowCanceled when it was terminated."""
    name, status = outcome.name, Status(outcome.status)
    if status is Status.COMPLETED:
        output = outcome.output if outcome.HasField("output") else None
        return serialization.decode(output, returns, what=f"result of {name}()")
    if status is Status.FAILED:
        failure = failure_of(outcome.failure) if outcome.HasField("failure") else None
        raise WorkflowFailed(outcome.instance_id, name, failure)
    raise WorkflowCanceled(f"instance {outcome.instance_id!r}: it was {status.name.lower()}")


def _stall(stall: pb.StallState) -> Stall:
    return Stall(stall.reason, stall.description, _moment(stall.at))


def filter_message(wanted: Filter | None) -> pb.InstanceFilter:
    if wanted is None:
        return pb.InstanceFilter()
    return pb.InstanceFilter(
        statuses=[int(status) for status in wanted.statuses],
        name=wanted.name,
        id_prefix=wanted.id_prefix,
        created_from=_at(wanted.created_from),
        created_to=_at(wanted.created_to),
        completed_from=_at(wanted.completed_from),
        completed_to=_at(wanted.completed_to),
    )


def nanoseconds(at: datetime | None, after: timedelta | float | None, *, now: int) -> int:
    """When to start: 0 is now."""
    if at is not None and after is not None:
        raise ValueError("start: expected at or after, found both")
    if after is not None:
        seconds = after.total_seconds() if isinstance(after, timedelta) else after
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"start(after): expected a number of seconds from 0 on, found {after!r}")
        return now + round(seconds * _NANOS)
    return _at(at)


def _at(moment: datetime | None) -> int:
    if moment is None:
        return 0
    if moment.tzinfo is None:
        raise ValueError(f"time {moment.isoformat()}: expected a time zone, found none; add tzinfo=UTC")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at // 1000)
