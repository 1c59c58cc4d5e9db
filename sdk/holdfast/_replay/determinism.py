"""Whether the code does what the history says it did, and the words for it when it does not."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import CodeType
from typing import Any, Final, NamedTuple, assert_never

from holdfast._replay.failures import is_ours
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
    ActivityScheduled,
    ChildScheduled,
    DetachedStarted,
    EventSent,
    HistoryEvent,
    TimerCanceled,
    TimerCreated,
    WorkflowCompleted,
)

# Sets of types, asked by `type(event) in`: isinstance would ask one after the other, and is slow to say no of a Struct.
CONFIRMATIONS: Final[frozenset[type[HistoryEvent]]] = frozenset(
    {
        ActivityScheduled,
        TimerCreated,
        TimerCanceled,
        ChildScheduled,
        ActivityCancelRequested,
        EventSent,
        DetachedStarted,
        WorkflowCompleted,
    }
)
UNCONFIRMED: Final[frozenset[type[Action]]] = frozenset({TerminateInstance, ReplaceHistory, Stall})  # leave no trace
_FRAMES_MAX: Final = 60


class Site(NamedTuple):
    """A line of the user's code."""

    code: CodeType
    line: int

    def __str__(self) -> str:
        return f"{self.code.co_filename}:{self.line} in {self.code.co_qualname}"


def fits(action: Action, event: HistoryEvent) -> bool:
    """Whether the fact is what this action becomes. Payloads and times may differ: code may be repaired in place."""
    return _asked(action) == _held(event)


def _asked(action: Action) -> tuple[object, ...]:
    match action:
        case ScheduleActivity():
            return ActivityScheduled, action.seq, action.name
        case StartChild():
            return ChildScheduled, action.seq, action.name
        case CreateTimer():
            return TimerCreated, action.seq
        case CancelTimer():
            return TimerCanceled, action.seq
        case CancelActivity():
            return ActivityCancelRequested, action.seq
        case StartDetached():
            return DetachedStarted, action.seq
        case SendEvent():
            return EventSent, action.seq, action.name
        case CompleteWorkflow():
            return WorkflowCompleted, action.status
        case TerminateInstance() | ReplaceHistory() | Stall():
            return (None,)
        case _:
            assert_never(action)


def _held(event: HistoryEvent) -> tuple[object, ...]:
    match event:
        case ActivityScheduled() | ChildScheduled() | EventSent():
            return type(event), event.seq, event.name
        case TimerCreated() | TimerCanceled() | ActivityCancelRequested() | DetachedStarted():
            return type(event), event.seq
        case WorkflowCompleted():
            return WorkflowCompleted, event.status
        case _:
            return ()


def recorded(event: HistoryEvent | None) -> str:
    """What the history holds, in words."""
    match event:
        case None:
            return "nothing more"
        case ActivityScheduled():
            return f"activity {event.name!r} as {event.seq}"
        case TimerCreated():
            return f"a timer as {event.seq}"
        case TimerCanceled():
            return f"that timer {event.seq} was cancelled"
        case ActivityCancelRequested():
            return f"that activity {event.seq} was cancelled"
        case ChildScheduled():
            return f"child {event.name!r} as {event.seq}"
        case EventSent():
            return f"event {event.name!r} sent to {event.instance_id!r} as {event.seq}"
        case DetachedStarted():
            return f"the start of {event.instance_id!r} as {event.seq}"
        case WorkflowCompleted():
            return f"the end of the workflow ({event.status.name})"
        case _:
            return f"{type(event).__name__}, the next thing that arrived"


def done(action: Action | None) -> str:
    """What the code did, in words."""
    match action:
        case None:
            return "did nothing more in this turn"
        case ScheduleActivity():
            return f"called activity {action.name!r} as {action.seq}"
        case CreateTimer():
            return f"started a timer as {action.seq}"
        case CancelTimer():
            return f"cancelled timer {action.seq}"
        case CancelActivity():
            return f"cancelled activity {action.seq}"
        case StartChild():
            return f"started child {action.name!r} as {action.seq}"
        case StartDetached():
            return f"started workflow {action.name!r} as {action.seq}"
        case SendEvent():
            return f"sent event {action.name!r} to {action.instance_id!r} as {action.seq}"
        case CompleteWorkflow():
            return f"ended the workflow ({action.status.name})"
        case _:
            return f"asked for {type(action).__name__}"


def here() -> Site | None:
    """The innermost line of the user's code that is running now."""
    frame = inspect.currentframe()
    for _ in range(_FRAMES_MAX):
        if frame is None:
            return None
        if not is_ours(frame.f_code.co_filename):
            return Site(frame.f_code, frame.f_lineno)
        frame = frame.f_back
    return None


def waiting(coroutines: Iterable[Any]) -> str:
    """Where suspended coroutines or generators stand, innermost line of the user's code of each."""
    sites = [str(site) for coroutine in coroutines if (site := _waiting_in(coroutine)) is not None]
    return ", ".join(dict.fromkeys(sites))


def _waiting_in(awaited: Any) -> Site | None:
    site: Site | None = None
    for _ in range(_FRAMES_MAX):
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is None:
            return site
        if not is_ours(frame.f_code.co_filename):
            site = Site(frame.f_code, frame.f_lineno)
        below = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
        # A generator workflow is driven by a coroutine of ours that holds it in a variable.
        awaited = (
            frame.f_locals["script"] if "script" in frame.f_locals and is_ours(frame.f_code.co_filename) else below
        )
    return site
