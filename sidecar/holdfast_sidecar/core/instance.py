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
from holdfast_sidecar.core.keys import SEND_PREFIX
from holdfast_sidecar.core.state import Record, Stored


class Arrival(Struct, frozen=True):
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
    sources: set[str] = field(default_factory=set[str])
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
                    self.sources.add(source)
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
    outbox: dict[str, bytes] = field(default_factory=dict[str, bytes])  # messages nobody has confirmed yet
    confirmed: list[str] = field(default_factory=list[str])  # and those confirmed, to be forgotten with the next commit

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def is_turn_due(self) -> bool:
        """Something to run, nothing that forbids it. A first turn may still have to wait for its start time."""
        record = self.record
        return bool(self.inbox or record.owes_turn) and not record.is_suspended and not record.status.is_terminal

    def starts_at(self) -> int:
        """When the first turn may run; 0 when it may at once, or has."""
        return 0 if self.record.history_length else self.record.scheduled_at or 0

    @property
    def needs_save(self) -> bool:
        """Something is known here that the store does not hold yet."""
        return len(self.inbox) > self.record.inbox_length or bool(self.confirmed)


def revive(stored: Stored, *, partition: int, epoch: int) -> Instance:
    """What the store holds, made live."""
    instance = Instance(stored.record, partition, epoch, stored.custom_status, history=list(stored.history))
    for row, data in enumerate(stored.history):
        instance.open.absorb(decode_event(data), row)
    instance.outbox = {r.name: r.data for r in stored.reminders if r.name.startswith(SEND_PREFIX)}
    for data in stored.inbox:
        event = decode_event(data)
        take(instance, Arrival(event, data, instance.open.row_of(event)))
    return instance


def take(instance: Instance, arrival: Arrival) -> None:
    """Puts a message into the inbox, so that a second one of the same is known as such."""
    instance.inbox.append(arrival)
    if arrival.row >= 0:
        instance.answered_rows.add(arrival.row)
    elif isinstance(arrival.event, EventReceived) and arrival.event.source:
        instance.open.sources.add(arrival.event.source)
