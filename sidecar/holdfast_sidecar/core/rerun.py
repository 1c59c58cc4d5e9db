"""Running a finished instance again from one of its events: which part of its history the new one begins with."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from holdfast_proto.codec import decode_event, encode_event
from holdfast_proto.history import (
    ActivityScheduled,
    ChildScheduled,
    HistoryEvent,
    TimerCreated,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.errors import EventNotFound, InvalidRequest, WrongState
from holdfast_sidecar.core.instance import Opened
from holdfast_sidecar.core.messages import Fork
from holdfast_sidecar.core.state import Stored


class Rerun(Struct, frozen=True, kw_only=True):
    source_id: str
    seq: int
    new_id: str
    input: str | UnsetType | None = UNSET  # UNSET keeps the recorded one
    new_child_id: str = ""


def plan_rerun(source: Stored, rerun: Rerun, *, execution_id: str, now: int) -> Fork:
    """The facts up to the end of the turn that asked for event `seq`; what they leave open runs again."""
    record = source.record
    if not record.status.is_terminal:
        raise WrongState(f"instance {record.id!r}: only a finished instance can be rerun, it is {record.status.name}")
    if record.parent is not None:
        raise InvalidRequest(f"instance {record.id!r}: it is a child of {record.parent.instance_id!r}; rerun that one")
    if rerun.new_id == record.id:
        raise InvalidRequest(f"instance {record.id!r}: a rerun needs an id of its own")
    history = [decode_event(data) for data in source.history]
    at = _row_of(history, rerun)
    end = next((row for row in range(at, len(history)) if isinstance(history[row], TurnStarted)), len(history))
    opened = Opened()
    for row, event in enumerate(history[:end]):
        opened.absorb(event, row)
    open_rows = {*opened.activities.values(), *opened.timers.values(), *(c.row for c in opened.children.values())}
    # What closed the source with that very turn does not close the fork.
    facts = [
        _copied(event, rerun, execution_id, now, is_open=row in open_rows or row == at, is_target=row == at)
        for row, event in enumerate(history[:end])
        if not isinstance(event, WorkflowCompleted)
    ]
    return Fork(instance_id=rerun.new_id, history=tuple(encode_event(event) for event in facts))


def _row_of(history: Sequence[HistoryEvent], rerun: Rerun) -> int:
    for row, event in enumerate(history):
        if isinstance(event, ActivityScheduled | TimerCreated | ChildScheduled) and event.seq == rerun.seq:
            if isinstance(event, TimerCreated) and rerun.input is not UNSET:
                raise InvalidRequest(
                    f"instance {rerun.source_id!r}: event {rerun.seq} is a timer, which has no input to replace"
                )
            return row
    raise EventNotFound(
        f"instance {rerun.source_id!r}: event {rerun.seq} cannot be rerun: expected an activity, a timer or a child "
        "with that id in its history"
    )


def _copied(
    event: HistoryEvent, rerun: Rerun, execution_id: str, now: int, *, is_open: bool, is_target: bool
) -> HistoryEvent:
    match event:
        case WorkflowStarted():
            return replace(event, instance_id=rerun.new_id, execution_id=execution_id, parent=None)
        case ActivityScheduled() if is_open:
            given = event.input if rerun.input is UNSET or not is_target else rerun.input
            return replace(event, rerun_of=rerun.source_id, input=given)
        case ChildScheduled() if is_open:
            child = rerun.new_child_id if is_target and rerun.new_child_id else keys.child_id(rerun.new_id, event.seq)
            given = event.input if rerun.input is UNSET or not is_target else rerun.input
            return replace(event, rerun_of=rerun.source_id, instance_id=child, input=given)
        case TimerCreated() if is_open:
            return replace(event, rerun_of=rerun.source_id, fire_at=now + max(0, event.fire_at - event.at))
        case _:
            return event
