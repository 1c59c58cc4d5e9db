"""The store of a simulated world: one memory that outlives every process, and a journal of all that was ever applied.

The journal is the witness: it knows what was durable when, and refuses what no order of events could explain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from holdfast_proto.codec import decode_event
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ActivityScheduled,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    EventReceived,
    HistoryEvent,
    TimerCanceled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)
from holdfast_sidecar.core.state import Commit
from holdfast_sidecar.stores.contract import Outcome, StoreError
from holdfast_sidecar.stores.memory import Memory, MemoryStore
from tests.simulation.clock import SimClock
from tests.simulation.program import activity_result

_ANSWERED: dict[type[HistoryEvent], type[HistoryEvent]] = {
    ActivityCompleted: ActivityScheduled,
    ActivityFailed: ActivityScheduled,
    ChildCompleted: ChildScheduled,
    ChildFailed: ChildScheduled,
    TimerFired: TimerCreated,
}


@lru_cache(maxsize=10_000)
def read(data: bytes) -> HistoryEvent:
    """The same bytes are read by many: by workers in each turn, by the journal, by checks. Events are values."""
    return decode_event(data)


class Violation(AssertionError):
    """Something that must never be."""


@dataclass(slots=True)
class Life:
    """All that the journal has seen of one instance id."""

    version: int = 0
    execution_id: str = ""
    executions: set[str] = field(default_factory=set[str])
    history: list[HistoryEvent] = field(default_factory=list[HistoryEvent])
    durable: set[bytes] = field(default_factory=set[bytes])  # every row that was ever in the inbox or the history
    consumed: set[str] = field(default_factory=set[str])  # sources of events in the history of any generation
    carried: set[str] = field(default_factory=set[str])  # of those that a new generation may see once more
    answered: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])  # (execution, seq), inbox included
    ends: list[WorkflowCompleted] = field(default_factory=list[WorkflowCompleted])
    ended_at: float = 0.0
    is_ended: bool = False
    is_deleted: bool = False


class Journal:
    def __init__(self, note: Callable[[str, str], None], now: Callable[[], float] = lambda: 0.0) -> None:
        self._note = note
        self._now = now
        self.lives: dict[str, Life] = {}
        self.fences: dict[int, int] = {}
        self.scheduled: set[tuple[str, str, int, bytes]] = set()  # (instance, execution, row, data) of activities
        self.runs: Counter[tuple[str, str, int, bytes]] = Counter()  # of those, how often given to a worker
        self.outbox: set[bytes] = set()  # messages that were ever stored in one
        self.children: set[tuple[str, str | None, int, int]] = set()  # (parent, execution, seq, row) ever scheduled

    def applied(self, commit: Commit) -> None:
        _check_fence(commit, self.fences.get(commit.partition, 0))
        life = self.lives.setdefault(commit.instance_id, Life())
        if commit.record is None:
            self.lives[commit.instance_id] = Life(durable=life.durable, executions=life.executions, is_deleted=True)
            self._note(commit.instance_id, "deleted")
            return
        events = [read(data) for data in commit.history_append]
        if commit.resets_history:
            self._reset(life, commit)
        if commit.history_first != len(life.history):
            raise Violation(
                f"{commit.instance_id}: history row {commit.history_first} written behind {len(life.history)} rows"
            )
        life.version, life.execution_id = commit.record.version, commit.record.execution_id
        life.executions |= {life.execution_id, commit.record.first_execution_id}  # the first turn may have begun anew
        for event, data in zip(events, commit.history_append, strict=True):
            self._append(commit, life, event, data)
        life.durable.update(commit.inbox_append, commit.history_append)
        for answer in (read(data) for data in (*commit.inbox_append, *commit.history_append)):
            if isinstance(answer, ActivityCompleted | ActivityFailed):
                life.answered.add((life.execution_id, answer.seq))
        life.is_ended = commit.record.status.is_terminal
        self.outbox.update(reminder.data for reminder in commit.reminders_put if reminder.name.startswith("send-"))
        self._note(commit.instance_id, _line(commit, events))

    def refused(self, commit: Commit, outcome: Outcome) -> None:
        fence = self.fences.get(commit.partition, 0)
        why = f"epoch {commit.epoch} < fence {fence}" if outcome is Outcome.FENCED else "another version"
        self._note("store", f"{commit.instance_id}: {why}, nothing written")

    def _reset(self, life: Life, commit: Commit) -> None:
        assert commit.record is not None
        life.history = []
        life.carried = set()
        life.is_ended = False
        if not commit.history_append:  # a new generation, or another run: what waits in the inbox is its own
            waiting = (read(data) for data in commit.inbox_append)
            life.carried = {event.source for event in waiting if isinstance(event, EventReceived)}

    def _append(self, commit: Commit, life: Life, event: HistoryEvent, data: bytes) -> None:
        row, history, who = len(life.history), life.history, commit.instance_id
        if life.is_ended or (history and isinstance(history[-1], WorkflowCompleted)):
            raise Violation(f"{who}: {type(event).__name__} written behind the end")
        expected = {0: TurnStarted, 1: WorkflowStarted}.get(row)
        if expected is not None and not isinstance(event, expected):
            raise Violation(f"{who}: row {row} is {type(event).__name__}, not {expected.__name__}")
        if isinstance(event, WorkflowStarted) and row != 1:
            raise Violation(f"{who}: started a second time in row {row}")
        if (asks := _ANSWERED.get(type(event))) is not None:
            _check_answer(who, history, event, asks)
        if isinstance(event, EventReceived) and event.source:
            _check_event(who, life, event)
        if isinstance(event, ActivityScheduled):
            self.scheduled.add((who, life.execution_id, row, data))
        if isinstance(event, ChildScheduled):
            self.children.add((who, life.execution_id, event.seq, row))
        if isinstance(event, WorkflowCompleted):
            life.ends.append(event)
            life.ended_at = self._now()
        history.append(event)


def _check_fence(commit: Commit, fence: int) -> None:
    """Who writes has raised the fence to its own epoch before, and nobody has raised it since."""
    if commit.epoch < fence:
        raise Violation(
            f"{commit.instance_id}: written under epoch {commit.epoch} after epoch {fence} had taken the partition"
        )
    if commit.epoch > fence:
        raise Violation(f"{commit.instance_id}: written under epoch {commit.epoch} before its fence, {fence}, was up")


def _check_answer(who: str, history: Sequence[HistoryEvent], answer: HistoryEvent, asks: type[HistoryEvent]) -> None:
    seq = getattr(answer, "seq", None)
    for event in reversed(history):
        if getattr(event, "seq", None) != seq:
            continue
        if _ANSWERED.get(type(event)) is asks:
            raise Violation(f"{who}: {type(answer).__name__} {seq} a second time")
        if isinstance(event, TimerCanceled) and isinstance(answer, TimerFired):
            raise Violation(f"{who}: timer {seq} fired after it was cancelled")
        if isinstance(event, asks):
            _check_fits(who, event, answer)
            return
    raise Violation(f"{who}: {type(answer).__name__} {seq}, which nobody asked for")


def _check_fits(who: str, asked: HistoryEvent, answer: HistoryEvent) -> None:
    """The answer is the one to this question, not to an earlier one with its number."""
    if isinstance(asked, ActivityScheduled) and isinstance(answer, ActivityCompleted | ActivityFailed):
        expected = activity_result(asked.name, asked.input)
        found = answer.result if isinstance(answer, ActivityCompleted) else answer.failure
        is_called_off = isinstance(answer, ActivityFailed) and answer.failure.kind == "ActivityCanceled"
        if found != expected and not is_called_off:
            raise Violation(f"{who}: activity {asked.seq} asked {asked.name}({asked.input}), was answered {found}")
    if isinstance(asked, TimerCreated) and isinstance(answer, TimerFired) and answer.fire_at != asked.fire_at:
        raise Violation(f"{who}: timer {asked.seq} for {asked.fire_at} fired as one for {answer.fire_at}")


def _check_event(who: str, life: Life, event: EventReceived) -> None:
    if event.source in life.consumed and event.source not in life.carried:
        raise Violation(f"{who}: event {event.name!r} of {event.source} received a second time")
    life.consumed.add(event.source)
    life.carried.discard(event.source)


def _line(commit: Commit, events: Sequence[HistoryEvent]) -> str:
    assert commit.record is not None
    words = [f"+{_word(event)}" for event in events]
    arrived = [f"inbox+{_word(read(data))}" for data in commit.inbox_append]
    status = commit.record.status.name.lower()
    generation = f" g{commit.record.generation}" if commit.record.generation > 1 else ""
    return " ".join([f"v{commit.record.version}{generation} {status}", *words, *arrived])


def _word(event: HistoryEvent) -> str:
    name, seq = type(event).__name__, getattr(event, "seq", None)
    if isinstance(event, EventReceived):
        return f"{name}({event.name})"
    return name if seq is None or isinstance(event, WorkflowCompleted) else f"{name}({seq})"


class Disk(MemoryStore):
    """One process's connection to the memory. `late` is the chance that a write is reported lost and lands later."""

    def __init__(self, memory: Memory, journal: Journal, *, clock: SimClock, rng: Random, late: float) -> None:
        super().__init__(memory)
        self.journal = journal
        self.late = late
        self._clock = clock
        self._rng = rng

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        held = await super().acquire(partitions, epoch)
        self.journal.fences.update(dict.fromkeys(held, epoch))
        return held

    async def commit(self, commits: Sequence[Commit]) -> Sequence[Outcome]:
        if self._rng.random() < self.late:
            self._clock.call_later_regardless(self._rng.random(), lambda: [self.apply(commit) for commit in commits])
            raise StoreError("commit: no answer in time; it will land later")
        return [self.apply(commit) for commit in commits]

    def apply(self, commit: Commit) -> Outcome:
        outcome = super().apply(commit)
        if outcome is Outcome.APPLIED:
            self.journal.applied(commit)
        else:
            self.journal.refused(commit, outcome)
        return outcome
