"""Actions: what a worker's turn asks for, as values. Requests are imperative; `seq` becomes the seq of their facts."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from holdfast_proto.history import (
    ActivityOptions,
    EventReceived,
    Failure,
    HistoryEvent,
    StallReason,
    Status,
    TimerOrigin,
    Trace,
)


class ScheduleActivity(Struct, frozen=True, kw_only=True, gc=False):
    seq: int
    name: str
    version: str | None = None
    input: str | None = None
    trace: Trace | None = None
    tags: dict[str, str] = {}
    task_execution_id: str = ""
    options: ActivityOptions | None = None


class CancelActivity(Struct, frozen=True, kw_only=True, gc=False):
    """Asks a running activity to stop. Its answer, if any comes, is still taken while the schedule is open."""

    seq: int


class CreateTimer(Struct, frozen=True, kw_only=True, gc=False):
    seq: int
    fire_at: int
    name: str | None = None
    origin: TimerOrigin = TimerOrigin.NONE
    origin_name: str = ""


class CancelTimer(Struct, frozen=True, kw_only=True, gc=False):
    seq: int


class StartChild(Struct, frozen=True, kw_only=True, gc=False):
    seq: int
    instance_id: str  # empty: the engine makes one of the parent's id and the seq
    name: str
    version: str | None = None
    input: str | None = None
    trace: Trace | None = None
    tags: dict[str, str] = {}
    retry_of: str = ""


class StartDetached(Struct, frozen=True, kw_only=True, gc=False):
    seq: int
    instance_id: str
    name: str
    version: str | None = None
    input: str | None = None
    scheduled_at: int | None = None
    execution_id: str | None = None
    trace: Trace | None = None
    tags: dict[str, str] = {}


class SendEvent(Struct, frozen=True, kw_only=True, gc=False):
    seq: int
    instance_id: str
    name: str
    input: str | None = None


class TerminateInstance(Struct, frozen=True, kw_only=True, gc=False):
    seq: int
    instance_id: str
    reason: str | None = None
    recurse: bool = False


class CompleteWorkflow(Struct, frozen=True, kw_only=True, gc=False):
    """The end of a run, or of a generation when the status is CONTINUED_AS_NEW (`result` is then the next input)."""

    seq: int
    status: Status
    result: str | None = None
    failure: Failure | None = None
    new_version: str | None = None
    carryover: tuple[EventReceived, ...] = ()
    tags: dict[str, str] | None = None


class ReplaceHistory(Struct, frozen=True, kw_only=True, gc=False):
    """The answer to a rewind: the repaired history, which takes the place of the stored one."""

    history: tuple[HistoryEvent, ...]


class Stall(Struct, frozen=True, kw_only=True, gc=False):
    """The worker cannot go on with this instance: it lacks the version, or its code does not fit the history."""

    reason: StallReason
    description: str = ""


Action: TypeAlias = (
    ScheduleActivity
    | CancelActivity
    | CreateTimer
    | CancelTimer
    | StartChild
    | StartDetached
    | SendEvent
    | TerminateInstance
    | CompleteWorkflow
    | ReplaceHistory
    | Stall
)
