"""A Decision: one commit, and what may be sent once the store has applied it. Draft collects one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityScheduled, EventReceived, HistoryEvent
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.instance import Arrival, Instance, note, nothing_open
from holdfast_sidecar.core.messages import Message, encode_message
from holdfast_sidecar.core.state import ActivityRow, Commit, Record, Reminder, due_time

RESEND_AFTER = 2_000_000_000  # ns until an unanswered message goes out again; an answer normally takes milliseconds


class RunActivity(Struct, frozen=True, gc=False):
    instance_id: str
    execution_id: str
    row: int
    event: ActivityScheduled
    data: bytes


class Owed(Struct, frozen=True):
    """What is kept of an order to run an activity once the history that would repeat it is gone."""

    execution_id: str
    row: int
    data: bytes


class StopActivity(Struct, frozen=True, gc=False):
    """`has_ended`: nobody takes an answer any more. Else the workflow only asks, and still takes one."""

    instance_id: str
    execution_id: str
    seq: int
    row: int
    has_ended: bool = False


class Send(Struct, frozen=True, gc=False):
    """A message to another instance. `name` is its outbox reminder; "" when the open schedule itself repeats it."""

    name: str
    message: Message
    seq: int = -1
    row: int = -1


Order: TypeAlias = RunActivity | StopActivity | Send


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    commit: Commit
    events: tuple[HistoryEvent, ...] = ()  # the facts behind commit.history_append
    consumed: int = 0  # so many inbox messages are done with
    inbox_front: tuple[Arrival, ...] = ()  # and these stand before what is left (continue-as-new)
    orders: tuple[Order, ...] = ()


class Draft:
    """Collects one commit on one instance. Nothing of the instance changes before `absorb`."""

    __slots__ = (
        "activities_delete",
        "activities_put",
        "bytes_added",
        "clears_activities",
        "events",
        "instance",
        "now",
        "orders",
        "reminders_delete",
        "reminders_put",
        "resets_history",
        "rows",
        "sends",
    )

    def __init__(self, instance: Instance, *, now: int) -> None:
        self.instance = instance
        self.now = now
        self.resets_history = False
        self.events: list[HistoryEvent] = []
        self.rows: list[bytes] = []
        self.orders: list[Order] = []
        self.activities_put: list[ActivityRow] = []
        self.activities_delete: list[tuple[int, int]] = []
        self.reminders_put: list[Reminder] = []
        self.reminders_delete: list[str] = []
        self.clears_activities = False
        self.sends = instance.record.sends
        self.bytes_added = 0

    @property
    def next_row(self) -> int:
        return (0 if self.resets_history else self.instance.record.history_length) + len(self.rows)

    def append(self, event: HistoryEvent, data: bytes | None = None) -> int:
        encoded = encode_event(event) if data is None else data
        self.events.append(event)
        self.rows.append(encoded)
        self.bytes_added += len(encoded)
        return self.next_row - 1

    def remind(self, name: str, due_at: int, data: bytes = b"") -> None:
        self.reminders_put.append(Reminder(self.instance.id, name, due_at and due_time(due_at), data))

    def send(self, message: Message) -> None:
        """Remembers the message in the outbox until its receiver has it, and sends it after the commit."""
        self.sends += 1
        name = keys.send_name(self.sends)
        self.remind(name, self.now + RESEND_AFTER, encode_message(message))
        self.orders.append(Send(name, message))

    def owe(self, run: RunActivity) -> None:
        """Remembers the order until it is answered; a recovery repeats it."""
        owed = msgspec.msgpack.encode(Owed(run.execution_id, run.row, run.data))
        self.remind(keys.run_name(run.execution_id, run.row), 0, owed)

    def finish(
        self,
        record: Record,
        *,
        consumed: int = 0,
        front: Sequence[Arrival] | None = None,
        is_awake: bool,
        sets_custom_status: bool = False,
        custom_status: str | None = None,
        **changes: object,
    ) -> Decision:
        """Closes the draft. With `front` all inbox rows are written anew: these first, then what was not consumed.
        `changes` are fields of the record; a second copy of it is what they spare."""
        instance, old = self.instance, self.instance.record
        left = instance.inbox[consumed:] if instance.inbox else []
        durable = max(0, old.inbox_length - consumed) if front is None else 0
        next_inbox = old.inbox_first + old.inbox_length
        appended = [*(front or ()), *left[durable:]]
        inbox_first = next_inbox - durable
        self._set_wake(old, is_awake)
        if instance.confirmed:
            self.reminders_delete += instance.confirmed
        kept = 0 if self.resets_history else old.history_length
        return Decision(
            commit=Commit(
                partition=instance.partition,
                epoch=instance.epoch,
                instance_id=old.id,
                expected_version=old.version,
                record=replace(
                    record,
                    **changes,
                    version=old.version + 1,
                    updated_at=self.now,
                    inbox_first=inbox_first,
                    inbox_length=durable + len(appended),
                    history_length=kept + len(self.rows),
                    history_bytes=(0 if self.resets_history else old.history_bytes) + self.bytes_added,
                    is_awake=is_awake,
                    sends=self.sends,
                ),
                resets_history=self.resets_history,
                history_first=kept,
                history_append=self.rows,
                inbox_first=next_inbox,
                inbox_append=[arrival.data for arrival in appended],
                inbox_consumed=(old.inbox_first, inbox_first),
                sets_custom_status=sets_custom_status,
                custom_status=custom_status,
                activities_put=self.activities_put,
                activities_delete=self.activities_delete,
                clears_activities=self.clears_activities,
                reminders_put=self.reminders_put,
                reminders_delete=self.reminders_delete,
            ),
            events=tuple(self.events),
            consumed=consumed,
            inbox_front=tuple(front or ()),
            orders=tuple(self.orders),
        )

    def _set_wake(self, old: Record, is_awake: bool) -> None:
        if is_awake and not old.is_awake:
            self.remind(keys.WAKE, 0)
        elif old.is_awake and not is_awake:
            self.reminders_delete.append(keys.WAKE)


def voided_activities(before: Instance | None, after: Record | None) -> list[StopActivity]:
    """Orders to stop what nobody will wait for any more, when a commit ends a run or a generation."""
    if before is None or before.record.status.is_terminal:
        return []
    was = before.record
    if after is not None and not after.status.is_terminal and after.execution_id == was.execution_id:
        return []
    return [
        StopActivity(was.id, was.execution_id, seq, row, has_ended=True) for seq, row in before.open.activities.items()
    ]


def absorb(instance: Instance, decision: Decision) -> None:
    """Makes the instance what the store now holds. Only called once the commit has been applied."""
    commit = decision.commit
    assert commit.record is not None
    if commit.resets_history:
        instance.history.clear()
        instance.open = nothing_open(commit.record)
        instance.answered_rows.clear()
        instance.started.clear()
    for row, event in enumerate(decision.events, commit.history_first):
        instance.open.absorb(event, row)
    instance.history.extend(commit.history_append)
    _absorb_inbox(instance, decision, is_over=commit.record.status.is_terminal)
    instance.record = commit.record
    for name in commit.reminders_delete:
        instance.outbox.pop(name, None)
        instance.owed.pop(name, None)
    for reminder in commit.reminders_put:
        if reminder.name.startswith(keys.SEND_PREFIX):
            instance.outbox[reminder.name] = reminder.data
        elif reminder.name.startswith(keys.RUN_PREFIX):
            instance.owed[reminder.name] = reminder.data
    if instance.confirmed:
        instance.confirmed = [name for name in instance.confirmed if name in instance.outbox or name in instance.owed]
    if commit.sets_custom_status:
        instance.custom_status = commit.custom_status


def _absorb_inbox(instance: Instance, decision: Decision, *, is_over: bool) -> None:
    if instance.answered_rows:
        for arrival in instance.inbox[: decision.consumed]:
            instance.answered_rows.discard(arrival.row)
    if is_over:
        _forget_dropped(instance, decision)
    instance.inbox[: decision.consumed] = decision.inbox_front
    for arrival in decision.inbox_front:
        note(instance, arrival)


def _forget_dropped(instance: Instance, decision: Decision) -> None:
    """Events that came too late for a run are dropped with the rest of its inbox; to a rewind they would be new."""
    kept = {id(event) for event in decision.events}
    for arrival in instance.inbox[: decision.consumed]:
        if isinstance(arrival.event, EventReceived) and id(arrival.event) not in kept:
            instance.open.sources.pop(arrival.event.source, None)
