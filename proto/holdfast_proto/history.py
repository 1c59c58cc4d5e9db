"""History: what has happened to one instance, as values.

Facts are past tense. Times are integer nanoseconds since the Unix epoch in UTC, because clients send a date (the year
9999 with nanoseconds) that neither `datetime` nor 64 bits can hold. Payloads are text that nobody here looks into.

The values hold no cycles, so the garbage collector need not look at them (`gc=False`).

`seq` is the number of the request that a fact answers or confirms; -1 where there is none. Zero is a valid seq.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

from msgspec import Struct

NO_SEQ = -1


class Status(IntEnum):
    """An instance's status. The numbers are those of the wire and of the stores; never renumber them."""

    RUNNING = 0
    COMPLETED = 1
    CONTINUED_AS_NEW = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    PENDING = 6
    SUSPENDED = 7
    STALLED = 8

    is_terminal: bool  # a plain attribute: it is asked some ten times per commit

    def __init__(self, number: int) -> None:
        self.is_terminal = number in {1, 3, 4, 5}


class StallReason(IntEnum):
    """Why an instance cannot go on until a person or a new worker changes something."""

    PATCH_MISMATCH = 0
    VERSION_NOT_AVAILABLE = 1
    PAYLOAD_SIZE_EXCEEDED = 2
    HISTORY_LIMIT_EXCEEDED = 3
    INBOX_LIMIT_EXCEEDED = 4
    CONTRADICTION = 5  # an action that the history rules out
    NONDETERMINISM = 6  # the worker's code does not fit the history
    BROKEN = 7  # an invariant of ours does not hold; an operator is needed
    WORKER_LOST = 8  # every worker that was given the turn went away without an answer


class TimerOrigin(IntEnum):
    """What a timer stands for; only for people who read a history."""

    NONE = 0
    USER = 1
    EVENT_TIMEOUT = 2
    ACTIVITY_RETRY = 3
    CHILD_RETRY = 4


class Failure(Struct, frozen=True, kw_only=True, gc=False):
    """An error of user code as a value. `properties` is encoded protobuf of the client's own, passed through."""

    kind: str
    message: str
    stack: str | None = None
    cause: Failure | None = None
    is_non_retryable: bool = False
    properties: bytes = b""


class Trace(Struct, frozen=True, gc=False):
    """W3C trace context of the caller."""

    parent: str
    state: str | None = None
    span_id: str = ""


class Parent(Struct, frozen=True, kw_only=True, gc=False):
    """Who waits for this instance, and under which seq."""

    instance_id: str
    seq: int
    name: str | None = None
    version: str | None = None
    execution_id: str | None = None
    app_id: str | None = None
    app_namespace: str | None = None
    row: int = -1  # the row of ChildScheduled in the parent's history: tells attempts with one seq apart


class ActivityOptions(Struct, frozen=True, kw_only=True, gc=False):
    """Bounds that the sidecar keeps for one activity, in nanoseconds; zero is no bound."""

    start_to_close: int = 0
    schedule_to_start: int = 0
    heartbeat: int = 0
    is_local_first: bool = False


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """Base of all facts. `at` is when the sidecar recorded it."""

    at: int


class TurnStarted(Event, frozen=True, kw_only=True):
    """The first fact of every turn; its time is the workflow's clock."""

    patches: tuple[str, ...] = ()
    version_name: str | None = None


class WorkflowStarted(Event, frozen=True, kw_only=True):
    name: str
    instance_id: str
    execution_id: str
    version: str | None = None
    input: str | None = None
    parent: Parent | None = None
    scheduled_at: int | None = None
    trace: Trace | None = None
    tags: dict[str, str] = {}


class WorkflowCompleted(Event, frozen=True, kw_only=True):
    seq: int
    status: Status
    result: str | None = None
    failure: Failure | None = None


class TerminateRequested(Event, frozen=True, kw_only=True):
    output: str | None = None
    recurse: bool = False


class Suspended(Event, frozen=True, kw_only=True):
    reason: str | None = None


class Resumed(Event, frozen=True, kw_only=True):
    reason: str | None = None


class ActivityScheduled(Event, frozen=True, kw_only=True):
    seq: int
    name: str
    version: str | None = None
    input: str | None = None
    trace: Trace | None = None
    tags: dict[str, str] = {}
    task_execution_id: str = ""  # the same over all attempts of one logical call
    rerun_of: str = ""  # the instance that this fact was copied from
    options: ActivityOptions | None = None


class ActivityCompleted(Event, frozen=True, kw_only=True):
    seq: int
    result: str | None = None
    task_execution_id: str = ""


class ActivityFailed(Event, frozen=True, kw_only=True):
    seq: int
    failure: Failure
    task_execution_id: str = ""


class ActivityCancelRequested(Event, frozen=True, kw_only=True):
    seq: int


class ChildScheduled(Event, frozen=True, kw_only=True):
    seq: int
    instance_id: str
    name: str
    version: str | None = None
    input: str | None = None
    trace: Trace | None = None
    tags: dict[str, str] = {}
    rerun_of: str = ""
    retry_of: str = ""  # the child of the first attempt


class ChildCompleted(Event, frozen=True, kw_only=True):
    seq: int
    result: str | None = None


class ChildFailed(Event, frozen=True, kw_only=True):
    seq: int
    failure: Failure


class TimerCreated(Event, frozen=True, kw_only=True):
    seq: int
    fire_at: int
    name: str | None = None
    origin: TimerOrigin = TimerOrigin.NONE
    origin_name: str = ""  # the event, task or child that the origin speaks of
    rerun_of: str = ""


class TimerFired(Event, frozen=True, kw_only=True):
    seq: int
    fire_at: int


class TimerCanceled(Event, frozen=True, kw_only=True):
    seq: int


class EventSent(Event, frozen=True, kw_only=True):
    seq: int
    instance_id: str
    name: str
    input: str | None = None


class EventReceived(Event, frozen=True, kw_only=True):
    name: str
    input: str | None = None
    source: str = ""  # names the sending; a second delivery of the same source changes nothing


class DetachedStarted(Event, frozen=True, kw_only=True):
    seq: int
    instance_id: str


class Rewound(Event, frozen=True, kw_only=True):
    """A request to repair a failed run. Carries what a child needs to be rebuilt."""

    reason: str | None = None
    parent_execution_id: str | None = None
    instance_id: str | None = None
    name: str | None = None
    version: str | None = None
    input: str | None = None
    parent: Parent | None = None
    trace: Trace | None = None
    tags: dict[str, str] = {}


class Stalled(Event, frozen=True, kw_only=True):
    reason: StallReason
    description: str = ""


HistoryEvent: TypeAlias = (
    TurnStarted
    | WorkflowStarted
    | WorkflowCompleted
    | TerminateRequested
    | Suspended
    | Resumed
    | ActivityScheduled
    | ActivityCompleted
    | ActivityFailed
    | ActivityCancelRequested
    | ChildScheduled
    | ChildCompleted
    | ChildFailed
    | TimerCreated
    | TimerFired
    | TimerCanceled
    | EventSent
    | EventReceived
    | DetachedStarted
    | Rewound
    | Stalled
)
