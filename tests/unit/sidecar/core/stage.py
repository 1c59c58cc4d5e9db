"""One instance on a memory store, without a shell: a test speaks to it, plays its worker, and lets it crash.

After every commit the instance in memory is compared with one that is revived from the store, and the store's rows with
what `derive` finds by counting.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, TypeVar

from holdfast_proto.actions import Action, CreateTimer, ScheduleActivity
from holdfast_proto.codec import encode_event
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ChildCompleted,
    ChildFailed,
    EventReceived,
    Failure,
    HistoryEvent,
    Parent,
    Resumed,
    Status,
    Suspended,
    WorkflowStarted,
)
from holdfast_sidecar.core import upkeep
from holdfast_sidecar.core.decision import Decision, Order, RunActivity, Send, StopActivity, absorb
from holdfast_sidecar.core.instance import Instance, revive
from holdfast_sidecar.core.limits import DEFAULT_LIMITS, Limits
from holdfast_sidecar.core.messages import ActivityAnswer, ChildAnswer, Deliver, Message, Start, Terminate
from holdfast_sidecar.core.receive import Decided, Deleted, Place, Received, Refused, Taken, fire_timer, receive
from holdfast_sidecar.core.state import Reminder, Stored
from holdfast_sidecar.core.turn import Turn, TurnResult, close_turn, open_turn
from holdfast_sidecar.stores.contract import Outcome
from holdfast_sidecar.stores.memory import MemoryStore
from tests.unit.sidecar.core import derive

SECOND = 1_000_000_000
ID = "order-7"
T = TypeVar("T", bound=HistoryEvent)


def started(
    instance_id: str = ID, execution_id: str = "run-1", *, parent: Parent | None = None, **fields: Any
) -> WorkflowStarted:
    return WorkflowStarted(
        at=0, name="order", instance_id=instance_id, execution_id=execution_id, parent=parent, **fields
    )


def start(instance_id: str = ID, execution_id: str = "run-1", **fields: Any) -> Start:
    return Start(instance_id=instance_id, event=encode_event(started(instance_id, execution_id, **fields)))


def activity(seq: int, name: str = "charge", **fields: Any) -> ScheduleActivity:
    return ScheduleActivity(seq=seq, name=name, **fields)


def timer(seq: int, fire_at: int, **fields: Any) -> CreateTimer:
    return CreateTimer(seq=seq, fire_at=fire_at, **fields)


def event(name: str = "paid", *, source: str = "", payload: str | None = None) -> Deliver:
    received = EventReceived(at=0, name=name, source=source, input=payload)
    return Deliver(instance_id=ID, event=encode_event(received))


SUSPEND = Deliver(instance_id=ID, event=encode_event(Suspended(at=0, reason="audit")))
RESUME = Deliver(instance_id=ID, event=encode_event(Resumed(at=0)))
TERMINATE = Terminate(instance_id=ID, output='"stop"')


class Stage:
    def __init__(self, *, limits: Limits = DEFAULT_LIMITS, instance_id: str = ID) -> None:
        self.id = instance_id
        self.place = Place(0, 1)
        self.limits = limits
        self.store = MemoryStore()
        self.now = 1_000 * SECOND
        self.instance: Instance | None = None
        self.orders: list[Order] = []  # all of them, in the order of the commits that allowed them
        self.commits = 0

    # -- messages --------------------------------------------------------------------------------------------------

    def tell(self, message: Message) -> Received:
        self.settle()
        received = receive(self.instance, message, place=self.place, now=self.now, limits=self.limits)
        match received:
            case Decided(decision=decision, instance=instance):
                if instance is not None:
                    self.instance = instance
                self.apply(decision)
            case Deleted(commit=commit):
                assert self.store.apply(commit) is Outcome.APPLIED
                self.instance = None
            case Taken(instance=instance):
                self.instance = instance or self.instance
            case _:
                pass
        return received

    def settle(self) -> None:
        """Before anybody else learns of an instance the store does; so does the mailbox."""
        if self.instance is not None and not self.instance.is_stored:
            self.save()

    def refusal(self, message: Message) -> Exception:
        received = self.tell(message)
        assert isinstance(received, Refused)
        return received.error

    def answer(self, seq: int, result: str | None = None, *, run: RunActivity | None = None) -> Received:
        run = run or self.run(seq)
        data = encode_event(ActivityCompleted(at=self.now, seq=seq, result=result))
        return self.tell(
            ActivityAnswer(instance_id=run.instance_id, execution_id=run.execution_id, row=run.row, event=data)
        )

    def fail(self, seq: int, *, run: RunActivity | None = None) -> Received:
        run = run or self.run(seq)
        data = encode_event(ActivityFailed(at=self.now, seq=seq, failure=Failure(kind="Declined", message="no")))
        return self.tell(
            ActivityAnswer(instance_id=run.instance_id, execution_id=run.execution_id, row=run.row, event=data)
        )

    def child_answer(self, send: Send, result: str | None = None) -> Received:
        parent = parent_of(send)
        assert parent.execution_id is not None
        data = encode_event(ChildCompleted(at=self.now, seq=parent.seq, result=result))
        return self.tell(
            ChildAnswer(instance_id=parent.instance_id, execution_id=parent.execution_id, row=parent.row, event=data)
        )

    def fail_child(self) -> None:
        """Answers the last child that was started: it failed."""
        parent = parent_of(self.sends[-1])
        assert parent.execution_id is not None
        data = encode_event(ChildFailed(at=self.now, seq=parent.seq, failure=Failure(kind="Sunk", message="lost")))
        self.tell(ChildAnswer(instance_id=self.id, execution_id=parent.execution_id, row=parent.row, event=data))

    def fire(self, seq: int) -> Received:
        reminder = self.reminder(f"timer-{seq}")
        assert reminder is not None
        return self.fire_as(seq, reminder.due_at)

    def fire_as(self, seq: int, due_at: int) -> Received:
        """A reminder of that name and time comes due, stored or not."""
        return fire_timer(self.live, seq, due_at=due_at, now=max(self.now, due_at))

    # -- turns -----------------------------------------------------------------------------------------------------

    def think(self) -> Turn:
        assert self.live.is_turn_due
        return open_turn(self.live, now=self.now)

    def close(self, turn: Turn, *actions: Action, **result: Any) -> Decision:
        decided = close_turn(self.live, turn, TurnResult(actions=actions, **result), limits=self.limits, now=self.now)
        self.apply(decided)
        return decided

    def turn(self, *actions: Action, **result: Any) -> Decision:
        return self.close(self.think(), *actions, **result)

    # -- commits ---------------------------------------------------------------------------------------------------

    def save(self) -> None:
        self.apply(upkeep.save(self.live, now=self.now))

    def apply(self, decision: Decision) -> None:
        assert self.store.apply(decision.commit) is Outcome.APPLIED
        self.commits += 1
        absorb(self.live, decision)
        self.orders += decision.orders
        self.check()

    def crash(self) -> None:
        """Only what was committed comes back."""
        stored = self.store.stored(self.id)
        self.instance = None if stored is None else self._revived(stored)

    def check(self) -> None:
        derive.check_rows(self.store, self.id)
        derive.check_promises(self.stored)
        assert seen(self.live) == seen(self._revived(self.stored))

    def _revived(self, stored: Stored) -> Instance:
        return revive(stored, partition=self.place.partition, epoch=self.place.epoch)

    # -- what a test looks at --------------------------------------------------------------------------------------

    @property
    def live(self) -> Instance:
        assert self.instance is not None
        return self.instance

    @property
    def stored(self) -> Stored:
        stored = self.store.stored(self.id)
        assert stored is not None
        return stored

    def status(self) -> Status:
        return self.stored.record.status

    def is_awake(self) -> bool:
        return self.stored.record.is_awake

    def custom_status(self) -> str | None:
        return self.stored.custom_status

    @property
    def history(self) -> list[HistoryEvent]:
        return derive.facts(self.stored.history)

    @property
    def inbox(self) -> list[HistoryEvent]:
        return derive.facts(self.stored.inbox)

    def kinds(self) -> list[str]:
        return [type(fact).__name__ for fact in self.history]

    def last(self, kind: type[T]) -> T:
        return [fact for fact in self.history if isinstance(fact, kind)][-1]

    def reminder(self, name: str) -> Reminder | None:
        return next((reminder for reminder in self.stored.reminders if reminder.name == name), None)

    def run(self, seq: int) -> RunActivity:
        """The latest order to run activity `seq`."""
        return [order for order in self.runs if order.event.seq == seq][-1]

    @property
    def runs(self) -> list[RunActivity]:
        return [order for order in self.orders if isinstance(order, RunActivity)]

    @property
    def sends(self) -> list[Send]:
        return [order for order in self.orders if isinstance(order, Send)]

    @property
    def stops(self) -> list[StopActivity]:
        return [order for order in self.orders if isinstance(order, StopActivity)]


def seen(instance: Instance) -> dict[str, object]:
    """All that the core knows of an instance, comparable."""
    return {
        "record": instance.record,
        "custom_status": instance.custom_status,
        "inbox": [(arrival.data, arrival.row) for arrival in instance.inbox],
        "history": list(instance.history),
        "open": asdict(instance.open),
        "answered": instance.answered_rows,
        "outbox": instance.outbox,
        "owed": instance.owed,
    }


def parent_of(send: Send) -> Parent:
    """Whom the child that this message starts will answer."""
    message = send.message
    started_event = derive.facts([getattr(message, "event", b"")])[0]
    assert isinstance(started_event, WorkflowStarted)
    assert started_event.parent is not None
    return started_event.parent
