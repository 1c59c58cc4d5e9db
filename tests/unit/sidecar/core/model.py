"""What the core must answer, found the slow way: each time anew from all rows and the messages not saved yet."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast_proto.actions import (
    Action,
    CancelActivity,
    CancelTimer,
    CompleteWorkflow,
    CreateTimer,
    ScheduleActivity,
    SendEvent,
    StartChild,
)
from holdfast_proto.codec import decode_event
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ChildCompleted,
    ChildFailed,
    EventReceived,
    HistoryEvent,
    Status,
    Suspended,
    TimerCreated,
    TimerFired,
    WorkflowStarted,
)
from holdfast_sidecar.core.messages import (
    ActivityAnswer,
    ChildAnswer,
    Deliver,
    Message,
    Purge,
    Rewind,
    Start,
    Terminate,
)
from holdfast_sidecar.core.state import Stored
from tests.unit.sidecar.core import derive

_ANSWERS = {
    "activity": (ActivityCompleted, ActivityFailed),
    "timer": (TimerFired,),
    "child": (ChildCompleted, ChildFailed),
}
_OPEN = {"activity": derive.open_activities, "timer": derive.open_timers, "child": derive.open_children}


class Model:
    """One moment: what is stored, and what was taken since and is in memory only."""

    def __init__(self, stored: Stored | None, unsaved: Sequence[HistoryEvent]) -> None:
        self.stored = stored
        self.history = [] if stored is None else derive.facts(stored.history)
        self.inbox = [*([] if stored is None else derive.facts(stored.inbox)), *unsaved]

    def expects(self, message: Message) -> str:
        """The name of what `receive` must answer."""
        stored = self.stored
        if isinstance(message, Start):
            return self._start(message)
        if stored is None:
            is_required = isinstance(message, Deliver | Terminate) and message.is_required
            return "Refused" if is_required or isinstance(message, Rewind) else "Done"
        record = stored.record
        match message:
            case Deliver(event=data):
                return "Done" if record.status.is_terminal else self._deliver(decode_event(data))
            case Terminate():
                return "Done" if record.status.is_terminal else "Decided"
            case ActivityAnswer(execution_id=execution_id, row=row, event=data):
                return self._answer("activity", execution_id, row, decode_event(data))
            case ChildAnswer(execution_id=execution_id, row=row, event=data):
                return self._answer("child", execution_id, row, decode_event(data))
            case Rewind():
                return "Decided" if record.status is Status.FAILED else "Refused"
            case Purge(is_forced=is_forced):
                owes = any(reminder.name.startswith("send-") for reminder in stored.reminders)
                return "Deleted" if is_forced or (record.status.is_terminal and not owes) else "Refused"
            case _:
                raise AssertionError(f"the model knows no {type(message).__name__}")

    def _start(self, message: Start) -> str:
        started = decode_event(message.event)
        assert isinstance(started, WorkflowStarted)
        if self.stored is None:
            return "Taken" if message.may_wait else "Decided"
        record = self.stored.record
        if started.execution_id in (record.execution_id, record.first_execution_id):
            return "Done"
        return "Decided" if record.status in message.policy.replaceable else "Refused"

    def _deliver(self, event: HistoryEvent) -> str:
        assert self.stored is not None
        is_suspended = self.stored.record.is_suspended
        if isinstance(event, EventReceived):
            return "Done" if event.source and event.source in self.sources() else "Taken"
        return "Decided" if isinstance(event, Suspended) is not is_suspended else "Done"

    def sources(self) -> set[str]:
        assert self.stored is not None
        received = {event.source for event in (*self.history, *self.inbox) if isinstance(event, EventReceived)}
        return received | set(self.stored.record.seen_sources)

    def _answer(self, kind: str, execution_id: str, row: int, event: HistoryEvent) -> str:
        assert self.stored is not None
        record = self.stored.record
        if record.execution_id != execution_id or record.status.is_terminal:
            return "Done"
        return "Taken" if self.is_open(kind, _seq(event), row) else "Done"

    def is_open(self, kind: str, seq: int, row: int) -> bool:
        """Whether that very schedule is unanswered, in the history and in what waits."""
        if _OPEN[kind](self.history).get(seq, -1) != row:
            return False
        return not any(isinstance(event, _ANSWERS[kind]) and _seq(event) == seq for event in self.inbox)

    def expects_timer(self, seq: int, due_at: int) -> str:
        assert self.stored is not None
        row = derive.open_timers(self.history).get(seq, -1)
        if self.stored.record.status.is_terminal or row < 0 or not self.is_open("timer", seq, row):
            return "Done"
        created = self.history[row]
        assert isinstance(created, TimerCreated)
        return "Taken" if min(max(created.fire_at, 1), derive.LAST_AT) == due_at else "Done"

    def contradicts(self, actions: Sequence[Action], count: int) -> bool:
        """Whether a number is asked for that is still open, once the first `count` messages are read."""
        past = [*self.history, *self.inbox[:count]]
        taken: dict[str, set[int]] = {kind: set(find(past)) for kind, find in _OPEN.items()}
        for action in actions:
            match action:
                case ScheduleActivity(seq=seq):
                    kind = "activity"
                case CreateTimer(seq=seq):
                    kind = "timer"
                case StartChild(seq=seq):
                    kind = "child"
                case CancelTimer(seq=seq):
                    taken["timer"].discard(seq)
                    continue
                case _:
                    continue
            if seq in taken[kind]:
                return True
            taken[kind].add(seq)
        return False


_FACTS: dict[type[Action], str] = {
    ScheduleActivity: "ActivityScheduled",
    CreateTimer: "TimerCreated",
    StartChild: "ChildScheduled",
    CancelActivity: "ActivityCancelRequested",
    CancelTimer: "TimerCanceled",
    SendEvent: "EventSent",
}


def kinds_after(model: Model, actions: Sequence[Action], count: int) -> list[str]:
    """The kinds of all facts of the history once the turn is closed."""
    kinds = [type(event).__name__ for event in model.history]
    if any(isinstance(a, CompleteWorkflow) and a.status is Status.CONTINUED_AS_NEW for a in actions):
        return []
    kinds += ["TurnStarted", *(type(event).__name__ for event in model.inbox[:count])]
    kinds += [_FACTS[type(action)] for action in actions if type(action) in _FACTS]
    return kinds + ["WorkflowCompleted"] * any(isinstance(action, CompleteWorkflow) for action in actions)


def _seq(event: HistoryEvent) -> int:
    seq = getattr(event, "seq", None)
    assert isinstance(seq, int)
    return seq
