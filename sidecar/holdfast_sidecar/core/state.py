"""What is stored of an instance, and what one commit does to it: values that stores, core and shell all speak.

They hold no cycles, so the garbage collector need not look at them (`gc=False`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from holdfast_proto.history import Parent, Status

NEVER_AT: Final = (
    253_370_764_800_000_000_000  # 9999-01-01: a timer due then or later is kept in history and never fires
)


LAST_AT: Final = 2**63 - 1  # stores keep times in 64 bits; a reminder for later than the year 2262 is due then


def due_time(at: int) -> int:
    """When a reminder for that time is due: never 0, which means "at recovery", and always within 64 bits."""
    return min(max(at, 1), LAST_AT)


class Stall(Struct, frozen=True, gc=False):
    """Why an instance stands still, in words for a person."""

    reason: str
    description: str
    at: int


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The `metadata` of an instance: everything that queries show, except payloads. Stored as JSON.

    inbox rows are inbox_first .. inbox_first + inbox_length - 1; history rows are 0 .. history_length - 1.
    WorkflowStarted is the first inbox row while the history is empty, and history row 1 from the first turn on.
    """

    id: str
    name: str
    status: Status
    created_at: int
    updated_at: int
    execution_id: str
    first_execution_id: str = ""  # the one that the start named, once continue-as-new has put another in its place
    version: int = 0  # grows by one with each commit: the guard against two writers
    generation: int = 1
    inbox_first: int = 0
    inbox_length: int = 0
    history_length: int = 0
    history_bytes: int = 0
    label: str | None = None  # the user's version
    parent: Parent | None = None
    tags: dict[str, str] = {}
    scheduled_at: int | None = None
    started_at: int | None = None
    completed_at: int | None = None
    is_suspended: bool = False
    is_awake: bool = False  # a wake reminder is stored: something is in flight that a crash must not lose
    stall: Stall | None = None
    owes_turn: bool = False  # a turn must run though the inbox is empty (after a rewind or rerun)
    is_repaired: bool = False  # rewound: a replay may ask for what the history does not hold any more
    attempts: int = 0  # stalls in a row; the shell backs off by it
    seen_sources: tuple[str, ...] = ()  # of events of earlier generations, the latest of them: their history is gone
    sends: int = 0  # messages to others so far; numbers the outbox
    rewound_by: str = ""  # the parent's rewind that this child has followed last: a second one of the same is none
    turn_trace: bytes = b""  # opaque context that a client gives with a turn and wants back with the next
    dialect: str = ""  # of the worker that ran the last turn


class Reminder(Struct, frozen=True, gc=False):
    """A row that wakes an instance. `name` is unique within it; `due_at` is nanoseconds, 0 for "at recovery"."""

    instance_id: str
    name: str
    due_at: int
    data: bytes = b""


class ActivityRow(Struct, frozen=True, gc=False):
    """`activityreq-N` of the activity actor `<instance>#<seq>`, N being the generation."""

    seq: int
    generation: int
    request: bytes


class Commit(Struct, frozen=True, kw_only=True, gc=False):
    """One guarded transaction on one instance. All or nothing.

    The store refuses it when the fence of `partition` is above `epoch`, or when the stored version is not
    `expected_version` (0: the instance must not exist). `record` None deletes everything of the instance.
    """

    partition: int
    epoch: int
    instance_id: str
    expected_version: int
    record: Record | None
    resets_history: bool = False  # all history rows go, then history_append is written from row 0
    history_first: int = 0  # the row of history_append[0]
    history_append: Sequence[bytes] = ()
    inbox_first: int = 0  # the row of inbox_append[0]
    inbox_append: Sequence[bytes] = ()
    inbox_consumed: tuple[int, int] = (0, 0)  # rows [from, to) go
    sets_custom_status: bool = False
    custom_status: str | None = None
    activities_put: Sequence[ActivityRow] = ()
    activities_delete: Sequence[tuple[int, int]] = ()  # (seq, generation)
    clears_activities: bool = False
    reminders_put: Sequence[Reminder] = ()  # replaces a reminder of the same name
    reminders_delete: Sequence[str] = ()


class Stored(Struct, frozen=True, kw_only=True):
    """All of one instance, as load returns it."""

    record: Record
    custom_status: str | None = None
    inbox: tuple[bytes, ...] = ()
    history: tuple[bytes, ...] = ()
    activities: tuple[ActivityRow, ...] = ()
    reminders: tuple[Reminder, ...] = ()


class View(Struct, frozen=True, kw_only=True, gc=False):
    """What a status query shows: the record, and the rows that hold input and output when they were asked for."""

    record: Record
    custom_status: str | None = None
    start: bytes | None = None  # the WorkflowStarted row
    end: bytes | None = None  # the last history row, when the instance has ended


class Filter(Struct, frozen=True, kw_only=True):
    """Which instances a query means. Empty fields do not restrict. Times are [from, to)."""

    statuses: frozenset[Status] = frozenset()
    name: str = ""
    id_prefix: str = ""
    created_from: int = 0
    created_to: int = 0
    completed_from: int = 0
    completed_to: int = 0
    by_completion: bool = False  # order by (completed_at, id) and only ended ones; else by (created_at, id)


class Page(Struct, frozen=True, kw_only=True):
    """One page of views; `cursor` is empty on the last."""

    views: tuple[View, ...] = field(default=())
    cursor: str = ""
