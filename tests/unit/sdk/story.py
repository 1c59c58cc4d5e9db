"""A sidecar for tests of the replay engine: writes down what a run asks for, and tells it what the test says happened.

Every turn is lived through twice, by a run that stays alive and by one built anew from the whole history, and both must
decide the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from holdfast._replay.engine import Run
from holdfast._replay.outcome import TurnOutcome
from holdfast.registry import Registry
from holdfast_proto.actions import (
    Action,
    CancelActivity,
    CancelTimer,
    CompleteWorkflow,
    CreateTimer,
    ReplaceHistory,
    ScheduleActivity,
    SendEvent,
    Stall,
    StartChild,
    StartDetached,
    TerminateInstance,
)
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
    Failure,
    HistoryEvent,
    Status,
    TimerCanceled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)

SECOND = 1_000_000_000
BEGAN_AT = 1_700_000_000 * SECOND


_runs: list[Run] = []


def opened(registry: Registry) -> Run:
    run = Run(registry)
    _runs.append(run)
    return run


def close_runs() -> None:
    """At the end of every test: a run left to the garbage collector complains in some later test."""
    while _runs:
        _runs.pop().close()


class Story:
    """One instance of a workflow of `offers`. Its clock goes on by a second per turn unless the test says otherwise."""

    def __init__(self, *offers: object, name: str = "", version: str | None = None) -> None:
        self.registry = Registry(*offers)
        self.name = name or next(iter(self.registry.versions))
        self.version = version
        self.history: list[HistoryEvent] = []
        self.now = BEGAN_AT - SECOND
        self.run = opened(self.registry)
        self.outcome = TurnOutcome(actions=())

    def start(self, payload: str | None = None, *facts: HistoryEvent) -> TurnOutcome:
        return self.turn(
            WorkflowStarted(
                at=BEGAN_AT,
                name=self.name,
                instance_id="order-7",
                execution_id="e1",
                input=payload,
                version=self.version,
            ),
            *facts,
        )

    def turn(self, *facts: HistoryEvent, after: float = 1.0) -> TurnOutcome:
        """What the run decides when these facts arrive. Becomes history."""
        self.now += round(after * SECOND)
        new = [TurnStarted(at=self.now), *facts]
        past = self.past
        self.outcome = self.run.advance(new)
        again = opened(self.registry)
        assert again.advance(new, past=past) == self.outcome
        again.close()
        start = TurnStarted(at=self.now, patches=self.outcome.patches, version_name=self.outcome.version_name)
        self.history += [start, *facts, *confirmations(self.outcome.actions, self.now)]
        assert self.run.count == len(self.past)
        return self.outcome

    def crash(self) -> None:
        """The worker is gone, and another one begins with the history."""
        self.run.close()
        self.run = opened(self.registry)
        self.run.replay(self.past)

    # ---- what happens ------------------------------------------------------------------------------------------------

    def completed(self, seq: int, result: str | None = None) -> TurnOutcome:
        return self.turn(ActivityCompleted(at=self.now, seq=seq, result=result))

    def failed(self, seq: int, kind: str = "ValueError", message: str = "no", **more: Any) -> TurnOutcome:
        return self.turn(ActivityFailed(at=self.now, seq=seq, failure=Failure(kind=kind, message=message, **more)))

    def fired(self, seq: int, *, after: float = 1.0) -> TurnOutcome:
        return self.turn(TimerFired(at=self.now, seq=seq, fire_at=self.now), after=after)

    def raised(self, name: str, payload: str | None = None) -> TurnOutcome:
        return self.turn(EventReceived(at=self.now, name=name, input=payload))

    def child_completed(self, seq: int, result: str | None = None) -> TurnOutcome:
        return self.turn(ChildCompleted(at=self.now, seq=seq, result=result))

    def child_failed(self, seq: int, kind: str = "ValueError", message: str = "no") -> TurnOutcome:
        return self.turn(ChildFailed(at=self.now, seq=seq, failure=Failure(kind=kind, message=message)))

    # ---- what came of it ---------------------------------------------------------------------------------------------

    @property
    def past(self) -> list[HistoryEvent]:
        """The history as the worker of a running instance sees it."""
        return [event for event in self.history if not isinstance(event, WorkflowCompleted)]

    @property
    def end(self) -> CompleteWorkflow:
        last = self.outcome.actions[-1]
        assert isinstance(last, CompleteWorkflow), f"the workflow has not ended: {self.outcome.actions}"
        return last

    @property
    def result(self) -> str | None:
        assert self.end.status is Status.COMPLETED, self.end.failure
        return self.end.result

    @property
    def failure(self) -> Failure:
        assert self.end.status is Status.FAILED
        assert self.end.failure is not None
        return self.end.failure


def started(name: str) -> WorkflowStarted:
    return WorkflowStarted(at=BEGAN_AT, name=name, instance_id="order-7", execution_id="e1")


def confirmations(actions: Sequence[Action], at: int) -> list[HistoryEvent]:
    return [event for action in actions if (event := confirmation(action, at)) is not None]


def confirmation(action: Action, at: int) -> HistoryEvent | None:
    """The fact that a sidecar writes for an action."""
    match action:
        case ScheduleActivity():
            return ActivityScheduled(
                at=at, seq=action.seq, name=action.name, input=action.input, task_execution_id=action.task_execution_id
            )
        case CancelActivity():
            return ActivityCancelRequested(at=at, seq=action.seq)
        case CreateTimer():
            return TimerCreated(at=at, seq=action.seq, fire_at=action.fire_at, origin=action.origin)
        case CancelTimer():
            return TimerCanceled(at=at, seq=action.seq)
        case StartChild():
            return ChildScheduled(at=at, seq=action.seq, instance_id=action.instance_id, name=action.name)
        case StartDetached():
            return DetachedStarted(at=at, seq=action.seq, instance_id=action.instance_id)
        case SendEvent():
            return EventSent(at=at, seq=action.seq, instance_id=action.instance_id, name=action.name)
        case CompleteWorkflow():
            if action.status is Status.CONTINUED_AS_NEW:
                return None
            return WorkflowCompleted(at=at, seq=action.seq, status=action.status, result=action.result)
        case TerminateInstance() | ReplaceHistory() | Stall():
            return None
        case _:
            assert_never(action)


def names(outcome: TurnOutcome) -> list[str]:
    """The actions in short: `charge#0`, `timer#1`."""
    return [_name(action) for action in outcome.actions]


def _name(action: Action) -> str:
    match action:
        case ScheduleActivity() | StartChild():
            return f"{action.name}#{action.seq}"
        case CreateTimer():
            return f"timer#{action.seq}"
        case CancelTimer():
            return f"-timer#{action.seq}"
        case CancelActivity():
            return f"-activity#{action.seq}"
        case CompleteWorkflow():
            return action.status.name
        case _:
            return type(action).__name__
