"""One instance in memory: its record, its inbox, and what its history leaves open.

The mailbox that owns an Instance changes it in one way only: a Decision that the store has applied is absorbed.
Whatever is derived (open schedules, seen sources, patches) is a fold over the history, the same fold for a load from
the store and for the facts of a new turn, so both always agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from msgspec import Struct

from holdfast_proto.codec import decode_event
from holdfast_proto.history import (
    ActivityCancelRequested,
    ActivityCompleted,
    ActivityFailed,
    ActivityScheduled,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    DetachedStarted,
    EventReceived,
    EventSent,
    HistoryEvent,
    Resumed,
    Rewound,
    Stalled,
    Suspended,
    TerminateRequested,
    TimerCanceled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)
from holdfast_sidecar.core.keys import RUN_PREFIX, SEND_PREFIX
from holdfast_sidecar.core.state import Record, Stored

ANSWERS = (ActivityCompleted, ActivityFailed, ChildCompleted, ChildFailed, TimerFired)


class Arrival(Struct, frozen=True, gc=False):
    """An inbox message, with the bytes it is stored as."""

    event: HistoryEvent
    data: bytes
    row: int = -1  # of the schedule that it answers; -1 for what answers nothing


class OpenChild(Struct, frozen=True):
    row: int
    instance_id: str


@dataclass(slots=True)
class Opened:
    """Schedules without an answer, by seq, and the other things that a history says. Row: where the schedule lies."""

    activities: dict[int, int] = field(default_factory=dict[int, int])
    timers: dict[int, int] = field(default_factory=dict[int, int])
    children: dict[int, OpenChild] = field(default_factory=dict[int, OpenChild])
    sources: dict[str, None] = field(default_factory=dict[str, None])  # a set that keeps its order
    patches: tuple[str, ...] = ()

    def absorb(self, event: HistoryEvent, row: int) -> None:
        match event:
            case TurnStarted(patches=patches):
                if patches:
                    self.patches = (*self.patches, *(p for p in patches if p not in self.patches))
            case ActivityScheduled(seq=seq):
                self.activities[seq] = row
            case ActivityCompleted(seq=seq) | ActivityFailed(seq=seq):
                self.activities.pop(seq, None)
            case TimerCreated(seq=seq):
                self.timers[seq] = row
            case TimerFired(seq=seq) | TimerCanceled(seq=seq):
                self.timers.pop(seq, None)
            case ChildScheduled(seq=seq, instance_id=child):
                self.children[seq] = OpenChild(row, child)
            case ChildCompleted(seq=seq) | ChildFailed(seq=seq):
                self.children.pop(seq, None)
            case EventReceived(source=source):
                if source:
                    self.sources[source] = None
            case (
                WorkflowStarted()
                | WorkflowCompleted()
                | TerminateRequested()
                | Suspended()
                | Resumed()
                | ActivityCancelRequested()
                | EventSent()
                | DetachedStarted()
                | Rewound()
                | Stalled()
            ):
                pass
            case _:
                assert_never(event)

    def row_of(self, event: HistoryEvent) -> int:
        """The row of the open schedule that the event answers; -1 when it answers nothing that is open."""
        match event:
            case ActivityCompleted(seq=seq) | ActivityFailed(seq=seq):
                return self.activities.get(seq, -1)
            case TimerFired(seq=seq):
                return self.timers.get(seq, -1)
            case ChildCompleted(seq=seq) | ChildFailed(seq=seq):
                child = self.children.get(seq)
                return -1 if child is None else child.row
            case _:
                return -1


@dataclass(slots=True)
class Instance:
    record: Record
    partition: int
    epoch: int
    custom_status: str | None = None
    inbox: list[Arrival] = field(default_factory=list[Arrival])  # the first record.inbox_length of them are stored
    history: list[bytes] = field(default_factory=list[bytes])
    open: Opened = field(default_factory=Opened)
    answered_rows: set[int] = field(default_factory=set[int])  # schedules whose answer waits in the inbox
    started: set[int] = field(default_factory=set[int])  # rows of children known to exist; forgotten by a crash
    outbox: dict[str, bytes] = field(default_factory=dict[str, bytes])  # messages nobody has confirmed yet
    owed: dict[str, bytes] = field(default_factory=dict[str, bytes])  # activities that outlive what scheduled them
    confirmed: list[str] = field(default_factory=list[str])  # names in both that are done, to go with the next commit

    @property
    def id(self) -> str:
        return self.record.id

    def unstarted_children(self) -> list[OpenChild]:
        """Open children whose start may still be on the way."""
        known = self.started | self.answered_rows
        return sorted((c for c in self.open.children.values() if c.row not in known), key=lambda child: child.row)

    def confirm(self, name: str) -> None:
        """Its receiver has the message, or the activity was answered: the reminder goes with the next commit."""
        if (name in self.outbox or name in self.owed) and name not in self.confirmed:
            self.confirmed.append(name)

    @property
    def is_turn_due(self) -> bool:
        """Something to run, nothing that forbids it. A first turn may still have to wait for its start time."""
        record = self.record
        return bool(self.inbox or record.owes_turn) and not record.is_suspended and not record.status.is_terminal

    def starts_at(self) -> int:
        """When the first turn may run; 0 when it may at once, or has."""
        return 0 if self.record.history_length else self.record.scheduled_at or 0

    @property
    def is_stored(self) -> bool:
        """Else it is known here alone, and a crash would leave nothing of it."""
        return self.record.version > 0

    @property
    def needs_save(self) -> bool:
        """Something is known here that the store does not hold yet."""
        return len(self.inbox) > self.record.inbox_length or bool(self.confirmed)


def revive(stored: Stored, *, partition: int, epoch: int) -> Instance:
    """What the store holds, made live."""
    instance = Instance(stored.record, partition, epoch, stored.custom_status, history=list(stored.history))
    instance.open = nothing_open(stored.record)
    for row, data in enumerate(stored.history):
        instance.open.absorb(decode_event(data), row)
    instance.outbox = {r.name: r.data for r in stored.reminders if r.name.startswith(SEND_PREFIX)}
    instance.owed = {r.name: r.data for r in stored.reminders if r.name.startswith(RUN_PREFIX)}
    for data in stored.inbox:
        event = decode_event(data)
        take(instance, Arrival(event, data, instance.open.row_of(event)))
    return instance


def take(instance: Instance, arrival: Arrival) -> None:
    """Puts a message into the inbox, so that a second one of the same is known as such."""
    instance.inbox.append(arrival)
    note(instance, arrival)


def note(instance: Instance, arrival: Arrival) -> None:
    """Remembers what a message in the inbox answers, or where it comes from."""
    if arrival.row >= 0:
        instance.answered_rows.add(arrival.row)
    elif isinstance(arrival.event, EventReceived) and arrival.event.source:
        instance.open.sources[arrival.event.source] = None


def nothing_open(record: Record) -> Opened:
    """What is open before the first row of history is read."""
    return Opened(sources=dict.fromkeys(record.seen_sources))
