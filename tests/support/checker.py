"""What must be true of the stored state after any number of crashes, written as plainly as can be.

Each check gives sentences about what is wrong; no sentence is what is wanted. Nothing here is shared with the core.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from holdfast_proto.codec import decode_event
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ActivityScheduled,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    DetachedStarted,
    EventReceived,
    HistoryEvent,
    TimerCanceled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)
from holdfast_sidecar.core.state import Stored

_NEVER_RAN = "ActivityCanceled"


def events_of(stored: Stored) -> list[HistoryEvent]:
    return [decode_event(data) for data in stored.history]


# -- one instance ------------------------------------------------------------------------------------------------------


def check_ended(stored: Stored) -> Iterator[str]:
    """An ended instance: a whole history, and nothing left that stands for work."""
    record, events, who = stored.record, events_of(stored), f"instance {stored.record.id!r}"
    if not record.status.is_terminal:
        yield f"{who}: expected to have ended, found {record.status.name}, stall {record.stall}"
    if record.history_length != len(events):
        yield f"{who}: its record counts {record.history_length} rows of history, found {len(events)}"
    if record.inbox_length or stored.inbox:
        yield f"{who}: expected an empty inbox, found {len(stored.inbox)} messages ({record.inbox_length} counted)"
    if stored.activities:
        yield f"{who}: expected no activity requests, found {stored.activities}"
    if names := [reminder.name for reminder in stored.reminders if reminder.name != "retention"]:
        yield f"{who}: expected no reminders, found {names}"
    yield from (f"{who}: {problem}" for problem in _shape(stored, events))
    yield from (f"{who}: {problem}" for problem in check_answers(events))
    yield from (f"{who}: {problem}" for problem in check_sources(events))


def _shape(stored: Stored, events: Sequence[HistoryEvent]) -> Iterator[str]:
    if len(events) < 3 or not isinstance(events[0], TurnStarted) or not isinstance(events[1], WorkflowStarted):
        yield f"expected a history of a turn, a start, ..., found {[type(event).__name__ for event in events[:3]]}"
        return
    if events[1].execution_id != stored.record.execution_id:
        yield f"history of execution {events[1].execution_id}, record of {stored.record.execution_id}"
    if starts := sum(isinstance(event, WorkflowStarted) for event in events) - 1:
        yield f"started {starts} times more than once"
    ends = [row for row, event in enumerate(events) if isinstance(event, WorkflowCompleted)]
    if ends != [len(events) - 1]:
        yield f"expected one end, in row {len(events) - 1}, found ends in rows {ends}"


def check_answers(events: Sequence[HistoryEvent]) -> Iterator[str]:
    """No answer without its open schedule, no schedule answered twice."""
    waiting: dict[tuple[str, int], int] = {}
    for row, event in enumerate(events):
        kind = _KINDS.get(type(event))
        if kind is None:
            continue
        what, is_schedule = kind
        seq: int = getattr(event, "seq")  # noqa: B009 - every kind in the table has one, which its type does not say
        if is_schedule:
            if (what, seq) in waiting:
                yield f"row {row}: {what} {seq} scheduled while row {waiting[what, seq]} is still unanswered"
            waiting[what, seq] = row
        elif isinstance(event, TimerCanceled):
            waiting.pop((what, seq), None)
        elif waiting.pop((what, seq), None) is None:
            yield f"row {row}: {type(event).__name__} {seq} answers nothing that is open"


_KINDS: dict[type[HistoryEvent], tuple[str, bool]] = {
    ActivityScheduled: ("activity", True),
    ActivityCompleted: ("activity", False),
    ActivityFailed: ("activity", False),
    ChildScheduled: ("child", True),
    ChildCompleted: ("child", False),
    ChildFailed: ("child", False),
    TimerCreated: ("timer", True),
    TimerFired: ("timer", False),
    TimerCanceled: ("timer", False),
}


def check_sources(events: Sequence[HistoryEvent]) -> Iterator[str]:
    """Every event counts once."""
    seen: dict[str, int] = {}
    for row, event in enumerate(events):
        if isinstance(event, EventReceived) and event.source:
            if event.source in seen:
                yield f"row {row}: event {event.source!r} was applied in row {seen[event.source]} already"
            seen[event.source] = row


# -- all of them -------------------------------------------------------------------------------------------------------


def check_family(found: Mapping[str, Stored]) -> Iterator[str]:
    """Whoever was started by another exists, and knows whose child it is."""
    for stored in found.values():
        for event in events_of(stored):
            if not isinstance(event, ChildScheduled | DetachedStarted):
                continue
            child = found.get(event.instance_id)
            if child is None:
                yield f"instance {stored.record.id!r} has started {event.instance_id!r}, which does not exist"
            elif isinstance(event, ChildScheduled) and (
                child.record.parent is None or child.record.parent.instance_id != stored.record.id
            ):
                yield f"child {event.instance_id!r}: expected parent {stored.record.id!r}, found {child.record.parent}"


def check_growth(snapshots: Mapping[str, Sequence[Sequence[str]]]) -> Iterator[str]:
    """Histories (as fingerprints of their rows) that begin with the same start only ever grow at their end."""
    for instance_id, histories in snapshots.items():
        by_start = defaultdict[str, list[Sequence[str]]](list)
        for rows in histories:
            if len(rows) > 1:
                by_start[rows[1]].append(rows)
        for same in by_start.values():
            same.sort(key=len)
            for shorter, longer in pairwise(same):
                if list(longer[: len(shorter)]) != list(shorter):
                    yield f"instance {instance_id!r}: a history of {len(shorter)} rows is no beginning of a later one"


# -- what activities did -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Execution:
    at: int
    instance_id: str
    execution_id: str
    seq: int
    name: str
    delivery: int

    @property
    def key(self) -> tuple[str, str, int]:
        return self.instance_id, self.execution_id, self.seq


@dataclass(frozen=True)
class Disruption:
    """Something was killed or stood still: from when to when what it had in hand may have been done twice."""

    what: str
    begin: int
    end: int


def read_executions(journal: str) -> list[Execution]:
    found = list[Execution]()
    for line in journal.splitlines():
        at, instance_id, execution_id, seq, name, delivery = line.split(" ")
        found.append(Execution(int(at), instance_id, execution_id, int(seq), name, int(delivery)))
    return found


def check_executions(found: Mapping[str, Stored], executions: Sequence[Execution]) -> Iterator[str]:
    """What was answered was run, and what was run had been scheduled durably."""
    ran = {execution.key for execution in executions}
    scheduled = set[tuple[str, str, int]]()
    for stored in found.values():
        record = stored.record
        for event in events_of(stored):
            key = (record.id, record.execution_id, getattr(event, "seq", -1))
            if isinstance(event, ActivityScheduled):
                scheduled.add(key)
            elif isinstance(event, ActivityCompleted) and key not in ran:
                yield f"instance {record.id!r}: activity {event.seq} has a result and never ran"
            elif isinstance(event, ActivityFailed) and event.failure.kind != _NEVER_RAN and key not in ran:
                yield f"instance {record.id!r}: activity {event.seq} failed with {event.failure.kind} and never ran"
    for execution in executions:
        stored_of = found.get(execution.instance_id)
        if stored_of is None:
            yield f"activity {execution.key} ran for an instance that does not exist"
        elif stored_of.record.execution_id == execution.execution_id and execution.key not in scheduled:
            yield f"activity {execution.key} ran without a durable schedule"


def repeated(executions: Sequence[Execution]) -> list[tuple[Execution, Execution]]:
    """Runs of the same activity, one after the other."""
    runs = defaultdict[tuple[str, str, int], list[Execution]](list)
    for execution in executions:
        runs[execution.key].append(execution)
    found = list[tuple[Execution, Execution]]()
    for same in runs.values():
        same.sort(key=lambda execution: execution.at)
        found += pairwise(same)
    return found


def check_repeats(executions: Sequence[Execution], disruptions: Sequence[Disruption]) -> Iterator[str]:
    """An activity ran again only where something was disturbed between its two runs."""
    for first, second in repeated(executions):
        if not any(d.begin <= second.at and d.end >= first.at for d in disruptions):
            yield f"activity {first.key} ran at {first.at} and again at {second.at}, and nothing was disturbed between"
